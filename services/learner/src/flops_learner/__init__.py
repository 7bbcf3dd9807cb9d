"""The learner: trains a user's model on the data of its node and answers the aggregator."""
