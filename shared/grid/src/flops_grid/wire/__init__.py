"""What both ends of a connection share: frames, transfer, liveness, TLS."""
