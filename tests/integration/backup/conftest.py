"""A protected database for the tests of backups."""

from support.azure import azure
from support.backup import protected, regions

__all__ = ["azure", "protected", "regions"]
