"""What the alert service keeps, and the only place that speaks SQL."""
