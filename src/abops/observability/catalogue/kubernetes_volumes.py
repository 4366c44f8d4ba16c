"""Volumes: when they will be full, and whether they are."""

from datetime import timedelta
from typing import Final

from abops.observability.catalogue.alert import Alert, Case, Fired, Runbook
from abops.observability.catalogue.cases import Timing, around, labelled, steady
from abops.observability.catalogue.commands import shell
from abops.observability.catalogue.kubernetes_place import BOARD, GROUP, Cluster
from abops.observability.catalogue.wording import percent

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_BY: Final = "env, namespace, persistentvolumeclaim"
_CLAIM: Final = {"env": "local", "namespace": "analyticbot", "persistentvolumeclaim": "data-pg-0"}
_FREE: Final = "kubelet_volume_stats_available_bytes"
_SIZE: Final = "kubelet_volume_stats_capacity_bytes"
_SHARE: Final = f"min by ({_BY}) ({_FREE} / ({_SIZE} > 0))"

_LOOK: Final = shell(
    "kubectl get pvc PVC -n NAMESPACE",
    "kubectl get pods -n NAMESPACE -o json |"
    " jq -r '.items[] | select(any(.spec.volumes[]?;"
    ' .persistentVolumeClaim.claimName=="PVC")).metadata.name\'',
    "kubectl exec POD -n NAMESPACE -- df -h",
    "kubectl exec POD -n NAMESPACE -- du -xh --max-depth=2 MOUNTPOINT | sort -rh | head",
)
_GROW: Final = shell(
    "kubectl get storageclass     # ALLOWVOLUMEEXPANSION must be true",
    "kubectl patch pvc PVC -n NAMESPACE -p"
    ' \'{"spec":{"resources":{"requests":{"storage":"NEWSIZE"}}}}\'',
    "kubectl get pvc PVC -n NAMESPACE -w     # until CAPACITY shows it",
)
_NEVER: Final = (
    "\nA volume never shrinks again, so add a half, not ten times. Never remove files under"
    " `pg_wal` or `base`, and never delete the claim: with `Delete` as reclaim policy the data"
    " go with it."
)


def volume_alerts(where: Cluster) -> tuple[Alert, ...]:
    """Return the alerts about volumes."""
    return (_will_fill(where), _full(where))


def _will_fill(where: Cluster) -> Alert:
    lead, step = 4 * _DAY, 7 * _MINUTE
    return Alert(
        name="KubePvcFilling",
        instance="warning",
        group=GROUP,
        severity="warning",
        expr=(
            f"min by ({_BY}) (predict_linear({_FREE}[1d], {{threshold}})) < 0"
            f" and {_SHARE} < 0.5 and max by ({_BY}) ({_SIZE} offset 1d)"
        ),
        threshold=lead.total_seconds(),
        unit="s (4 d) until it is full",
        hold=_HOUR,
        reason=(
            "Four days: a long weekend. The line goes through a whole day, so that the nightly"
            " backup is no trend, and waits until there is one; a volume that is more than half"
            " empty may fill for a while."
        ),
        summary="{{ $labels.persistentvolumeclaim }} will be full within four days",
        impact="None yet; when it is full, what writes there stops: PostgreSQL, Redis, Prometheus.",
        labels=where.own_labels("saturation"),
        board=BOARD,
        step=step,
        runbook=Runbook(
            meaning=(
                "If free space goes on shrinking as in the last 24 hours, there is none left in"
                " four days; as a page: hardly any is left now."
            ),
            diagnosis=_LOOK + "\nUsual suspects: `pg_wal` (PostgresSlotInactive,"
            " PostgresWalArchiveFailing), a retention that is too long, dumps that nobody removes.",
            mitigation="Mend what grows, or give it room; nothing has to stop for it:\n\n"
            + _GROW
            + _NEVER,
        ),
        cases=_will_fill_cases(
            lead, step, Fired(_CLAIM, "data-pg-0 will be full within four days")
        ),
    )


def _will_fill_cases(lead: timedelta, step: timedelta, fired: Fired) -> tuple[Case, ...]:
    """Return histories of free space, one sample every seven minutes.

    The bytes do not matter: one step of falling loses one byte.
    """
    begin = int(_DAY / step) + 60
    due = (begin + 9) * step  # the first evaluation after an hour
    day, half = int(_DAY / step), int(_DAY / step / 2)

    def history(free: str, size: str) -> dict[str, str]:
        return labelled(_FREE, free, _CLAIM) | labelled(_SIZE, size, _CLAIM)

    def falling(share: float) -> int:
        """Return the space at first that ends `share` of the lead after `due`."""
        return int((share * lead + due) / step)

    def of(free: int) -> str:
        return f"{free}-1x500"

    soon, late = falling(0.9), falling(1.1)
    half_full = steady(2 * (soon - begin + 1), 500)  # one half is used from `begin` on
    half_empty = steady((soon - begin - 9) / 0.55, 500)
    large = steady(10 * day, 900)
    late_fall = f"{4 * day}x{2 * day} {4 * day}-1x{day}"
    early_fall = f"{2 * day}x{half} {2 * day}-1x{half} {2 * day - half}x{half}"
    return (
        Case("full within the lead", history(of(soon), half_full), due, (fired,)),
        Case("not before its hold", history(of(soon), half_full), due - step),
        Case("full after the lead", history(of(late), large), due),
        Case("full at last, but half empty", history(of(soon), half_empty), due),
        Case("it falls since a day", history(late_fall, large), (3 * day + 1) * step, (fired,)),
        Case("the whole day counts", history(early_fall, large), (3 * half + 1) * step, (fired,)),
        Case(
            "seen for half a day only",
            history(of(soon), f"_x{half} {10 * day}x500"),
            due,
        ),
        Case("space comes back", history(f"{day}+1x400", large), due),
        Case("size unknown", labelled(_FREE, of(soon), _CLAIM), due),
        Case("no data", {}, due),
    )


def _full(where: Cluster) -> Alert:
    limit, hold = 0.05, _MINUTE

    def history(share: float) -> dict[str, str]:
        size = labelled(_SIZE, steady(1e9), _CLAIM)
        return size | labelled(_FREE, steady(share * 1e9), _CLAIM)

    return Alert(
        name="KubePvcFilling",
        instance="critical",
        group=GROUP,
        severity="critical",
        expr=f"{_SHARE} < {{threshold}}",
        threshold=limit,
        unit="of the volume free",
        hold=hold,
        reason="Five per cent are minutes of write-ahead log at full load.",
        summary=(
            "{{ $labels.persistentvolumeclaim }} has {{ $value | humanizePercentage }} of its"
            " space left"
        ),
        impact="What writes there stops within minutes: PostgreSQL, Redis, Prometheus.",
        labels=where.own_labels("saturation", 1),
        board=BOARD,
        runbook=Runbook(
            meaning="Hardly any space is left in the volume.",
            diagnosis=_LOOK,
            mitigation="Give it room first; it takes a minute:\n\n" + _GROW + _NEVER,
        ),
        cases=(
            *around(
                limit,
                history,
                lambda v: Fired(_CLAIM, f"data-pg-0 has {percent(v)} of its space left"),
                below=True,
                timing=Timing(hold),
            ),
            Case(
                "a volume without a size",
                labelled(_FREE, "0x50", _CLAIM) | labelled(_SIZE, "0x50", _CLAIM),
                2 * hold,
            ),
            Case("size unknown", labelled(_FREE, "0x50", _CLAIM), 2 * hold),
        ),
    )
