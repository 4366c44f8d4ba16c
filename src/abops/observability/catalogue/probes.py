"""Group `probes`: what pages at once because a tier-1 part is gone or only says no.

Each expression looks at 15 s of samples taken every 5 s: two bad ones of three fire. With the
evaluation every 5 s, the grouping of 1 s and the delivery, a page is out within 30 s.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from abops.inventory.model import Inventory
from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.targets import Job, jobs

GROUP = "probes"
HALF = 0.5
"""Two bad samples of three: one lost packet is not an outage, fifteen seconds are."""

SEEN_FOR_A_MINUTE = 'time() - process_start_time_seconds{job="prometheus"} >= 60'
"""Prometheus has run for a minute and has scraped itself: before that, everything is absent."""

STARTED = 'process_start_time_seconds{job="prometheus"}'

_PROBED = {"service": "api", "env": "local", "team": "dev"}
_LOOK = """\
```
abops stack status
abops stack logs {part} -n 50
```
"""


def probe_alerts(inventory: Inventory) -> tuple[Alert, ...]:
    """Return the alerts of the group, for the parts that the inventory names."""
    return (
        _probe_failed(),
        *(_target_vanished(job) for job in jobs(inventory) if _must_not_vanish(job)),
        *_error_storms(inventory),
        *_stores_down(inventory),
    )


def _must_not_vanish(job: Job) -> bool:
    # The alert service's own absence cannot be told through itself: see AlertServiceDown.
    return job.tier == 1 and job.name != "abops-alerts"


def _seconds(count: int) -> timedelta:
    return timedelta(seconds=count)


_PROBE_FAILED_RUNBOOK: Final = Runbook(
    meaning=(
        "Seen from outside, the health check of this service failed twice in a row: no"
        " connection, no answer within 3 s, or a status other than 2xx. The bot's health"
        " check also fails when its last successful poll of Telegram is too old."
    ),
    diagnosis=(
        _LOOK.format(part="SERVICE") + "\nAsk it yourself, and see what the probe saw:\n\n```\n"
        "curl -si http://ADDRESS/health\n"
        'curl -s "http://BLACKBOX/probe?target=http://ADDRESS/health&module=http_2xx&debug=true"\n'
        "```\nFor the bot, look for `409` (a second poller) and `401` (a revoked token) in"
        " its log."
    ),
    mitigation=(
        "Restart the part; it comes back within seconds:\n\n```\n"
        "abops stack restart SERVICE\n```\n"
        "If it stops again at once, its last log lines say why. If a deploy came just"
        " before, roll it back."
    ),
)


def _probe_failed() -> Alert:
    series = (
        'probe_success{job="probes",service="api",env="local",tier="1",team="dev",'
        'instance="a/health"}'
    )
    return Alert(
        name="ProbeFailed",
        group=GROUP,
        severity="critical",
        expr='avg_over_time(probe_success{tier="1"}[15s]) < {threshold}',
        threshold=HALF,
        unit="ratio",
        reason="Two failed probes of the last three, five seconds apart.",
        summary="{{ $labels.service }} does not answer its health check",
        impact="People cannot use what {{ $labels.service }} serves.",
        labels={"component": "probe", "category": "availability", "tier": "1"},
        runbook=_PROBE_FAILED_RUNBOOK,
        cases=(
            Case(
                "probes fail",
                {series: "1 1 1 1 0 0 0"},
                _seconds(30),
                (
                    Fired(
                        {**_PROBED, "job": "probes", "instance": "a/health"},
                        "api does not answer its health check",
                    ),
                ),
            ),
            Case("one failed probe is not an outage", {series: "1 1 1 1 0 1 1"}, _seconds(25)),
            Case("healthy", {series: "1x10"}, _seconds(40)),
            *_mean_cases(
                {series: "{}"},
                Fired(
                    {**_PROBED, "job": "probes", "instance": "a/health"},
                    "api does not answer its health check",
                ),
            ),
            Case(
                "a part of tier 2 does not page",
                {series.replace('"1"', '"2"'): "0x10"},
                _seconds(40),
            ),
            Case("no data", {}, _seconds(40)),
        ),
    )


def _mean_cases(series: dict[str, str], fired: Fired) -> tuple[Case, ...]:
    """Return the cases that hold the mean of 15 s and its limit in their places.

    `series` has `{}` where the history belongs. Means just beside the limit do not come from
    samples of 0 and 1; they stand for any number of samples.
    """

    def told(values: str) -> dict[str, str]:
        return {name: value.replace("{}", values) for name, value in series.items()}

    return (
        Case("its mean is just under the limit", told("0.45x10"), _seconds(40), (fired,)),
        Case("its mean is just over the limit", told("0.55x10"), _seconds(40)),
        Case("two of the last three failed", told("1 1 0 0 1 0"), _seconds(25), (fired,)),
        Case("it failed before, not now", told("0 0 0 0 1 1 1"), _seconds(30)),
    )


def _target_vanished(job: Job) -> Alert:
    up = f'up{{job="{job.name}"}}'
    series = f'up{{job="{job.name}",service="{job.service}",env="local",instance="a"}}'
    fired = Fired({"env": "local"}, f"{job.name} has not been scraped for 15 s")
    absent = Fired({}, fired.summary)
    return Alert(
        name="TargetVanished",
        instance=job.name,
        group=GROUP,
        severity="critical",
        expr=(
            f"(max by (env) (avg_over_time({up}[15s])) < {{threshold}}"
            f" or max without (job) (absent_over_time({up}[15s])))"
            f" and on () ({SEEN_FOR_A_MINUTE})"
        ),
        threshold=HALF,
        unit="ratio",
        reason="Two failed scrapes of three, or no target at all; not in Prometheus' first minute.",
        summary=f"{job.name} has not been scraped for 15 s",
        impact=f"{job.service} is gone, or nobody can see how it does.",
        labels={
            "component": "scrape",
            "category": "availability",
            "tier": str(job.tier),
            "team": job.team,
            "service": job.service,
            "scrape_job": job.name,
        },
        runbook=Runbook(
            meaning=(
                "Prometheus cannot read the metrics of a tier-1 job: the process is gone, hangs,"
                " or its target was taken out of the configuration."
            ),
            diagnosis=(
                _LOOK.format(part="SERVICE") + "\nWhat Prometheus saw last:\n\n```\n"
                "curl -s http://PROMETHEUS/api/v1/targets | jq '.data.activeTargets[]"
                ' | select(.health!="up") | {job: .labels.job, lastError}\'\n```\n'
                "No target at all means a missing file in `targets/`."
            ),
            mitigation=(
                "```\nabops stack restart SERVICE\n```\nIf the target file is missing,"
                " `abops stack up` writes it anew."
            ),
        ),
        cases=(
            Case(
                "scrapes fail",
                {series: "1 1 1 1 0 0 0", STARTED: "-600x10"},
                _seconds(30),
                (fired,),
            ),
            *vanished_cases(series, fired, absent),
        ),
    )


def vanished_cases(series: str, fired: Fired, absent: Fired) -> tuple[Case, ...]:
    """Return the cases of a job whose scrapes fail (`fired`) or that has no target (`absent`)."""
    up = {STARTED: "-600x20"}
    other = 'up{job="another",service="another",env="local",instance="a"}'
    return (
        Case("one failed scrape", {series: "1 1 1 1 0 1 1", **up}, _seconds(25)),
        Case("healthy", {series: "1x10", **up}, _seconds(40)),
        *_mean_cases({series: "{}", **up}, fired),
        Case("no target", {STARTED: "-28x10"}, _seconds(40), (absent,)),
        Case("its target was taken away", {series: "1x3 _x10", **up}, _seconds(35), (absent,)),
        Case("its last sample is 10 s old", {series: "1x3 _x10", **up}, _seconds(25)),
        Case("another job does not stand in", {other: "1x10", **up}, _seconds(40), (absent,)),
        Case("Prometheus has just started", {STARTED: "-12x10"}, _seconds(40)),
        Case(
            "Prometheus has just started, others have not",
            {STARTED: "-12x10", STARTED.replace("prometheus", "other"): "-600x10"},
            _seconds(40),
        ),
        Case("Prometheus has scraped nothing yet", {}, _seconds(5)),
    )


def _error_storms(inventory: Inventory) -> Iterator[Alert]:
    for service in inventory.services:
        if service.kind == "fastapi":
            yield _error_storm(service.name, service.team)


def _error_storm(service: str, team: str) -> Alert:
    metric = "http_server_request_duration_seconds_count"
    job = f'job="analyticbot-{service}"'
    errors = (
        f'sum by (env, service) (rate({metric}{{{job},http_response_status_code=~"5.."}}[20s]))'
    )
    total = f"sum by (env, service) (rate({metric}{{{job}}}[20s]))"

    def counts(code: str) -> str:
        return (
            f'{metric}{{{job},service="{service}",env="local",http_response_status_code="{code}"}}'
        )

    return Alert(
        name="ApiErrorStorm",
        group=GROUP,
        severity="critical",
        expr=f"{errors} / ({total} > 0) > {{threshold}} and {errors} > 1",
        threshold=HALF,
        unit="ratio",
        reason="Most answers of the last 20 s are errors, and more than one each second.",
        summary=(
            "{{ $labels.service }} answers {{ $value | humanizePercentage }} of its requests"
            " with 5xx"
        ),
        impact="Most requests fail: pages stay empty, posts cannot be scheduled.",
        labels={"component": "http", "category": "errors", "tier": "1", "team": team},
        runbook=Runbook(
            meaning=(
                "More than half of the requests of the last 20 s were answered with 5xx, at more"
                " than one a second. The process itself is alive."
            ),
            diagnosis=(
                "Which route, and what the service says:\n\n```\n"
                'abops stack logs api -n 100 | grep \'"log.level":"error"\'\n'
                "curl -s http://ADDRESS/ready\n```\n"
                "`/ready` names a store that does not answer: then PostgresDown or RedisDown is the"
                " incident to look at. All routes without a store: look for the last deploy."
            ),
            mitigation=(
                "Mend the store first if one is down: `abops stack restart postgres` or"
                " `abops stack restart redis`. After a deploy: roll it back. Otherwise restart the"
                " service: `abops stack restart api`."
            ),
        ),
        cases=_storm_cases(service, counts("503"), counts("200")),
    )


def _storm_cases(service: str, bad: str, good: str) -> tuple[Case, ...]:
    fired = Fired({"env": "local", "service": service})
    all_ = Fired(fired.labels, f"{service} answers 100% of its requests with 5xx")
    return (
        Case(
            "just above the threshold",
            {bad: "0+11x10", good: "0+9x10"},
            _seconds(50),
            (Fired(fired.labels, f"{service} answers 55% of its requests with 5xx"),),
        ),
        Case("just below the threshold", {bad: "0+9x10", good: "0+11x10"}, _seconds(50)),
        Case("at the threshold", {bad: "0+10x10", good: "0+10x10"}, _seconds(50)),
        Case("healthy", {good: "0+20x10"}, _seconds(50)),
        Case("all fail, but hardly anybody asks", {bad: "0+4.5x10"}, _seconds(50)),
        Case("all fail, a little more than one a second", {bad: "0+5.5x10"}, _seconds(50), (all_,)),
        Case(
            "it began 25 s ago",
            {bad: "0x8 12+12x10", good: "0+20x8 168+8x10"},
            _seconds(65),
            (Fired(fired.labels, f"{service} answers 60% of its requests with 5xx"),),
        ),
        Case("it began 10 s ago", {bad: "0x8 10+10x10", good: "0+30x8 240x10"}, _seconds(50)),
        Case(
            "another job",
            {
                bad.replace(service, "another"): "0+11x10",
                good.replace(service, "another"): "0+9x10",
            },
            _seconds(50),
        ),
        Case("no traffic", {bad: "7x10", good: "9x10"}, _seconds(50)),
        Case("no data", {}, _seconds(50)),
    )


class _Store:
    """What is said about one kind of store."""

    def __init__(self, name: str, metric: str, title: str, impact: str, runbook: Runbook) -> None:
        self.name, self.metric, self.title = name, metric, title
        self.impact, self.runbook = impact, runbook


_STORES = {
    "postgres": _Store(
        "PostgresDown",
        "pg_up",
        "PostgreSQL",
        "The API answers 503, the bot cannot read its channels, nothing is stored.",
        Runbook(
            meaning=(
                "The exporter cannot log in to PostgreSQL: the server is down, starting, or full."
            ),
            diagnosis=(
                _LOOK.format(part="postgres") + "\n```\npg_isready -h HOST -p PORT\ndf -h\n```\n"
                "`the database system is starting up` means recovery: wait for it. `No space left`"
                " means the disk; `too many clients` means connections."
            ),
            mitigation=(
                "```\nabops stack restart postgres\n```\nNever delete `postmaster.pid` while a"
                " process of that number lives, and nothing under `pg_wal` at all. If the server"
                " does not start from its own data, restore from backup."
            ),
        ),
    ),
    "redis": _Store(
        "RedisDown",
        "redis_up",
        "Redis",
        "No task is queued or run: posts are late; the API has no cache.",
        Runbook(
            meaning="The exporter cannot talk to Redis: the server is down or loads its data.",
            diagnosis=(
                _LOOK.format(part="redis") + "\n```\nredis-cli -h HOST -p PORT ping\n"
                "redis-cli -h HOST -p PORT info persistence\n```\n`LOADING` means that it reads its"
                " append-only file: wait. `MISCONF` means that it cannot write to disk."
            ),
            mitigation=(
                "```\nabops stack restart redis\n```\nThe worker and beat connect again by"
                " themselves within seconds. If the append-only file is broken:"
                " `redis-check-aof --fix`, then start again."
            ),
        ),
    ),
}


def _stores_down(inventory: Inventory) -> Iterator[Alert]:
    for store in inventory.stores:
        if store.kind in _STORES and store.tier == 1:
            yield _store_down(_STORES[store.kind], store.name, store.team)


def _store_down(kind: _Store, service: str, team: str) -> Alert:
    up = f'{kind.metric}{{job="{service}"}}'
    series = f'{kind.metric}{{job="{service}",service="{service}",env="local",instance="a"}}'
    fired = Fired({"env": "local", "service": service}, f"{kind.title} does not answer")
    return Alert(
        name=kind.name,
        group=GROUP,
        severity="critical",
        expr=f"min by (env, service) (avg_over_time({up}[15s])) < {{threshold}}",
        threshold=HALF,
        unit="ratio",
        reason="Two failed connections of three, five seconds apart.",
        summary=f"{kind.title} does not answer",
        impact=kind.impact,
        labels={"component": service, "category": "availability", "tier": "1", "team": team},
        runbook=kind.runbook,
        cases=(
            Case("down", {series: "1 1 1 1 0 0 0"}, _seconds(30), (fired,)),
            Case("one failed connection", {series: "1 1 1 1 0 1 1"}, _seconds(25)),
            Case("healthy", {series: "1x10"}, _seconds(40)),
            *_mean_cases({series: "{}"}, fired),
            Case(
                "another job", {series.replace(f'"{service}"', '"another"'): "0x10"}, _seconds(40)
            ),
            Case("no data", {}, _seconds(40)),
        ),
    )
