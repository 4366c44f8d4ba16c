"""The log path: OpenSearch that keeps the lines, rsyslog that ships them, and who looks after both.

Off unless asked for (`abops stack up --logs`): the store alone takes as much memory as all of
the workload.
"""

from abops.stack.layout import INVENTORY_FILE
from abops.stack.part import HttpCheck, Part, Tool
from abops.stack.programs import ABOPS
from abops.stack.site import ENVIRONMENT, Site
from abops.stack.tools import ToolMissingError, find_tool

LOST = "no searchable logs: the lines stay in their files, `abops stack logs PART` shows them"


def logging(site: Site) -> tuple[Part, ...]:
    """Return the parts of the log path; without their programs only who says what is lost."""
    if not site.logs:
        return ()
    missing = tuple(part for part in (_opensearch(site), _rsyslog(site)) if not _is_there(part))
    return missing or (_opensearch(site), _setup(site), _rsyslog(site), _keeper(site))


def _is_there(part: Part) -> bool:
    try:
        for word in part.argv:
            if isinstance(word, Tool):
                find_tool(word.name)
    except ToolMissingError:
        return False
    return True


def _opensearch(site: Site) -> Part:
    return Part(
        name="opensearch",
        argv=(
            Tool("opensearch"),
            str(site.data("opensearch")),
            str(site.port("opensearch")),
            str(site.port("opensearch-transport")),
        ),
        check=HttpCheck(site.port("opensearch"), "/_cluster/health"),
        start_timeout_s=120.0,
        stop_grace_s=20.0,
        url=site.url("opensearch"),
        without=LOST,
        memory_mib=768,
    )


def _abops(site: Site, *words: str) -> tuple[str, ...]:
    return (
        *(str(ABOPS), "observability", "logs", *words),
        *("--logs", site.url("opensearch")),
        *("--inventory", str(site.layout.root / INVENTORY_FILE)),
    )


def _setup(site: Site) -> Part:
    return Part(
        name="logs-setup",
        argv=_abops(site, "setup"),
        cwd=site.layout.root,
        depends_on=("opensearch",),
        runs_once=True,
        without=LOST,
    )


def _rsyslog(site: Site) -> Part:
    return Part(
        name="rsyslog",
        argv=(
            *(Tool("rsyslogd"), "-n", "-f", str(site.layout.config / "rsyslog.conf")),
            *("-i", str(site.data("rsyslog") / "rsyslogd.pid")),
        ),
        # The pipeline must be there before the first line: it masks.
        depends_on=("logs-setup",),
        without=LOST,
        memory_mib=64,
    )


def _keeper(site: Site) -> Part:
    return Part(
        name="logs-keeper",
        argv=(
            *_abops(site, "keep"),
            *("--folder", str(site.layout.logs), "--env", ENVIRONMENT),
            *("--dead-letters", str(site.data("rsyslog") / "dead-letter.jsonl")),
            *("--metrics", str(site.data("node-exporter") / "logs.prom")),
        ),
        cwd=site.layout.root,
        depends_on=("logs-setup",),
        without="nobody compares the log store with the files, or keeps it small",
        memory_mib=96,
    )
