"""A protected database whose disasters are rehearsed."""

from support.backup import protected, regions

__all__ = ["protected", "regions"]
