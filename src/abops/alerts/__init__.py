"""Alerts become incidents, and the right person is told."""
