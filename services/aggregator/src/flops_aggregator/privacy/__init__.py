"""Differential privacy and secure aggregation, as the aggregator does them."""
