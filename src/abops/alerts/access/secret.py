"""Passwords and the secrets that stand for a person or a program.

A password is guessed, so its hash is slow: scrypt with 32 MiB, about a tenth of a second. A
token, a session and an invitation are 256 random bits, which nobody guesses: their SHA-256 is
enough, and it can be looked up.
"""

import base64
import hashlib
import hmac
import secrets
from typing import Final

from abops.kernel.errors import UsageError

SHORTEST: Final = 12
LONGEST: Final = 256
_N: Final = 2**15
_R: Final = 8
_P: Final = 1
_MEMORY: Final = 64 * 2**20
"""scrypt needs 32 MiB and a little; OpenSSL's own limit of 32 MiB refuses."""
_MARK: Final = "scrypt"


class PasswordError(UsageError):
    """The password cannot be used."""

    hint = f"Take one of {SHORTEST} to {LONGEST} characters that is used nowhere else."


def check_password(password: str, name: str = "") -> None:
    """Raise PasswordError when the password is easy to guess or too long to hash."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise PasswordError(f"the password has {len(password)} characters")
    if len(set(password)) < SHORTEST // 3 or password.casefold() == name.casefold():
        raise PasswordError("the password is easy to guess")


def hash_password(password: str, *, salt: bytes | None = None) -> str:
    """Return what is stored of a password: the way it was hashed, the salt, the hash."""
    salt = salt or secrets.token_bytes(16)
    digest = _scrypt(password, salt, _N, _R, _P)
    parts = (base64.b64encode(part).decode() for part in (salt, digest))
    return "$".join((_MARK, f"{_N},{_R},{_P}", *parts))


def verify_password(password: str, stored: str) -> bool:
    """Tell whether the password is the stored one.

    With nothing stored the work is done all the same: the time must not say who exists.
    """
    try:
        mark, numbers, salt, digest = stored.split("$")
        n, r, p = (int(number) for number in numbers.split(","))
        expected = base64.b64decode(digest)
        known = mark == _MARK
    except ValueError:
        _scrypt(password, bytes(16), _N, _R, _P)
        return False
    given = _scrypt(password, base64.b64decode(salt), n, r, p)
    return hmac.compare_digest(given, expected) and known


def draw_secret() -> str:
    """Return a new secret for a token, a session or an invitation."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """Return what is stored of a drawn secret."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare in a time that says nothing; an empty secret is never right."""
    return bool(other) and hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    content = password.encode("utf-8", "replace")[: 4 * LONGEST]
    return hashlib.scrypt(content, salt=salt, n=n, r=r, p=p, maxmem=_MEMORY, dklen=32)
