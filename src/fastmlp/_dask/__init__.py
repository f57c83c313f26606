"""Fits on a dask cluster: rounds of training on shards of the rows, and predictions by chunk."""
