"""Ensembles of small networks on tables: encodings, members, selection."""
