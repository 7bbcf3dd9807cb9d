"""The limits of uploads and downloads: how many at a time, and how much memory they may hold."""
