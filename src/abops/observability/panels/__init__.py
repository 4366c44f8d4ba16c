"""Boards read back from Grafana's JSON, and what Prometheus answers to their questions.

Grafana and the console show the same files. Here a file becomes rows, panels and queries; the
queries get their variables and their step; and the answers become values that can be drawn.
Nothing here asks anybody: whoever shows a board brings the answers.
"""
