"""Requests to the clients, checks of their replies, and the mean of them."""
