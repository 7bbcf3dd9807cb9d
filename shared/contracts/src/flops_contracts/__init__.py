"""What crosses a wire between FLOps services. It decides nothing and imports no service."""
