"""A customer's MLflow server: a stateless frontend of the backend store and the artifact store."""
