"""What exists: platform.yaml as checked values."""
