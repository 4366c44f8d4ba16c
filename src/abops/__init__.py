"""The platform that runs AnalyticBot in production."""
