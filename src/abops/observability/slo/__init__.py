"""Service level objectives: what is measured, recorded, alerted on and said about them."""
