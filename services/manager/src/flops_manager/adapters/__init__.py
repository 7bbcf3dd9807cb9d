"""The ports, implemented by one outside system each, and in memory."""
