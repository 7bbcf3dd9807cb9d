"""The fixtures are a plugin, so that a test can run them with a check that fails."""

from support.conformance_fixtures import place, root, visit

__all__ = ["place", "root", "visit"]
