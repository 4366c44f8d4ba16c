"""Which incidents somebody has to act on, learned from what people did with earlier ones."""
