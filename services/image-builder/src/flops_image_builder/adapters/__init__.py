"""The outside systems: git, uv, Python interpreters, MLflow, the local image store."""
