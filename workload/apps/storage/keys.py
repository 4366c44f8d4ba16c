"""Keys in Redis that one process writes and another reads."""

SUMMARY_KEY = "analyticbot:summary"
REPORT_KEY = "analyticbot:report"
KEPT_S = 3600
