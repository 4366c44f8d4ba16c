"""What the demonstration needs before it begins: a stack that runs, and eyes on it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from msgspec import Struct

from abops.clients.alerts_api import AlertsApi
from abops.clients.fault_panel import FaultPanel
from abops.clients.inbox import Inbox
from abops.clients.prometheus import Prometheus
from abops.clients.silences import Silences
from abops.kernel.clock import Clock
from abops.kernel.errors import OpsError
from abops.stack.keeper import PartStatus
from abops.stack.layout import find_layout
from abops.stack.lifecycle import bring_up
from abops.stack.site import Site, load_site
from abops.workflows.demo import Observers
from abops.workflows.demo_channels import TEST_ALERT
from abops.workflows.demo_faults import ALWAYS_HEARD, SHOWN, Injector

SILENT_AT_MOST = timedelta(hours=6)
SILENT_AFTER = timedelta(hours=2)
NEEDED = frozenset(
    {
        *("postgres", "redis", "api", "bot", "worker", "beat", "traffic", "control"),
        *("telegram-stub", "prometheus", "alertmanager", "blackbox", "alerts", "channels"),
        *("postgres-exporter", "redis-exporter"),
    }
)


class SceneError(OpsError):
    """The stack does not run as far as the demonstration needs it."""

    hint = "See `abops stack status` and `abops stack logs PART`."


class Scene(Struct, frozen=True):
    """The stack, the eyes on it, and the hand that breaks it."""

    site: Site
    observers: Observers
    injector: Injector


@contextmanager
def aftermath_silenced(scene: Scene, clock: Clock) -> Iterator[None]:
    """Silence in Alertmanager what is not shown: while the block runs, and two hours after it.

    Budgets go on burning after a fault, and their incident would take in the next fault's alert:
    a second demonstration would wait for a page that is no news.
    """
    silences = Silences(scene.site.url("alertmanager"))
    heard = (*SHOWN, *ALWAYS_HEARD, TEST_ALERT)
    now = clock.now()
    silence = silences.all_but(heard, since=now, until=now + SILENT_AT_MOST)
    try:
        yield
    finally:
        now = clock.now()
        silences.all_but(heard, since=now, until=now + SILENT_AFTER)
        silences.end(silence)
        silences.close()


def set_the_scene(clock: Clock, *, report: Callable[[PartStatus], None]) -> Scene:
    """Start the stack when it does not run; return it with its observers."""
    layout = find_layout()
    statuses = bring_up(layout, clock, report=report)
    lacking = [s.part for s in statuses if s.part in NEEDED and s.state != "ready"]
    if lacking:
        raise SceneError(f"not running: {', '.join(lacking)}")
    site = load_site(layout)
    observers = Observers(
        Prometheus(site.url("prometheus")),
        AlertsApi(site.url("alerts"), token=site.secret("respond")),
        Inbox(site.url("channels-inbox")),
    )
    return Scene(site, observers, Injector(layout, FaultPanel(site.url("control"))))
