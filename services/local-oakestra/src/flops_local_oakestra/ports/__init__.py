"""Interfaces that the use cases need from outside."""
