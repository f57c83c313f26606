"""Data sets of blocks of rows, larger than memory: what they are, and how epochs read them."""
