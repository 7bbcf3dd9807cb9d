"""How the use cases are reached from outside."""
