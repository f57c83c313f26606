"""What is asked of anything: arrays, names, threads; it knows nothing else of the package."""
