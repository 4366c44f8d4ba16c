"""From the inventory's words to the values that routing decides by."""

from pathlib import PurePath

from abops.alerts.model import (
    DEFAULT_POLICY,
    Channel,
    GroupingRule,
    Level,
    OnCall,
    Policy,
    QuietHours,
    Route,
    RouteTest,
    Routing,
    Team,
)
from abops.alerts.route.matcher import parse_matchers
from abops.inventory import alerts as model
from abops.inventory.model import Inventory
from abops.inventory.values import WEEKDAYS


def routing_of(inventory: Inventory) -> Routing:
    """Return who is told what, as `alerts` of the inventory says."""
    alerts = inventory.alerts
    policies = {name: _policy(policy) for name, policy in alerts.escalation.items()}
    return Routing(
        public_url=alerts.public_url,
        channels={name: _channel(name, channel) for name, channel in alerts.channels.items()},
        teams={name: _team(name, team, alerts.tz) for name, team in alerts.teams.items()},
        routes=tuple(_route(route) for route in alerts.routes),
        owners={part.name: part.team for part in inventory.parts},
        summaries=alerts.summaries,
        tests=tuple(RouteTest(test.labels, test.expect) for test in alerts.route_tests),
        escalation=policies.pop(DEFAULT_POLICY, None),
        policies=policies,
        tz=alerts.tz,
        grouping=tuple(_grouping(rule) for rule in alerts.grouping),
    )


def _route(route: model.Route) -> Route:
    return Route(
        route.match,
        parse_matchers(route.match),
        route.send,
        escalate=route.escalate or DEFAULT_POLICY,
        digest=route.digest,
        min_alerts=route.min_alerts,
        within_s=route.within.total_seconds(),
    )


def _team(name: str, team: model.Team, tz: str) -> Team:
    zone = team.tz
    if zone is None:
        turns = team.oncall
        zone = turns.tz if turns is not None and "tz" in turns.model_fields_set else tz
    oncall, quiet = _oncall(team.oncall, zone), _quiet(team.quiet)
    return Team(name, team.page, team.chat, team.fallback, oncall, zone, quiet)


def _quiet(quiet: model.QuietHours | None) -> QuietHours | None:
    if quiet is None:
        return None
    days = tuple(WEEKDAYS.index(day) for day in quiet.days)
    return QuietHours(_minutes(quiet.begin), _minutes(quiet.end), days)


def _minutes(time: str) -> int:
    hour, minute = time.split(":")
    return int(hour) * 60 + int(minute)


def _grouping(rule: model.GroupingRule) -> GroupingRule:
    one, other = rule.join or rule.apart or ("", "")
    within_s = rule.within.total_seconds()
    return GroupingRule(rule.name, one, other, rule.join is not None, within_s)


def _policy(policy: model.Escalation) -> Policy:
    return Policy(
        levels=tuple(Level(level.team, level.after.total_seconds()) for level in policy.levels),
        repeat=policy.repeat,
        ack_expires_s=policy.ack_expires.total_seconds(),
    )


def _oncall(rota: model.OnCall | None, zone: str) -> OnCall | None:
    if rota is None:
        return None
    day, time = rota.handover.split()
    hour, minute = (int(part) for part in time.split(":"))
    weekday = WEEKDAYS.index(day)
    zone = rota.tz if "tz" in rota.model_fields_set else zone
    return OnCall(rota.members, rota.rotate, weekday, hour, minute, zone)


def _channel(name: str, channel: model.Channel) -> Channel:
    match channel:
        case model.PagerDutyChannel():
            shared = _file(channel.fallback_key_file) if channel.fallback_key_file else ""
            return Channel(name, "pagerduty", _file(channel.routing_key_file), fallback_file=shared)
        case model.SlackChannel():
            return Channel(name, "slack", _file(channel.token_file), channel.channel)
        case model.TelegramChannel():
            return Channel(name, "telegram", _file(channel.token_file), str(channel.chat_id))
        case model.EmailChannel():
            secret = _file(channel.password_file) if channel.password_file else ""
            return Channel(name, "email", secret, to=channel.to, sender=channel.sender)


def _file(path: str) -> str:
    return PurePath(path).name
