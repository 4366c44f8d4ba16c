"""The HTTP service that customers' browsers talk to."""
