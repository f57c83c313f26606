"""The demonstration: ``python -m fastmlp``."""
