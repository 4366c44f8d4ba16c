"""The workload's panel of fault switches."""

from abops.clients.loopback import Loopback


class FaultPanel:
    """One panel."""

    def __init__(self, url: str) -> None:
        self._server = Loopback(url)

    def turn_on(self, name: str, *, seconds: float, **options: float | str) -> None:
        """Turn a fault on; it ends by itself after `seconds`, should nobody turn it off."""
        self._server.post(f"/faults/{name}", {"on": True, "seconds": seconds, **options})

    def turn_off(self, name: str) -> None:
        """Turn a fault off."""
        self._server.post(f"/faults/{name}", {"on": False})
