"""From one inventory: rules, dashboards, SLOs and the proof that they work."""
