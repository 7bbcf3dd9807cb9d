"""What clients ask of the root, and what becomes of it."""
