"""The client's end of the grid."""
