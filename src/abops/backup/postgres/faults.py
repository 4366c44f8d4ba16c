"""What a failure of the engine means, as an error with a next step.

The engine's own words name requests and hints about its options; whoever is woken needs to know
which of a few things it is: dead, refused, wrong clock, wrong keys, wrong passphrase, full disk.
"""

import re
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Final

from abops.backup.model import Destination
from abops.clients.pgbackrest_answers import Answer, EngineError

_SHOWN: Final = 300
SKEW_LIMIT_S: Final = 300.0
_CRYPTO, _LOCK, _NO_SPACE, _TERMINATED = 95, 50, 64, 63
_ARCHIVE_COMMAND, _ARCHIVE_MODE, _ARCHIVE_TIMEOUT = 68, 87, 82


class DestinationError(EngineError):
    """The backup engine failed at a destination."""


class DestinationUnreachableError(DestinationError):
    """A destination did not answer."""

    hint = "See whether its endpoint can be reached from here: abops backup doctor."


class DestinationCertificateError(DestinationError):
    """The certificate of a destination is not accepted."""

    hint = (
        "See its dates and names (openssl s_client -connect HOST:PORT), this clock, and whether "
        "ca_file of the destination in platform.yaml is the authority that signed it."
    )


class DestinationDeniedError(DestinationError):
    """A destination did not accept the credentials."""

    hint = "See the key, its secret and its rights on the bucket; then abops backup init again."


class DestinationClockError(DestinationError):
    """The clock differs too much from the destination's."""

    hint = "Set this machine's clock: signatures are accepted within five minutes."


class DestinationFailingError(DestinationError):
    """A destination answers, with errors of its own."""

    hint = "See the store itself at its provider: its health, and whether its disks are full."


class BucketMissingError(DestinationError):
    """The bucket or container of a destination is not there."""

    hint = "Make it at the provider, or let abops backup init do it: --make-buckets."


class PassphraseError(DestinationError):
    """The passphrase is not the one that a destination's copies are encrypted with."""

    hint = "Bring back the right one from the configuration bundle (abops backup config restore)."


class DiskFullError(DestinationError):
    """There is no space left."""

    hint = "Make space on the volume that the message names; the next run takes this one up."


class LockedError(DestinationError):
    """Another run of the engine has this destination in hand."""

    hint = "Wait for its end: abops backup status shows it."


class ArchivingError(DestinationError):
    """The write-ahead log does not leave the database as a backup needs it."""

    hint = "abops backup init --configure sets it; abops backup doctor shows what is missing."


class DatabaseAwayError(DestinationError):
    """The protected database does not answer, or takes no writes."""

    hint = "See whether PostgreSQL runs, and as a primary; the next run makes the backup."


class EngineInterruptedError(DestinationError):
    """A run was ended from outside."""

    hint = "The next run takes it up again."


_WORDS = partial(re.compile, flags=re.IGNORECASE)
_SKEW: Final = _WORDS(r"RequestTimeTooSkewed|difference between the request time")
_NO_BUCKET: Final = _WORDS(r"NoSuchBucket|ContainerNotFound|bucket does not exist")
_DENIED: Final = _WORDS(
    r"failed with 40[13] |AccessDenied|AuthenticationFailed|SignatureDoesNotMatch"
    r"|InvalidAccessKeyId|Server failed to authenticate"
)
_CERTIFICATE: Final = _WORDS(r"(?:certificate|TLS error|SSL error|unable to verify)[^\n]*")
_PASSPHRASE: Final = _WORDS(
    r"cipher header invalid|CryptoError: unable to flush|key/value found outside of section"
)
_NO_SPACE_WORDS: Final = _WORDS(r"[^\n]*(?:No space left|ENOSPC|InsufficientStorage)[^\n]*")
_FAILING: Final = _WORDS(r"(?:failed with |\[)5\d\d\b")
_AWAY: Final = _WORDS(
    r"unable to connect|timeout|timed out|unexpected eof|connection (?:refused|reset)"
    r"|unable to get address|no answer within|HostConnectError|unreachable"
)
_NO_DATABASE: Final = _WORDS(r"unable to find primary cluster|unable to check pg\d|DbConnectError")
_STORE_DATE: Final = re.compile(r"^\s*date: (.+GMT)\s*$", re.MULTILINE)


def explain(destination: Destination, what: str, answer: Answer) -> DestinationError:
    """Return what the answer of a failed call means."""
    code, text = answer.fault
    return meaning(destination, what, code, f"{text}\n{answer.errors}", at=answer.at)


def meaning(
    destination: Destination, what: str, code: int, text: str, *, at: float = 0.0
) -> DestinationError:
    """Return what an error of the engine means: its words first, else its number.

    `at` is when it happened by our clock: stores tell theirs, and a refusal may be about that.
    """
    where = f"{destination.name}: {what}"
    offset = _offset_s(text, at)
    if offset is not None and abs(offset) > SKEW_LIMIT_S and _DENIED.search(text):
        way = "ahead of" if offset > 0 else "behind"
        told = f"this machine's clock is {abs(offset) / 60:.1f} min {way} the store's"
        return DestinationClockError(f"{where}: {told}")
    error, told = _kind(code, text)
    first = _first_words(text)[:_SHOWN]
    return error(f"{where}: {told or first or f'ended with {code}'}")


def _first_words(text: str) -> str:
    """Return the first line that says something: some only say that others follow."""
    lines = [line.strip() for line in text.strip().splitlines()]
    return next((line for line in lines if line and not line.endswith("error(s):")), "")


def _offset_s(text: str, at: float) -> float | None:
    found = _STORE_DATE.search(text)
    if found is None or not at:
        return None
    try:
        return at - parsedate_to_datetime(found[1]).timestamp()
    except ValueError:
        return None


def _kind(code: int, text: str) -> tuple[type[DestinationError], str]:
    for pattern, error, told in _BY_WORDS:
        found = pattern.search(text)
        if found:
            return error, told or found[0].strip()[:_SHOWN]
    return _BY_CODE.get(code, (DestinationError, ""))


_BY_WORDS: Final = (
    (_SKEW, DestinationClockError, "this machine's clock is more than 5 min from the store's"),
    (_NO_BUCKET, BucketMissingError, "its bucket is not there"),
    (_DENIED, DestinationDeniedError, "the credentials were not accepted"),
    (_CERTIFICATE, DestinationCertificateError, ""),
    (_PASSPHRASE, PassphraseError, "the passphrase does not open what is there"),
    (_NO_SPACE_WORDS, DiskFullError, ""),
    (_NO_DATABASE, DatabaseAwayError, "the database does not answer, or takes no writes"),
    (_FAILING, DestinationFailingError, "it answers with errors of its own"),
    (_AWAY, DestinationUnreachableError, "it did not answer"),
)
_BY_CODE: Final[dict[int, tuple[type[DestinationError], str]]] = {
    _CRYPTO: (PassphraseError, "the passphrase does not open what is there"),
    _LOCK: (LockedError, "another run has it in hand"),
    _NO_SPACE: (DiskFullError, ""),
    _TERMINATED: (EngineInterruptedError, "it was ended from outside"),
    _ARCHIVE_COMMAND: (ArchivingError, "archive_command does not name pgbackrest"),
    _ARCHIVE_MODE: (ArchivingError, "archive_mode is off"),
    _ARCHIVE_TIMEOUT: (ArchivingError, "the log that the backup needs did not arrive in time"),
}
