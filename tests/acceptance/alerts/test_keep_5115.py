"""Keep #5115: a threshold counted alerts from long before."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from abops.kernel.clock import SystemClock
from support.alerts import a_body, a_service, an_alert, told
from support.channels import Channels
from support.keep import asking, settled


def begun(instance: str, ago_s: float) -> dict[str, Any]:
    """Return an alert that has fired for some time."""
    began = SystemClock().now() - timedelta(seconds=ago_s)
    return {**an_alert(instance=instance), "startsAt": began.isoformat()}


async def test_alerts_that_began_before_the_window_do_not_count(
    channels: Channels, tmp_path: Path
) -> None:
    async with a_service(channels, tmp_path, routing=asking(3, within_s=60)) as service:
        await service.ingest(a_body(begun("a", 300), begun("b", 200)))
        await service.ingest(a_body(begun("c", 1), begun("d", 0)))
        await settled(service, 4)
        assert () == await service.incidents()
        await service.ingest(a_body(begun("e", 0)))
        detail = await told(service, 1, ("pd", "open"))
    assert 5 == detail.summary.alerts  # the others are part of it all the same
