"""Follows a project's events, prints them as readable lines and serves them."""
