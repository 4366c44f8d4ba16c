"""What an incident most likely comes from, and why, in words for a person at 3 a.m."""
