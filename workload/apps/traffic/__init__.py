"""Customers, simulated."""
