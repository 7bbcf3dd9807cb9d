"""The HTTP APIs: root, key endpoint, clusters."""
