"""The local stack's secrets: drawn at random on the first start, one file each, mode 0600.

They have the form of the real ones, because clients and the channel servers check forms. They
stand in files and environments only, never in an argument or a log.
"""

import secrets
import string
from collections.abc import Callable, Mapping
from pathlib import Path

from abops.kernel.errors import OpsError
from abops.kernel.files import write_atomic

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def _digits(count: int) -> str:
    # A leading zero would be lost wherever the number is read as one.
    return secrets.choice("123456789") + "".join(
        secrets.choice(string.digits) for _ in range(count - 1)
    )


def _password() -> str:
    return secrets.token_urlsafe(24).replace("-", "A").replace("_", "B")


def _slack_token() -> str:
    return f"xoxb-{_digits(12)}-{_digits(13)}-{_password()[:24]}"


def _telegram_token() -> str:
    return f"{_digits(9)}:{secrets.token_urlsafe(32)[:35]}"


def _webhook_path() -> str:
    letters = string.ascii_uppercase + string.digits
    team, bot = ("".join(secrets.choice(letters) for _ in range(9)) for _ in "TB")
    return f"/services/T{team}/B{bot}/{_password()[:24]}"


KINDS: Mapping[str, Callable[[], str]] = {
    "postgres": _password,
    "postgres-reader": _password,
    "backup-eu-key": _password,
    "backup-us-key": _password,
    "bot-token": _telegram_token,
    "api-secret": _password,
    "ingest": _password,
    "read": _password,
    "respond": _password,
    "slack": _slack_token,
    "slack-webhook-path": _webhook_path,
    "slack-sign": lambda: secrets.token_hex(16),
    "pd-dev": lambda: secrets.token_hex(16),
    "pd-devops": lambda: secrets.token_hex(16),
    "pd-management": lambda: secrets.token_hex(16),
    "pd-hook": lambda: secrets.token_hex(16),
    "telegram": _telegram_token,
    "telegram-hook": lambda: secrets.token_hex(16),
    "smtp": _password,
}


class SecretMissingError(OpsError):
    """A secret of the local stack is missing."""

    hint = "Run `abops stack up`, which makes it."


def make_credentials(folder: Path, *, slack_url: str) -> None:
    """Make the secrets that are missing; `slack_url` is where the webhook's path is served."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(FOLDER_MODE)
    for name, draw in KINDS.items():
        path = folder / name
        if not path.is_file():
            write_atomic(path, draw(), mode=FILE_MODE)
    webhook = slack_url + read_credential(folder, "slack-webhook-path")
    path = folder / "slack-webhook"
    if not path.is_file() or path.read_text(encoding="utf-8") != webhook:
        write_atomic(path, webhook, mode=FILE_MODE)


def read_credential(folder: Path, name: str) -> str:
    """Return a secret."""
    try:
        return (folder / name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SecretMissingError(f"{folder / name}: {error.strerror}") from error
