"""The rules of builds, without any input or output."""
