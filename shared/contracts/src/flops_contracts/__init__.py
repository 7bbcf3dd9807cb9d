"""The contracts between FLOps services. This package decides nothing and imports no service."""
