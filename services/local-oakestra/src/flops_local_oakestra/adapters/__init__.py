"""How services are run, how tokens are signed."""
