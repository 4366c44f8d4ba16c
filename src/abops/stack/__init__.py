"""The platform on this machine: which processes, in which order, how healthy."""
