"""A stand-in for the Oakestra root on one machine."""
