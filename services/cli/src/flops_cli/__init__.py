"""The ``flops`` command line, and the Python client that notebooks can use too."""
