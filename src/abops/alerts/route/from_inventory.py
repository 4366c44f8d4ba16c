"""From the inventory's words to the values that routing decides by."""

from pathlib import PurePath

from abops.alerts.model import (
    Channel,
    Level,
    OnCall,
    Policy,
    Route,
    RouteTest,
    Routing,
    Team,
)
from abops.alerts.route.matcher import parse_matchers
from abops.inventory import model
from abops.inventory.values import WEEKDAYS


def routing_of(inventory: model.Inventory) -> Routing:
    """Return who is told what, as `alerts` of the inventory says."""
    alerts = inventory.alerts
    return Routing(
        public_url=alerts.public_url,
        channels={name: _channel(name, channel) for name, channel in alerts.channels.items()},
        teams={
            name: Team(name, team.page, team.chat, team.fallback, _oncall(team.oncall))
            for name, team in alerts.teams.items()
        },
        routes=tuple(Route(r.match, parse_matchers(r.match), r.send) for r in alerts.routes),
        owners={part.name: part.team for part in inventory.parts},
        summaries=alerts.summaries,
        tests=tuple(RouteTest(test.labels, test.expect) for test in alerts.route_tests),
        escalation=_policy(alerts.escalation.get("default")),
    )


def _policy(policy: model.Escalation | None) -> Policy | None:
    if policy is None:
        return None
    return Policy(
        levels=tuple(Level(level.team, level.after.total_seconds()) for level in policy.levels),
        repeat=policy.repeat,
        ack_expires_s=policy.ack_expires.total_seconds(),
    )


def _oncall(rota: model.OnCall | None) -> OnCall | None:
    if rota is None:
        return None
    day, time = rota.handover.split()
    hour, minute = (int(part) for part in time.split(":"))
    weekday = WEEKDAYS.index(day)
    return OnCall(rota.members, rota.rotate, weekday, hour, minute, rota.tz)


def _channel(name: str, channel: model.Channel) -> Channel:
    match channel:
        case model.PagerDutyChannel():
            return Channel(name, "pagerduty", _file(channel.routing_key_file))
        case model.SlackChannel():
            return Channel(name, "slack", _file(channel.token_file), channel.channel)
        case model.TelegramChannel():
            return Channel(name, "telegram", _file(channel.token_file), str(channel.chat_id))
        case model.EmailChannel():
            secret = _file(channel.password_file) if channel.password_file else ""
            return Channel(name, "email", secret, to=channel.to, sender=channel.sender)


def _file(path: str) -> str:
    return PurePath(path).name
