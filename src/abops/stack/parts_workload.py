"""The reference AnalyticBot, which the platform watches, and the traffic on it."""

from abops.stack import cluster
from abops.stack.part import AliveCheck, HttpCheck, Part, PortCheck
from abops.stack.ports import HOST
from abops.stack.site import ENVIRONMENT, Site

POLL_STALL_S = "10"
"""After how many seconds without a poll the bot calls itself unhealthy: with the 60 of
production a stalled bot could not be paged for within 30 seconds."""


def workload(site: Site) -> tuple[Part, ...]:
    """Return the steps and processes of the workload."""
    return (
        _migrate(site),
        _seed(site),
        _telegram_stub(site),
        _control(site),
        _api(site),
        _bot(site),
        _worker(site),
        _beat(site),
        _traffic(site),
    )


def _program(site: Site, name: str) -> str:
    return str(site.layout.root / "workload" / ".venv" / "bin" / name)


def _environment(site: Site, **more: str) -> dict[str, str]:
    user = f"{cluster.SUPERUSER}:{site.secret('postgres')}"
    redis = f"redis://{site.address('redis')}"
    common = {
        "DATABASE_URL": f"postgresql://{user}@{site.address('postgres')}/{cluster.DATABASE}",
        "REDIS_URL": f"{redis}/0",
        "CELERY_BROKER_URL": f"{redis}/1",
        "CELERY_RESULT_BACKEND": f"{redis}/2",
        "BOT_TOKEN": site.secret("bot-token"),
        "TELEGRAM_API_URL": site.url("telegram-stub"),
        "API_URL": site.url("api"),
        "API_SECRET": site.secret("api-secret"),
        "DB_POOL_SIZE": "10",
        "DB_MAX_OVERFLOW": "20",
        "DB_POOL_TIMEOUT": "30",
        "OTEL_EXPORTER_OTLP_ENDPOINT": site.url("jaeger-otlp-http"),
        "ENVIRONMENT": ENVIRONMENT,
        "BOT_POLL_STALL_S": POLL_STALL_S,
        "WORKLOAD_FAULTS": "1",
        "FAULTS_FILE": str(site.data("workload") / "faults.json"),
    }
    return {**common, **more}


def _migrate(site: Site) -> Part:
    return Part(
        name="migrate",
        argv=(_program(site, "alembic"), "upgrade", "head"),
        env=_environment(site),
        cwd=site.layout.root / "workload",
        depends_on=("postgres-setup",),
        runs_once=True,
    )


def _seed(site: Site) -> Part:
    return Part(
        name="seed",
        argv=(_program(site, "python"), "-m", "apps.seed"),
        env=_environment(site),
        cwd=site.layout.root / "workload",
        depends_on=("migrate",),
        runs_once=True,
    )


def _telegram_stub(site: Site) -> Part:
    port = site.port("telegram-stub")
    return Part(
        name="telegram-stub",
        argv=(_program(site, "python"), "-m", "apps.telegram_stub"),
        env=_environment(site, STUB_PORT=str(port)),
        cwd=site.layout.root / "workload",
        check=PortCheck(port),
        url=site.url("telegram-stub"),
        memory_mib=64,
    )


def _control(site: Site) -> Part:
    port = site.port("control")
    return Part(
        name="control",
        argv=(_program(site, "python"), "-m", "apps.control"),
        env=_environment(site, CONTROL_PORT=str(port)),
        cwd=site.layout.root / "workload",
        check=HttpCheck(port, "/health"),
        url=site.url("control", "/faults"),
        memory_mib=64,
    )


def _api(site: Site) -> Part:
    port = site.port("api")
    return Part(
        name="api",
        argv=(
            *(_program(site, "uvicorn"), "apps.api.main:app"),
            *("--host", HOST, "--port", str(port), "--no-access-log"),
        ),
        env=_environment(site),
        cwd=site.layout.root / "workload",
        depends_on=("migrate", "redis"),
        check=HttpCheck(port, "/health"),
        url=site.url("api"),
        memory_mib=160,
    )


def _bot(site: Site) -> Part:
    port = site.port("bot")
    return Part(
        name="bot",
        argv=(_program(site, "python"), "-m", "apps.bot.run_bot"),
        env=_environment(site, METRICS_PORT=str(port)),
        cwd=site.layout.root / "workload",
        depends_on=("migrate", "redis", "telegram-stub"),
        check=HttpCheck(port, "/health"),
        url=site.url("bot", "/metrics"),
        memory_mib=320,  # aiogram builds 200 MiB of models
    )


def _worker(site: Site) -> Part:
    port = site.port("worker")
    return Part(
        name="worker",
        argv=(
            *(_program(site, "celery"), "-A", "infra.celery.celery_app", "worker"),
            *("--concurrency=2", "--loglevel=WARNING"),
        ),
        env=_environment(site, METRICS_PORT=str(port)),
        cwd=site.layout.root / "workload",
        depends_on=("migrate", "redis"),
        check=HttpCheck(port, "/metrics"),
        url=site.url("worker", "/metrics"),
        memory_mib=320,
    )


def _beat(site: Site) -> Part:
    port = site.port("beat")
    schedule = str(site.data("beat") / "celerybeat-schedule")
    return Part(
        name="beat",
        argv=(
            *(_program(site, "celery"), "-A", "infra.celery.celery_app", "beat"),
            *("--loglevel=WARNING", "--pidfile="),
        ),
        env=_environment(site, METRICS_PORT=str(port), BEAT_SCHEDULE_FILE=schedule),
        cwd=site.layout.root / "workload",
        depends_on=("redis",),
        check=HttpCheck(port, "/metrics"),
        url=site.url("beat", "/metrics"),
        memory_mib=128,
    )


def _traffic(site: Site) -> Part:
    return Part(
        name="traffic",
        argv=(_program(site, "python"), "-m", "apps.traffic"),
        env=_environment(site),
        cwd=site.layout.root / "workload",
        depends_on=("api", "bot", "seed"),
        check=AliveCheck(1.0),
        memory_mib=64,
    )
