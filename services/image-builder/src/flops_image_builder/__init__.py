"""Builds the images of a project: its actors from an ML repository, a server from its model."""
