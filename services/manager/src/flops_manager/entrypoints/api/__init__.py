"""The REST API: HTTP in, use cases called, JSON out. ``routes.py`` is its table of contents."""
