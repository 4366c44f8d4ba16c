"""Queues, schedule and the tasks of the house."""
