"""Plays edge devices: splits a dataset and sends each part to the node's data server."""
