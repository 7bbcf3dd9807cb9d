"""Flower's Grid over one gRPC stream per learner: both ends, and the user's model behind them.

The aggregator opens a ``server.StreamGrid`` and gives it to any strategy of
``flwr.serverapp.strategy``; a learner gives its ``flwr.clientapp.ClientApp`` to
``client.serve_client_app``. A process may do both, as a cluster's aggregator does.
"""
