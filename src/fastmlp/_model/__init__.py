"""A network as plain data and in the core."""
