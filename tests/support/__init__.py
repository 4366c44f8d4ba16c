"""What tests share: real servers on loopback, and builders of example values."""
