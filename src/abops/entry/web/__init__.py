"""The web: API routes and console pages."""
