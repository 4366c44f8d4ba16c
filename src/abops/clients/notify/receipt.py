"""What every channel answers: taken, or not taken and whether trying again can help."""

from abops.kernel.errors import OpsError

TIMEOUT_S = 10.0
"""Seconds until a channel that does not answer counts as one that has not accepted."""


class NotAcceptedError(OpsError):
    """The channel did not accept the message."""

    hint = "The service tries again by itself when that can help."

    def __init__(
        self,
        message: str,
        *,
        final: bool = False,
        retry_after_s: float | None = None,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(message)
        self.final = final
        """Whether trying again cannot help: the message or the secret is refused."""
        self.retry_after_s = retry_after_s
        """How long the channel asks to be left alone."""
        self.outcome_unknown = outcome_unknown
        """Whether the channel may have taken it without saying so."""


def seconds(value: str | None) -> float | None:
    """Read a Retry-After header in seconds; None when it is not one."""
    try:
        return None if value is None else max(float(value), 0.0)
    except ValueError:
        return None


def trusts_environment(url: str) -> bool:
    """Say whether proxies of the environment apply: not to servers of this machine."""
    return not any(host in url for host in ("//127.0.0.1", "//localhost", "//[::1]"))
