"""What is watched and why: alerts with their thresholds, runbooks and test cases."""
