"""Fixtures of the tests below; pytest finds them by being here."""

from support.channel_servers import channels, running_channels

__all__ = ["channels", "running_channels"]
