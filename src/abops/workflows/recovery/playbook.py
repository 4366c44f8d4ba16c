"""The playbook as it stands on its page: what to type in which disaster, and what it may cost.

The page is the only place where the lines are written, so that what is rehearsed is what a person
would type. A page that cannot be read as expected is an error, never an empty rehearsal.
"""

import re
from typing import Final

from msgspec import Struct

from abops.kernel.errors import OpsError

PAGE: Final = "docs/DISASTER_RECOVERY_PLAYBOOK.md"
_SECTION: Final = re.compile(r"^## Scenario (\d+): (.+)$", re.MULTILINE)
_BLOCK: Final = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COST: Final = re.compile(r"^RTO (\d+) (h|min), RPO (\d+)(?: (h|min))?\.", re.MULTILINE)
_SECONDS: Final = {"h": 3_600.0, "min": 60.0, "": 1.0, None: 1.0}


class PlaybookError(OpsError):
    """The playbook cannot be read."""

    hint = f"It is {PAGE}: sections `## Scenario N: ...`, each with a block of commands."


class Scenario(Struct, frozen=True, kw_only=True):
    """One disaster of the page."""

    number: int
    title: str
    lines: tuple[str, ...]
    """What is typed."""
    back: tuple[str, ...] = ()
    """What is typed later, when what was lost is there again."""
    rto_s: float | None = None
    rpo_s: float | None = None
    """What it may cost; None where the page names no target of its own."""


def read_playbook(text: str) -> dict[int, Scenario]:
    """Return the scenarios of the page by number. Raises PlaybookError."""
    heads = [*_SECTION.finditer(text)]
    if not heads:
        raise PlaybookError("the page has no scenario")
    ends = [head.start() for head in heads[1:]] + [len(text)]
    found = {}
    for head, end in zip(heads, ends, strict=True):
        one = _scenario(int(head[1]), head[2].strip(), text[head.end() : end])
        found[one.number] = one
    return found


def _scenario(number: int, title: str, body: str) -> Scenario:
    blocks = [tuple(filter(None, block.splitlines())) for block in _BLOCK.findall(body)]
    if not blocks or not all(blocks):
        raise PlaybookError(f"scenario {number} has no commands")
    cost = _COST.search(body)
    return Scenario(
        number=number,
        title=title,
        lines=blocks[0],
        back=blocks[1] if len(blocks) > 1 else (),
        rto_s=int(cost[1]) * _SECONDS[cost[2]] if cost else None,
        rpo_s=int(cost[3]) * _SECONDS[cost[4]] if cost else None,
    )
