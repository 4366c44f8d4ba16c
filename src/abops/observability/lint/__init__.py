"""Mistakes that PromQL and Grafana accept and that show only in the night they matter."""
