"""The use cases of the manager."""
