"""The state that an aggregator needs to continue a training, and its storage."""
