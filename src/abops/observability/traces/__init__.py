"""A trace from Jaeger's answer to what a page draws: spans, their tree, what took the time.

Pure: nothing here asks anybody.
"""
