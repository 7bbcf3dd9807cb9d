"""The web pages: what the API answers, drawn by templates. ``site.py`` is the table of contents."""
