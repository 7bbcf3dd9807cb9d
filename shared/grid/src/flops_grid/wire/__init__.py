"""Shared by both ends of a connection: frames, transfer, liveness, TLS."""
