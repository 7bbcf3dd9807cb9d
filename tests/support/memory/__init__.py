"""Adapters in memory for tests. They pass the same contracts as the real ones."""
