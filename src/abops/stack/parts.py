"""All parts of the local platform, in the order in which people read them."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from abops.stack.part import Part
from abops.stack.parts_alerts import alerting
from abops.stack.parts_backup import protection
from abops.stack.parts_logs import logging
from abops.stack.parts_monitoring import monitoring
from abops.stack.parts_stores import stores
from abops.stack.parts_workload import workload
from abops.stack.programs import resolve
from abops.stack.site import Site
from abops.stack.tools import ToolMissingError


def declare_parts(site: Site) -> tuple[Part, ...]:
    """Return every part of the stack."""
    return (
        *stores(site),
        *workload(site),
        *monitoring(site),
        *logging(site),
        *alerting(site),
        *protection(site),
    )


def fingerprint(part: Part) -> str:
    """Return what tells whether a running process is still the declared one."""
    try:
        programs = resolve(part.argv)
    except ToolMissingError:
        programs = []
    declared = msgspec.json.encode((part, programs), enc_hook=str, order="deterministic")
    return hashlib.sha256(declared).hexdigest()[:16]


def version(parts: Iterable[Part]) -> str:
    """Return what tells whether a running supervisor is of this code and these parts."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    for part in parts:
        digest.update(fingerprint(part).encode())
    return digest.hexdigest()[:16]
