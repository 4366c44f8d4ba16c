"""Commands: each parses, forwards and shows."""
