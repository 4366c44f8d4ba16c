"""Signed tokens: who it is, until when, and a signature over both. Nothing is stored."""

import base64
import hashlib
import hmac
import secrets

from apps import clock

LASTS_S = 3600


class TokenError(Exception):
    """The token is not accepted; `reason` is the label of the metric."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TokenSigner:
    """Makes and reads tokens."""

    def __init__(self, secret: str) -> None:
        self._key = (secret or secrets.token_hex(32)).encode()

    def issue(self, user_id: int) -> str:
        """Return a token that lasts for an hour."""
        claim = f"{user_id}.{int(clock.epoch_s()) + LASTS_S}"
        return f"{claim}.{self._sign(claim)}"

    def read(self, token: str) -> int:
        """Return the user's id; raise TokenError when the token is not ours or too old."""
        claim, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._sign(claim).encode(), signature.encode()):
            raise TokenError("bad_token")
        user_id, _, until = claim.partition(".")
        if int(until) < clock.epoch_s():
            raise TokenError("expired_token")
        return int(user_id)

    def _sign(self, claim: str) -> str:
        digest = hmac.new(self._key, claim.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
