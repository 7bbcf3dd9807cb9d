"""The ``flops`` command line, and the Python client that notebooks can use too."""

VERSION = "0.1.0"
"""The distribution's; written here, too, because a checkout runs without being installed."""
