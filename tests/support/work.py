"""A desk's console in a real browser: somebody signs in, and alerts come in meanwhile."""

from collections.abc import Callable

from playwright.sync_api import Page

from support.alerting import post_alerts
from support.browser import Console
from support.desk import Desk

SignIn = Callable[..., Page]


class Work:
    """The desk's console, and alerts that come in meanwhile."""

    def __init__(self, desk: Desk, console: Console) -> None:
        self.desk = desk
        self.console = console

    def fires(self, name: str, service: str = "api", **labels: str) -> None:
        alert = self.desk.alert(name, service, **labels)
        post_alerts(self.console.url, self.desk.service, alert)
