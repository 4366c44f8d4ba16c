"""Rehearsed restores: that a backup restores is measured, never assumed."""
