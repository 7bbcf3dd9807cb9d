"""The store of a learner node: what edge devices send in, and learners read out."""
