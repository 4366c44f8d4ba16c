"""Metrics, spans and JSON logs for AnalyticBot, at a few microseconds a request."""
