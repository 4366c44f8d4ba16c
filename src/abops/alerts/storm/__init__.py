"""When too much comes: storms and their digests, flapping alerts, those that pass by themselves."""
