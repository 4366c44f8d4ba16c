"""A protected database for the tests of backups."""

from support.backup import protected, regions

__all__ = ["protected", "regions"]
