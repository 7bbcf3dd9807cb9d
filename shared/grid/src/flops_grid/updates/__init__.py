"""Processing of a client's update before it leaves: clipping, noise, compression."""
