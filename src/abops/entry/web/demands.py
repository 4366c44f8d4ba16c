"""What each address demands of who asks for it. What is not in the table, only admins reach.

A route that is added tomorrow is closed until somebody writes here whom it is for.
"""

import re
from typing import Final

from abops.alerts.access.roles import Ability

SAFE: Final = frozenset({"GET", "HEAD"})
_SAID: Final = frozenset({"POST", "DELETE"})
_OPEN: Final = frozenset({"/healthz", "/readyz", "/metrics", "/login"})
_OPEN_BELOW: Final = ("/static/", "/invitation/", "/letters/", "/v1/callbacks/")
"""Callbacks and letters carry a signature of their own, invitations the secret of their link."""
_INTAKE: Final = re.compile(
    r"/v1/(alertmanager|grafana|generic|kubernetes-events|changes|heartbeat/[a-z-]+)|/api/v2/alerts"
)
_ADMIN: Final = re.compile(r"/(v1/)?(users|tokens|audit)(/.*)?")
_ANYBODY: Final = re.compile(
    r"/logout|/v1/me/.*|/on-call/code|/preferences/[a-z]+|/api/dashboards/[^/]+/query"
)
"""Asked with POST, though nothing of the platform changes."""
_RESPOND: Final = re.compile(
    r"/(v1/)?incidents/[^/]+/(ack|unack|note|notes|assign|silence|resolve|noise|label)"
    r"|/incidents/ack|/(v1/)?silences(/.*)?|/v1/train|/v1/reconcile"
)
_OPERATE: Final = re.compile(
    r"/v1/train|/(v1/)?incidents/[^/]+/(merge|split)|/v1/windows(/.*)?|/maintenance(/.*)?"
)


def is_open(path: str) -> bool:
    """Tell whether everybody may ask for this address."""
    return path in _OPEN or path.startswith(_OPEN_BELOW)


def demand_of(method: str, path: str) -> Ability:
    """Return what somebody has to be able to do to make this request."""
    if _ADMIN.fullmatch(path):
        return "administer"
    if method in SAFE or (method in _SAID and _ANYBODY.fullmatch(path)):
        return "read"
    if method == "POST" and _INTAKE.fullmatch(path):
        return "ingest"
    if _RESPOND.fullmatch(path):
        return "respond"
    return "operate" if _OPERATE.fullmatch(path) else "administer"
