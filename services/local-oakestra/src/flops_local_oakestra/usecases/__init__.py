"""The use cases: clients' requests to the root, and their effects."""
