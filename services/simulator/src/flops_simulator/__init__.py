"""A project's training with many learners on one machine."""
