"""Which alerts belong together: what kind they are, where they stand, when they came."""
