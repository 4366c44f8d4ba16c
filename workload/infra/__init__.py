"""What carries the work between the processes."""
