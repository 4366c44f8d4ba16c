"""The panel of fault switches, for demonstrations and tests only."""
