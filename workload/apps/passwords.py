"""Passwords are kept as salted scrypt hashes.

The cost is the smallest that is still a cost (a few milliseconds): this is a reference
workload on two cores, and its customers do not exist.
"""

import hashlib
import hmac
import secrets

_COST, _BLOCK, _PARALLEL, _SALT_BYTES = 2**10, 8, 1, 16


def hash_password(password: str) -> str:
    """Return salt and hash, in one string."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"{salt.hex()}${_digest(password, salt).hex()}"


def is_password(password: str, stored: str) -> bool:
    """Tell whether `password` is the one that `stored` was made from."""
    salt, _, digest = stored.partition("$")
    return hmac.compare_digest(_digest(password, bytes.fromhex(salt)).hex(), digest)


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_COST, r=_BLOCK, p=_PARALLEL)
