"""What the person who is told about an objective needs. One page serves all objectives."""

from typing import Final

from abops.observability.catalogue.alert import Runbook

_LOOK: Final = (
    "NAME is the label `slo` of the alert.\n\n```\n"
    "abops observability slo explain NAME\nabops observability slo status\n```\n"
    "`explain` says what counts as a bad event and shows the exact query; the console's page"
    " `/slo/NAME` draws its history. "
)

FAST: Final = Runbook(
    meaning=(
        "Bad events come so fast that two per cent of the month's error budget went within an hour"
        " (14.4 times too fast on the last hour and the last five minutes), or five per cent"
        " within six hours (6 times). At 14.4 times the whole budget is gone in two days, at a"
        " full outage of a 99.9 % objective in 43 minutes. It stops by itself within five (or 30)"
        " minutes of the mend."
    ),
    diagnosis=(
        f"{_LOOK}Then what fires beside it: an objective says that people are hurt, another alert"
        " of the same service mostly says why. Look for a release at the time it began.\n\n```\n"
        "abops alerts list --service SERVICE\nabops stack status\nabops stack logs SERVICE -n 100"
        "\n```"
    ),
    mitigation=(
        "If a release began it, take the release back first and look for the reason afterwards."
        " Else follow the runbook of the alert that names the cause, or restart the part:\n\n```\n"
        "abops stack restart SERVICE\n```\n"
        "If what fails is somebody else's (Telegram, a payment provider), say so to customers and"
        " acknowledge the incident."
    ),
)
SLOW: Final = Runbook(
    meaning=(
        "Bad events come at a pace that breaks the promise before the month is over: ten per cent"
        " of the budget went within a day (3 times too fast) or within three days (as fast as"
        " allowed or faster). Nobody has to get up; somebody has to look on the next working day."
    ),
    diagnosis=(
        f"{_LOOK}A slow burn is mostly one kind of event: split the bad ones by route, handler or"
        " task on the service's board, and read their errors in the logs of a bad hour."
    ),
    mitigation=(
        "File the defect with the query from `explain` and mend it before new features. If the"
        " events are bad only on paper (a client that sends nonsense, a route nobody uses), change"
        " what is counted, not the objective; see docs/how-to/define-an-slo.md."
    ),
)
EXHAUSTED: Final = Runbook(
    meaning=(
        "More went wrong within the window than the objective allows. Deployments that are no"
        " mends stop: `slo:deploy_freeze:bool` is 1 until old bad events leave the window or"
        " somebody decides otherwise."
    ),
    diagnosis=(
        f"{_LOOK}The chart of the budget shows whether one outage spent it or a slow burn. It ends"
        " when the outage is older than the window."
    ),
    mitigation=(
        "Ship mends and what makes the service more reliable. If the objective is tighter than"
        " customers need, change it in `platform.yaml` together with the people it was promised"
        " to, then run `abops render`."
    ),
)
NO_DATA: Final = Runbook(
    meaning=(
        "The series that the objective counts are missing, in an environment that Prometheus"
        " watches. No events are no problem: their counters would still be there. The service does"
        " not run, is not scraped, or its metrics have other names since a release."
    ),
    diagnosis=(
        f"{_LOOK}Is the target up, and does it still tell the metric?\n\n```\n"
        "curl -s http://PROMETHEUS/api/v1/targets | jq -r '.data.activeTargets[]"
        ' | select(.labels.service=="SERVICE") | "\\(.health) \\(.lastError)"\'\n'
        "curl -s http://SERVICE-ADDRESS/metrics | grep METRIC\n```"
    ),
    mitigation=(
        "Start the service, or take back the release that renamed the metric. A service that"
        " counts nothing until its first event after a restart mends this by itself with that"
        " event."
    ),
)
