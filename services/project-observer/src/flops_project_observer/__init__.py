"""Follows one project's events, prints them as a story and serves them."""
