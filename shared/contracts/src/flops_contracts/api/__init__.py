"""The manager's API: its answers and query parameters.

The manager writes these classes and the ``flops`` command line reads them.
"""
