"""A customer's MLflow server: a stateless door to the backend store and the artifact store."""
