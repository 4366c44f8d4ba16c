"""The processes of AnalyticBot."""

VERSION = "4.6.0"
