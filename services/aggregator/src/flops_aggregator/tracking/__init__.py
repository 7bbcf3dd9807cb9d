"""The training in MLflow: its run, its checkpoints and its registered model."""
