"""The rounds of a training, or of a cycle of a cluster."""
