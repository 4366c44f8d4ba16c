"""Ending background tasks for certain.

Before Python 3.12 `asyncio.wait_for` loses a cancellation that arrives together with its result,
in our libraries as well as here. A task that goes on all the same is cancelled again.
"""

import asyncio
from collections.abc import Iterable

AGAIN_S = 0.5


async def end_tasks(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel `tasks` until every one of them has ended; what they raised is dropped."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _done, pending = await asyncio.wait(pending, timeout=AGAIN_S)
