"""What the channel servers need to know: their ports, where they keep history, which secrets hold.

The stack writes the file; a person may write one too, so a mistake is answered with the file's
name and what is wrong in it. Secrets are read from their files at every use: a secret that is
rotated while the servers run counts at once, and none is kept in memory or shown.
"""

import hmac
from pathlib import Path

import msgspec

from abops.kernel.errors import OpsError

HOST = "127.0.0.1"


class ChannelConfigError(OpsError):
    """The configuration of the channel servers cannot be used."""

    hint = (
        "The file is one JSON object with slack_port, pagerduty_port, telegram_port, smtp_port, "
        "inbox_port, data_dir and secrets_dir; see docs/reference/channels.md."
    )


class ChannelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The five ports on the loopback, the two folders, and what is optional."""

    slack_port: int
    pagerduty_port: int
    telegram_port: int
    smtp_port: int
    inbox_port: int
    data_dir: str
    secrets_dir: str
    alert_service_url: str | None = None  # where pressed buttons are told; None: nowhere
    slack_channels: tuple[str, ...] = ()  # empty: every well-formed channel exists
    telegram_chats: tuple[int, ...] = ()  # empty: every chat exists
    smtp_certfile: str | None = None  # with smtp_keyfile: STARTTLS is offered
    smtp_keyfile: str | None = None


class Secrets:
    """The secrets folder; a missing or empty file is a secret that nobody knows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> str | None:
        """Return the secret's text without surrounding blanks, None when there is none."""
        try:
            return (self._folder / name).read_text(encoding="utf-8").strip() or None
        except OSError:
            return None

    def names(self, pattern: str) -> list[str]:
        """Return the names of the secrets that match a pattern, sorted."""
        return sorted(path.name for path in self._folder.glob(pattern))

    def matches(self, name: str, given: str) -> bool:
        """Say whether `given` is the secret, in time that does not tell how much of it is right."""
        known = self.read(name)
        return known is not None and hmac.compare_digest(known.encode(), given.encode())


def load_config(path: Path) -> ChannelConfig:
    """Read the configuration at `path`."""
    try:
        config = msgspec.json.decode(path.read_bytes(), type=ChannelConfig)
    except OSError as error:
        raise ChannelConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ChannelConfigError(f"{path}: {error}") from error
    ports = (
        config.slack_port,
        config.pagerduty_port,
        config.telegram_port,
        config.smtp_port,
        config.inbox_port,
    )
    if len(set(ports)) < len(ports):
        raise ChannelConfigError(f"{path}: two servers share a port: {', '.join(map(str, ports))}")
    if not all(0 < port < 65_536 for port in ports):  # noqa: PLR2004 - the range of a TCP port
        raise ChannelConfigError(f"{path}: a port is a number from 1 to 65535")
    return config
