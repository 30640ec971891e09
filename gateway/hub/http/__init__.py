"""What the hub knows of a client's connection: its address and its limits."""
