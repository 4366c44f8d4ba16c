"""`expire`: what the engine calls it. One deed, so one command under both names."""

from abops.entry.cli.backup.retain import command

__all__ = ["command"]
