"""The aggregator's end of the grid."""
