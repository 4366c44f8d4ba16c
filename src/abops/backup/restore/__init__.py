"""Bringing a database back: to which point, from where, into which folder, and starting it."""
