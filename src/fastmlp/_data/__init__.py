"""The rows to train on: targets and their codecs, weights."""
