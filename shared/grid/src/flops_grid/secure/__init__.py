"""Secure aggregation: the sum of the clients' updates, of which the server sees none.

Bonawitz et al. 2017, "Practical Secure Aggregation for Privacy-Preserving Machine Learning"
(protocol for honest-but-curious servers). Each client shares with a bounded number of neighbours,
as in Bell et al. 2020, "Secure Single-Server Aggregation with (Poly)Logarithmic Overhead". Clients
have numbers from 0, their positions in the list of public keys.
"""
