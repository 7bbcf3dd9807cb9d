"""What the builder does, in the words of its ports."""
