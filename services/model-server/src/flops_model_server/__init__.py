"""Serves a trained model: /invocations, /ping, /health and /version, as MLflow defines them."""
