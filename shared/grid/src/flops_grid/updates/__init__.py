"""What a client does to its update before it leaves: clipping, noise, compression."""
