"""What an aggregator needs to continue a training, and where it is stored."""
