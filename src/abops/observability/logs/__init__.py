"""Logs: from the JSON line of a service to the page that finds it by its trace.

The files are the truth and stay two days; the store is made from them. Every line has an
identity that follows from its place and its text, so that sending it twice stores it once.
"""
