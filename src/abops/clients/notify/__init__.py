"""The channels through which people are told."""
