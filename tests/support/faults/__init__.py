"""Faults of backups, as scenes: each injects one, claims what must come of it, and tells figures.

Tests play the short ones; the benchmark of the catalogue plays them all.
"""
