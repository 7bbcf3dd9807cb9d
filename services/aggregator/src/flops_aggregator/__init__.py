"""The aggregator: runs the rounds of a training and registers the best model in MLflow."""
