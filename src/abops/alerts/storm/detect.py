"""Telling a storm from a bad minute.

When a node dies, hundreds of alerts arrive for one cause. The detector learns how many are
normal, for each service and for each environment as a whole, and says when a storm begins and
ends. It drops nothing: only the telling changes.

A service whose storm makes up nearly all of its environment's is named alone. When many services
storm at once, the environment's storm is the one to tell: it says which storms of services it
takes in, and they end in it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Self

import msgspec
from msgspec import Struct

from abops.alerts.storm.stream import (
    StormSetting,
    Stream,
    advance,
    minute,
    threshold,
    trigger,
)

DOMINANT: Final = 0.8
"""Share of an environment's last minute at which one service's storm is the whole story."""
MOST: Final = 0.5
"""Share at which the next bin is awaited: one service may yet turn out to be the whole story."""
FORGET_AFTER_S: Final = 7 * 86_400
"""Silence after which a scope is forgotten: its baseline has long decayed to nothing."""


class Scope(Struct, frozen=True, order=True):
    """What a storm rages over: one service, or (no service) a whole environment."""

    env: str
    service: str = ""

    def __str__(self) -> str:
        """Name it as people read it."""
        return f"{self.service} in {self.env}" if self.service else f"all of {self.env}"


class StormBegan(Struct, frozen=True, tag="began"):
    """Too much came for it to be chance."""

    scope: Scope
    at: float
    rate: int
    """Alerts in the last minute."""
    baseline: float
    """Alerts a minute that were normal."""
    absorbs: tuple[Scope, ...]
    """Storms of services that were told before and are now part of this one."""
    reason: str


class StormEnded(Struct, frozen=True, tag="ended"):
    """Three quiet minutes have passed, or a wider storm took this one in."""

    scope: Scope
    at: float
    began_at: float
    alerts: int
    peak: int
    """Most alerts in one minute of it."""
    into: Scope | None
    """The wider storm that took it in. None: it is over."""
    reason: str


StormChange = StormBegan | StormEnded


class DetectorState(Struct):
    """All that a restart must not lose."""

    streams: list[tuple[Scope, Stream]] = []
    told: list[StormBegan] = []
    since_bin: int | None = None


class StormDetector:
    """Learns from each alert, in the order of their receipt, what is normal and what is a storm.

    `observe` for every alert received, `tick` every few seconds, so that storms end when nothing
    comes. Times are seconds since the epoch; one that lies in the past counts as now.
    """

    def __init__(self, setting: StormSetting | None = None) -> None:
        self.setting = setting or StormSetting()
        self._streams: dict[Scope, Stream] = {}
        self._told: dict[Scope, StormBegan] = {}
        self._since: int | None = None

    def observe(self, at: float, env: str, service: str = "") -> tuple[StormChange, ...]:
        """Count an alert and return what it changed: mostly nothing."""
        bin_ = int(at // self.setting.bin_s)
        changes: list[StormChange] = []
        whole, own = Scope(env), Scope(env, service)
        storms = self._count(whole, bin_, changes)
        if service:
            storms = self._count(own, bin_, changes) or storms
        if storms and whole not in self._told:
            self._judge(whole, own, at, changes)
        return tuple(changes)

    def tick(self, now: float) -> tuple[StormChange, ...]:
        """Let time pass: storms end, scopes silent for a week are forgotten."""
        bin_ = int(now // self.setting.bin_s)
        changes: list[StormChange] = []
        for scope, stream in list(self._streams.items()):
            if stream.began_bin is not None:
                self._advance(scope, stream, bin_, changes)
            elif (bin_ - stream.bin) * self.setting.bin_s > FORGET_AFTER_S:
                del self._streams[scope]
        return tuple(changes)

    def storm_over(self, env: str, service: str = "") -> StormBegan | None:
        """Return the storm that an alert of this service belongs to, the widest first."""
        return self._told.get(Scope(env)) or self._told.get(Scope(env, service))

    def running(self) -> tuple[StormBegan, ...]:
        """Return the storms that have been told and are not over."""
        return tuple(self._told[scope] for scope in sorted(self._told))

    def rate(self, env: str, service: str = "") -> tuple[int, float]:
        """Return the alerts of the last minute in which any came, and what is normal."""
        stream = self._streams.get(Scope(env, service))
        return (minute(stream), stream.baseline) if stream else (0, 0.0)

    def state(self) -> dict[str, Any]:
        """Return all that was learned, as JSON can hold it."""
        state = DetectorState(
            list(self._streams.items()), list(self._told.values()), since_bin=self._since
        )
        built: dict[str, Any] = msgspec.to_builtins(state)
        return built

    @classmethod
    def restore(cls, state: Mapping[str, Any], setting: StormSetting | None = None) -> Self:
        """Return a detector that goes on where the other stopped."""
        known = msgspec.convert(state, DetectorState)
        detector = cls(setting)
        detector._streams = dict(known.streams)
        detector._told = {storm.scope: storm for storm in known.told}
        detector._since = known.since_bin
        return detector

    def _count(self, scope: Scope, bin_: int, changes: list[StormChange]) -> bool:
        """Count an alert. Say whether the scope storms."""
        stream = self._streams.get(scope)
        if stream is None:
            stream = self._streams[scope] = self._new(bin_)
        if stream.bin < bin_:
            self._advance(scope, stream, bin_, changes)
        stream.count += 1
        if stream.began_bin is not None:
            stream.alerts += 1
            return True
        if stream.trigger < 0:
            stream.trigger = trigger(stream, self.setting)
        if stream.count < stream.trigger:
            return False
        stream.began_bin, stream.quiet = stream.bin, 0
        stream.alerts = stream.peak = minute(stream)
        return True

    def _new(self, bin_: int) -> Stream:
        """Return the memory of a scope first seen now: it was silent while we watched."""
        if self._since is None:
            self._since = bin_
        stream = Stream(bin=bin_, baseline=self.setting.first_baseline)
        if self._since < bin_:
            stream.bin, stream.mean, stream.variance = self._since, 0.0, self.setting.first_variance
            advance(stream, bin_, self.setting)
        return stream

    def _advance(self, scope: Scope, stream: Stream, bin_: int, changes: list[StormChange]) -> None:
        ended = advance(stream, bin_, self.setting)
        if ended is not None and scope in self._told:
            began = self._told.pop(scope)
            changes.append(
                StormEnded(
                    scope=scope,
                    at=ended * self.setting.bin_s,
                    began_at=began.at,
                    alerts=stream.alerts,
                    peak=stream.peak,
                    into=None,
                    reason=f"{scope}: three quiet minutes after {stream.alerts} alerts,"
                    f" at most {stream.peak} a minute",
                )
            )

    def _begin(
        self,
        scope: Scope,
        at: float,
        absorbs: tuple[Scope, ...],
        changes: list[StormChange],
    ) -> None:
        stream = self._streams[scope]
        rate = minute(stream)
        reason = (
            f"{scope}: {rate} alerts in a minute, normal are {stream.baseline:.2g};"
            f" a storm begins at {threshold(stream, self.setting):.0f}"
        )
        began = StormBegan(scope, at, rate, stream.baseline, absorbs, reason)
        self._told[scope] = began
        changes.append(began)

    def _judge(self, whole: Scope, own: Scope, at: float, changes: list[StormChange]) -> None:
        """Tell the storm of the service, or of the environment when it is not one service's."""
        new = own.service and own not in self._told and self._holds(own)
        inside = tuple(s for s in sorted(self._told) if s.env == whole.env)
        if self._holds(whole):
            told = (*inside, own) if new else inside
            one = len(told) == 1 and self._has_share(DOMINANT, told, whole)
            if not one and (len(told) > 1 or not self._may_become_one(whole)):
                self._begin(whole, at, inside, changes)
                for scope in inside:
                    self._absorb(scope, whole, at, changes)
                return
        if new:
            self._begin(own, at, (), changes)

    def _holds(self, scope: Scope) -> bool:
        """Say whether a scope storms and its last minute is still large."""
        stream = self._streams[scope]
        return stream.began_bin is not None and minute(stream) >= threshold(stream, self.setting)

    def _has_share(self, share: float, scopes: Iterable[Scope], whole: Scope) -> bool:
        """Say whether one of these makes up a share of the environment's last minute."""
        stream = self._streams[whole]
        large = share * minute(stream)
        return any(minute(self._streams[scope], stream.bin) >= large for scope in scopes)

    def _may_become_one(self, whole: Scope) -> bool:
        """Say whether most comes from one service, and it is too soon to know if all does."""
        stream = self._streams[whole]
        if stream.began_bin is None or stream.bin > stream.began_bin + 1:
            return False
        services = [s for s in self._streams if s.env == whole.env and s.service]
        return self._has_share(MOST, services, whole)

    def _absorb(self, scope: Scope, whole: Scope, at: float, changes: list[StormChange]) -> None:
        began, stream = self._told.pop(scope), self._streams[scope]
        reason = f"{scope}: now part of the storm over {whole}"
        changes.append(StormEnded(scope, at, began.at, stream.alerts, stream.peak, whole, reason))
