"""Board `ab-business`: who uses AnalyticBot, what they do with it, and what they pay."""

from typing import Final

from abops.observability.boards.model import Board, Limit, Query, Row, chart, stat

E = 'env=~"$env"'
NOT_YET = "no data: the business exporter has not read this yet"


_NOW: Final = (
    stat(
        "Active users today",
        "short",
        f'sum(analyticbot_active_users{{{E},window="1d"}})',
        "People who did anything today. It falls to its lowest at midnight and grows all day:"
        " compare with yesterday at the same hour.",
    ),
    stat(
        "Monthly recurring revenue",
        "currencyUSD",
        f'sum(analyticbot_mrr{{{E},currency="USD"}})',
        "What active subscriptions in US dollars bring a month; yearly ones count a twelfth."
        " Other currencies are on a chart of their own.",
    ),
    stat(
        "Paying customers",
        "short",
        f'sum(analyticbot_subscriptions{{{E},status="active"}})',
        "Active subscriptions.",
    ),
    stat(
        "API success",
        "percentunit",
        f"1 - sum(service:http_server_errors:ratio_rate5m{{{E}}}"
        f" * service:http_server_requests:rate5m{{{E}}})"
        f" / (sum(service:http_server_requests:rate5m{{{E}}}) > 0)",
        "Share of requests that were not answered with 5xx, over five minutes. Below 99.9 %"
        " the error budget is being spent.",
        Limit(0.99, "yellow"),
        Limit(0.999, "green"),
        small_is_bad=True,
    ),
    stat(
        "Bot updates",
        "ops",
        f"sum(service:telegram_bot_updates:rate5m{{{E}}})",
        "Messages and button presses that the bot handles each second. Zero at daytime means"
        " that it does not poll.",
    ),
    stat(
        "Posts on time",
        "percentunit",
        f'sum(rate(analyticbot_post_delay_seconds_bucket{{{E},le=~"60|60.0"}}[1h]))'
        f" / (sum(rate(analyticbot_post_delay_seconds_count{{{E}}}[1h])) > 0)",
        "Posts of the last hour that were sent within a minute of their time. The promise is 99 %.",
        Limit(0.95, "yellow"),
        Limit(0.99, "green"),
        small_is_bad=True,
    ),
)


_USERS: Final = (
    chart(
        "Active users",
        "short",
        "Distinct users of a day, a week and a month. The three move together; a day that"
        " falls alone is an outage that nobody reported.",
        Query(f"sum by (window) (analyticbot_active_users{{{E}}})", "{{window}}"),
    ),
    chart(
        "Stickiness",
        "percentunit",
        "Daily over monthly active users: how much of the audience comes every day.",
        Query(
            f'sum(analyticbot_active_users{{{E},window="1d"}})'
            f' / (sum(analyticbot_active_users{{{E},window="30d"}}) > 0)',
            "day / month",
        ),
        maximum=1,
    ),
    chart(
        "New users in 24 h",
        "short",
        "Users who came in the last day, at each moment.",
        Query(f"sum(analyticbot_new_users{{{E}}})", "new"),
    ),
    chart(
        "Users by plan",
        "short",
        "All users by the plan they are on.",
        Query(f"sum by (plan) (analyticbot_users{{{E}}})", "{{plan}}"),
        stacked=True,
    ),
    chart(
        "Users who blocked the bot",
        "percentunit",
        "Share of Telegram calls answered with 403, bot was blocked. A jump follows a message"
        " that people did not want.",
        Query(
            f"sum(service:telegram_bot_blocked:rate5m{{{E}}})"
            f" / (sum(service:telegram_api_requests:rate5m{{{E}}}) > 0)",
            "blocked",
        ),
    ),
    chart(
        "Channels",
        "short",
        "Channels that AnalyticBot watches.",
        Query(f"sum(analyticbot_channels{{{E}}})", "channels"),
    ),
)


_CODES = "service_route_code:http_server_requests:rate5m"
_USAGE: Final = (
    chart(
        "Requests by route, ten busiest",
        "reqps",
        "Where the API's traffic goes. A route that vanishes is broken in the client; one that"
        " appears may be a scan.",
        Query(f"topk(10, sum by (http_route) ({_CODES}{{{E}}}))", "{{http_route}}"),
        signals=True,
    ),
    chart(
        "Success by route",
        "percentunit",
        "Share of each route's requests that were not answered with 5xx.",
        Query(
            f'1 - (sum by (http_route) ({_CODES}{{{E},http_response_status_code=~"5.."}})'
            f" or 0 * sum by (http_route) ({_CODES}{{{E}}}))"
            f" / (sum by (http_route) ({_CODES}{{{E}}}) > 0)",
            "{{http_route}}",
        ),
        limits=(Limit(0.999),),
        signals=True,
    ),
    chart(
        "Bot updates by type",
        "ops",
        "Messages, button presses and inline queries that the bot handled.",
        Query(
            "sum by (update_type) (service_handler_type_status:telegram_bot_updates:rate5m"
            f"{{{E}}})",
            "{{update_type}}",
        ),
        stacked=True,
    ),
    chart(
        "Posts by result",
        "short",
        "Posts of each hour: sent, failed, given up.",
        Query(f"sum by (result) (increase(analyticbot_posts_total{{{E}}}[1h]))", "{{result}}"),
        stacked=True,
    ),
    chart(
        "Post delay p95",
        "s",
        "Time from a post's moment to Telegram's answer, for the slowest twentieth of an hour."
        " Above 60 s posts count as late.",
        Query(
            "histogram_quantile(0.95, sum by (le)"
            f" (rate(analyticbot_post_delay_seconds_bucket{{{E}}}[1h])))",
            "p95",
        ),
        limits=(Limit(60),),
        signals=True,
    ),
    chart(
        "Overdue posts",
        "short",
        "Posts that should have been sent more than a minute ago. Anything that stays above"
        " zero means that the worker or the queue stands still.",
        Query(f"sum(analyticbot_overdue_posts{{{E}}})", "overdue"),
        limits=(Limit(1),),
    ),
)


_UPDATES = "service_handler_type_status:telegram_bot_updates:rate5m"
_USAGE_DETAIL: Final = (
    chart(
        "Busiest handlers",
        "ops",
        "What people ask the bot for.",
        Query(f"topk(10, sum by (handler) ({_UPDATES}{{{E}}}))", "{{handler}}"),
    ),
    chart(
        "Handler errors",
        "percentunit",
        "Share of each handler's updates that ended in an exception.",
        Query(
            f'(sum by (handler) ({_UPDATES}{{{E},status="error"}})'
            f" or 0 * sum by (handler) ({_UPDATES}{{{E}}}))"
            f" / (sum by (handler) ({_UPDATES}{{{E}}}) > 0)",
            "{{handler}}",
        ),
        limits=(Limit(0.05),),
        no_value="no updates in this time",
        signals=True,
    ),
    chart(
        "Reply lag p95",
        "s",
        "Age of a message when its handling began, for the slowest twentieth.",
        Query(
            f"max by (service) (service:telegram_bot_update_lag_seconds:p95{{{E}}})",
            "{{service}}",
        ),
        limits=(Limit(30),),
    ),
    chart(
        "Channel analysis p95",
        "s",
        "Time of one channel's analysis, for the slowest twentieth of an hour.",
        Query(
            "histogram_quantile(0.95, sum by (le)"
            f" (rate(analyticbot_analysis_duration_seconds_bucket{{{E}}}[1h])))",
            "p95",
        ),
        no_value="no analysis ran in this time",
    ),
    chart(
        "Reports by format",
        "short",
        "Reports made each hour.",
        Query(
            f"sum by (format) (increase(analyticbot_reports_generated_total{{{E}}}[1h]))",
            "{{format}}",
        ),
        no_value="no report was made in this time",
    ),
    chart(
        "Deliveries by status",
        "short",
        "Deliveries since the beginning, by how they ended.",
        Query(f"sum by (status) (analyticbot_deliveries_total{{{E}}})", "{{status}}"),
        stacked=True,
        no_value=NOT_YET,
    ),
)


_PAYMENTS = "analyticbot_payments_total"
_EARNED = f'analyticbot_revenue_total{{{E},currency="USD"}}'
_ACTIVE = f'sum(analyticbot_subscriptions{{{E},status="active"}})'
_CANCELED = f"sum(analyticbot_canceled_subscriptions{{{E}}})"
_REVENUE: Final = (
    chart(
        "Recurring revenue by plan",
        "currencyUSD",
        "Monthly recurring revenue of active subscriptions in US dollars.",
        Query(f'sum by (plan) (analyticbot_mrr{{{E},currency="USD"}})', "{{plan}}"),
        stacked=True,
        no_value=NOT_YET,
    ),
    chart(
        "Recurring revenue in other currencies",
        "short",
        "The same for subscriptions in another currency, each in its own units.",
        Query(f'sum by (currency) (analyticbot_mrr{{{E},currency!="USD"}})', "{{currency}}"),
        no_value="no subscription in another currency",
    ),
    chart(
        "Payments by provider and status",
        "short",
        "Payments of each hour. A provider whose failures rise alone is down.",
        Query(
            f"sum by (provider, status) (increase({_PAYMENTS}{{{E}}}[1h]))",
            "{{provider}} {{status}}",
        ),
        no_value=NOT_YET,
    ),
    chart(
        "Payment success",
        "percentunit",
        "Succeeded over finished payments, since the beginning, by provider.",
        Query(
            f'sum by (provider) ({_PAYMENTS}{{{E},status="succeeded"}})'
            f' / (sum by (provider) ({_PAYMENTS}{{{E},status!="pending"}}) > 0)',
            "{{provider}}",
        ),
        limits=(Limit(0.9),),
        no_value=NOT_YET,
        maximum=1,
    ),
    chart(
        "Revenue of 24 h, now and a week ago",
        "currencyUSD",
        "Dollars from succeeded payments of 24 hours beside the same hours last week.",
        Query(f"sum(increase({_EARNED}[1d]))", "last 24 h"),
        Query(f"sum(increase({_EARNED}[1d] offset 7d))", "a week before"),
    ),
    chart(
        "Churn in 30 days",
        "percentunit",
        "Subscriptions canceled in 30 days over those that were active at their start.",
        Query(f"{_CANCELED} / ({_ACTIVE} + {_CANCELED} > 0)", "churn"),
        limits=(Limit(0.05),),
        no_value=NOT_YET,
    ),
    chart(
        "Past due, and trials that end",
        "short",
        "Subscriptions whose payment is late, and trials that end within three days.",
        Query(f'sum(analyticbot_subscriptions{{{E},status="past_due"}})', "past due"),
        Query(f"sum(analyticbot_ending_trials{{{E}}})", "trials ending"),
        no_value=NOT_YET,
    ),
)


_DATABASE: Final = (
    chart(
        "Transactions",
        "ops",
        "Committed and rolled back transactions of the application's database.",
        Query(f"sum(rate(pg_stat_database_xact_commit{{{E}}}[$__rate_interval]))", "commit"),
        Query(f"sum(rate(pg_stat_database_xact_rollback{{{E}}}[$__rate_interval]))", "rollback"),
    ),
    chart(
        "Operation p95",
        "s",
        "Time of a database operation as the services see it, for the slowest twentieth.",
        Query(
            "max by (service) (service_system:db_client_operation_duration_seconds:p95"
            f'{{{E},db_system_name="postgresql"}})',
            "{{service}}",
        ),
        signals=True,
    ),
    chart(
        "Connections",
        "percentunit",
        "Connections in use over those that ordinary roles may open.",
        Query(f"max(postgres:connections:ratio{{{E}}})", "used"),
        limits=(Limit(0.8, "yellow"), Limit(0.95)),
        maximum=1,
    ),
    chart(
        "Cache hits",
        "percentunit",
        "Blocks found in PostgreSQL's memory. Below 95 % it reads from disk too often.",
        Query(f"min(postgres:cache_hit:ratio{{{E}}})", "hits"),
        limits=(Limit(0.95),),
    ),
    chart(
        "Slowest statements",
        "s",
        "Mean time of the slowest statements, by their query id.",
        Query(
            f"topk(5, max by (queryid) (abops_pg_statement_mean_seconds{{{E}}}))",
            "{{queryid}}",
        ),
        no_value="no data: pg_stat_statements is not loaded",
    ),
    chart(
        "Size",
        "bytes",
        "Size of each database.",
        Query(
            f'max by (datname) (pg_database_size_bytes{{{E},datname!~"template.*"}})',
            "{{datname}}",
        ),
    ),
)


def business_board() -> Board:
    """Return the board."""
    return Board(
        uid="ab-business",
        file="business-metrics",
        title="Business",
        description="Users, usage, revenue, and the database behind them.",
        tags=("business",),
        rows=(
            Row("Now", _NOW),
            Row("Users", _USERS),
            Row("Usage", _USAGE),
            Row("Usage, in detail", _USAGE_DETAIL, collapsed=True),
            Row("Revenue", _REVENUE),
            Row("Database", _DATABASE, collapsed=True),
        ),
    )
