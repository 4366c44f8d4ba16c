"""What is to be done now, and why; pure, `now` is given."""
