"""Flower's messages: the records in them, and memory for large ones."""
