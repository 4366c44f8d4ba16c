"""A day of AnalyticBot as its recorded series would tell it, for pictures of the boards.

Traffic follows the hours; at two thirds of the day the database is slow for twelve minutes, the
API answers errors, an alert fires, and a deploy mends it. Figures are made up, names are not.
"""

import math
from collections.abc import Iterator

from support.history import Past, Value, past

HOUR_S, DAY_S = 3600.0, 86_400.0
TROUBLE_AGO_S, TROUBLE_S = 8 * HOUR_S, 12 * 60.0
ROUTES = {
    "/api/v1/channels/{id}": 0.41,
    "/api/v1/posts": 0.27,
    "/api/v1/analytics/{id}": 0.19,
    "/api/v1/users/me": 0.09,
    "/api/v1/payments": 0.04,
}
SLOS = {
    ("api", "api-availability"): (0.999, 0.00012, 0.061),
    ("api", "api-latency"): (0.95, 0.011, 0.2),
    ("bot", "bot-handling"): (0.995, 0.0009, 0.0015),
    ("worker", "task-success"): (0.99, 0.0021, 0.004),
    ("worker", "post-punctuality"): (0.99, 0.0016, 0.03),
}
BOUNDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Day:
    """The day that ends at a moment."""

    def __init__(self, end: float, env: str = "local") -> None:
        self.end = end
        self.env = env

    def series(self) -> list[Past]:
        """Return every series of the day."""
        return [
            *self._api(),
            *self._bot_and_worker(),
            *self._objectives(),
            *self._people(),
            *self._money(),
            *self._happenings(),
        ]

    def month(self) -> list[Past]:
        """Return the health checks of the weeks before the day."""
        services = ("api", "bot", "worker")
        return [past("probe_success", 1, env=self.env, service=name) for name in services]

    def _is_trouble(self, moment: float, lag_s: float = 0) -> bool:
        ago = self.end - moment
        return TROUBLE_AGO_S - TROUBLE_S - lag_s <= ago < TROUBLE_AGO_S

    def _wave(self, moment: float, seed: float = 0) -> float:
        """Return the hour's share of the busiest hour, with the noise of a crowd."""
        hour = moment % DAY_S / HOUR_S
        shape = 0.55 - 0.4 * math.cos((hour - 3.5) / 24 * 2 * math.pi)
        noise = math.sin(moment / 97 + seed) + math.sin(moment / 41 + 2 * seed)
        return max(0.04, shape * (1 + 0.035 * noise))

    def _load(self, most: float, seed: float = 0) -> Value:
        return lambda moment: most * self._wave(moment, seed)

    def _calm(self, usual: float, trouble: float, seed: float = 0) -> Value:
        """Return a value that follows the load a little and jumps in the trouble."""

        def value(moment: float) -> float:
            return (trouble if self._is_trouble(moment) else usual) * (
                0.75 + 0.4 * self._wave(moment, seed)
            )

        return value

    def _api(self) -> Iterator[Past]:
        api = {"env": self.env, "service": "api"}
        requests, seconds = "http_server_requests", "http_server_request_duration_seconds"
        yield past("up", 1, job="analyticbot-api", **api)
        yield past(f"service:{requests}:rate5m", self._load(46), **api)
        yield past("service:http_server_errors:ratio_rate5m", self._calm(0.0002, 0.31), **api)
        yield past(
            "service:http_server_client_errors:ratio_rate5m", self._calm(0.012, 0.014, 3), **api
        )
        for quantile, usual, trouble in (
            ("p50", 0.021, 0.3),
            ("p95", 0.12, 1.9),
            ("p99", 0.3, 2.4),
        ):
            yield past(f"service:{seconds}:{quantile}", self._calm(usual, trouble, usual), **api)
        for number, (route, share) in enumerate(ROUTES.items()):
            for code, part in (("200", 0.985), ("404", 0.012), ("503", 0.003)):

                def rate(moment: float, part: float = part, code: str = code, n: int = number,
                         share: float = share) -> float:  # fmt: skip
                    bad = self._is_trouble(moment)
                    kept = {"200": 0.66, "404": 0.01, "503": 0.33}[code] if bad else part
                    return 46 * share * kept * self._wave(moment, n)

                labels = api | {"http_route": route, "http_response_status_code": code}
                yield past(f"service_route_code:{requests}:rate5m", rate, **labels)
            p95 = self._calm(0.05 + 0.05 * number, 1.4, number)
            yield past(f"service_route:{seconds}:p95", p95, http_route=route, **api)
        for bound in (*BOUNDS, math.inf):
            name = "+Inf" if math.isinf(bound) else f"{bound:g}"
            yield past(f"service_le:{seconds}_bucket:rate5m", self._bucket(bound), le=name, **api)
        yield past("http_server_active_requests", self._calm(2, 19), **api)
        for state, usual, trouble in (("used", 4, 10), ("idle", 6, 0)):
            yield past("db_client_connection_count", self._calm(usual, trouble), state=state, **api)
        yield past("db_client_connection_max", 10, **api)
        yield past("db_client_connection_pending_requests", self._calm(0, 7), **api)
        for system, usual, trouble in (("postgresql", 0.006, 0.9), ("redis", 0.0011, 0.0012)):
            labels = api | {"db_system_name": system}
            yield past("service_system:db_client_operation_duration_seconds:p95",
                       self._calm(usual, trouble, usual), **labels)  # fmt: skip
            yield past("service_system:db_client_operations:rate5m", self._load(90), **labels)

    def _bucket(self, bound: float) -> Value:
        def rate(moment: float) -> float:
            middle = 0.6 if self._is_trouble(moment) else 0.03
            return 46 * self._wave(moment) / (1 + (middle / bound) ** 1.6)

        return rate

    def _bot_and_worker(self) -> Iterator[Past]:
        for service in ("bot", "worker"):
            yield past("up", 1, env=self.env, service=service, job=f"analyticbot-{service}")
        bot = {"env": self.env, "service": "bot"}
        yield past("service:telegram_bot_updates:rate5m", self._load(8.4, 1), **bot)
        yield past("service:telegram_bot_blocked:rate5m", self._load(0.004, 5), **bot)
        yield past("service:telegram_api_requests:rate5m", self._load(9.1, 2), **bot)
        shares = {"message": 0.6, "callback_query": 0.3, "my_chat_member": 0.1}
        for update, share in shares.items():
            labels = bot | {"handler": update, "update_type": update, "status": "ok"}
            yield past(
                "service_handler_type_status:telegram_bot_updates:rate5m",
                self._load(8.4 * share, share), **labels,
            )  # fmt: skip

        def is_well(moment: float) -> float:
            return float(not self._is_trouble(moment))

        for service in ("api", "bot", "worker"):
            value = is_well if service == "api" else 1
            for name in ("probe_success", "service:probe_success:avg5m"):
                yield past(name, value, env=self.env, service=service)

    def _objectives(self) -> Iterator[Past]:
        for number, ((service, name), (objective, usual, trouble)) in enumerate(SLOS.items()):
            labels = {"env": self.env, "service": service, "slo": name}
            yield past("slo:objective:ratio", objective, **labels)
            yield past("slo:error_budget:ratio", 1 - objective, **labels)
            for window, length in (("5m", 300), ("1h", 3600), ("6h", 21_600), ("1d", 86_400)):
                error = self._error(usual, trouble, length, number)
                yield past(f"slo:sli_error:ratio_rate{window}", error, **labels)
            left = self._budget(0.94 - 0.09 * number, 0.3 if "api" in name else 0.02)
            yield past("slo:period_error_budget_remaining:ratio", left, **labels)

    def _error(self, usual: float, trouble: float, length: float, seed: float) -> Value:
        """Return the mean error over a window that looks back `length` seconds."""

        def value(moment: float) -> float:
            begin = self.end - TROUBLE_AGO_S
            seen = min(moment, begin + TROUBLE_S) - max(moment - length, begin)
            share = max(0.0, seen) / length
            return usual * (0.8 + 0.4 * self._wave(moment, seed)) * (1 - share) + trouble * share

        return value

    def _budget(self, before: float, cost: float) -> Value:
        def value(moment: float) -> float:
            begin = self.end - TROUBLE_AGO_S
            spent = min(1.0, max(0.0, (moment - begin) / TROUBLE_S)) * cost
            return before - spent - 0.01 * (moment - self.end + DAY_S) / DAY_S

        return value

    def _people(self) -> Iterator[Past]:
        env = {"env": self.env}
        for window, count in (("1d", 2140), ("7d", 4890), ("30d", 7320)):
            value = self._growing(count, count * 0.012)
            yield past("analyticbot_active_users", value, window=window, **env)
        yield past("analyticbot_new_users", self._growing(61, 9), **env)
        for plan, count in (("free", 8210), ("pro", 640), ("team", 96)):
            yield past("analyticbot_users", self._growing(count, count * 0.004), plan=plan, **env)
        yield past("analyticbot_channels", self._growing(12_480, 70), **env)
        rate = 0.4
        for result, share in (("sent", 0.985), ("failed", 0.015)):
            yield past("analyticbot_posts_total", self._counted(rate * share), result=result, **env)
        for bound, share in (("5", 0.7), ("30", 0.93), ("60", 0.996), ("+Inf", 1)):
            counted = self._counted(rate * share)
            yield past("analyticbot_post_delay_seconds_bucket", counted, le=bound, **env)
        yield past("analyticbot_post_delay_seconds_count", self._counted(rate), **env)
        yield past("analyticbot_overdue_posts",
                   lambda t: 14.0 if self._is_trouble(t, 300) else 0.0, **env)  # fmt: skip

    def _growing(self, now: float, by: float) -> Value:
        def value(moment: float) -> float:
            share = (moment - self.end) / DAY_S
            return round(now + by * share + by * 0.15 * math.sin(moment / 4000))

        return value

    def _counted(self, rate: float) -> Value:
        return lambda moment: round(rate * (moment - self.end + 2 * DAY_S))

    def _money(self) -> Iterator[Past]:
        env = {"env": self.env}
        for plan, sum_ in (("pro", 12_160), ("team", 7_584)):
            value = self._growing(sum_, sum_ * 0.003)
            yield past("analyticbot_mrr", value, plan=plan, currency="USD", **env)
        for status, count in (("active", 736), ("past_due", 11)):
            yield past("analyticbot_subscriptions", count, status=status, plan="pro", **env)
        yield past("analyticbot_canceled_subscriptions", 23, **env)
        yield past("analyticbot_ending_trials", self._growing(17, 4), **env)
        for provider, rate in (("stripe", 0.006), ("payme", 0.003), ("click", 0.002)):
            for status, share in (("succeeded", 0.96), ("failed", 0.04)):
                labels = env | {"provider": provider, "status": status}
                yield past("analyticbot_payments_total", self._counted(rate * share), **labels)
        yield past("analyticbot_revenue_total", self._counted(0.0077), currency="USD", **env)

    def _happenings(self) -> Iterator[Past]:
        begin = self.end - TROUBLE_AGO_S

        def fires(moment: float) -> float | None:
            return 1.0 if begin + 20 <= moment < begin + TROUBLE_S + 60 else None

        labels = {"env": self.env, "severity": "critical", "alertstate": "firing"}
        yield past("ALERTS", fires, alertname="ApiErrorStorm", service="api", **labels)

        def deployed(moment: float) -> float:
            return begin - DAY_S if moment < begin + TROUBLE_S else begin + TROUBLE_S

        name = "abops_deploys_last_timestamp_seconds"
        yield past(name, deployed, env=self.env, service="api", version="4.6.1")
