"""Secure aggregation: sums of what learners send, without a look at what any of them sent.

Bonawitz et al. 2017, "Practical Secure Aggregation for Privacy-Preserving Machine Learning"
(protocol for honest-but-curious servers), each member paired with so many neighbours at most as in
Bell et al. 2020, "Secure Single-Server Aggregation with (Poly)Logarithmic Overhead".
"""
