"""Processes that train one network together: who they are, and what carries numbers for them."""
