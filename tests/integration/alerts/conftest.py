"""Fixtures of the tests below; pytest finds them by being here.

What the service promises it promises on both stores: the tests of `ON_BOTH` run on each.
"""

from collections.abc import Iterator

import pytest

from support.alert_stores import BOTH, address, new_database, postgres, used_by_services
from support.channel_servers import channels, running_channels

__all__ = ["address", "channels", "postgres", "running_channels"]
ON_BOTH = (
    "test_callbacks",
    "test_causes",
    "test_delivery",
    "test_duty_process",
    "test_escalation",
    "test_intake",
    "test_letters",
    "test_listing",
    "test_process",
    "test_quiet",
    "test_scoring",
    "test_service",
    "test_silences",
    "test_statistics",
    "test_storms",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__.rpartition(".")[2] in ON_BOTH:
        metafunc.parametrize("store_of_module", BOTH, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def store_of_module(request: pytest.FixtureRequest) -> Iterator[str]:
    kind = getattr(request, "param", "sqlite")
    if kind == "sqlite":
        yield kind
        return
    with used_by_services(new_database(request.getfixturevalue("postgres"))):
        yield kind


@pytest.fixture(autouse=True)
def store(store_of_module: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give each test a store of its own, and say which kind it is."""
    if store_of_module == "sqlite":
        yield store_of_module
        return
    with used_by_services(request.getfixturevalue("address")):
        yield store_of_module
