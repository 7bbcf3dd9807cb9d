"""What the root decides, without any input or output."""
