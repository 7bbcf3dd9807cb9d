"""The root's decisions, without input or output."""
