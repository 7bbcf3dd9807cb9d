"""The builder's use cases; they reach outside systems through ports only."""
