"""What is stored of an estimator, and how it lies in a file."""
