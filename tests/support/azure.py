"""What stands for Azure's object store, for tests: Azurite, over TLS, on this machine.

It needs Node. Where it is not, what is tested of Azure is left out by name.
"""

import base64
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from abops.stack.certificates import make_certificates
from abops.stack.tools import ToolMissingError, find_tool
from support.backup import StoreServer
from support.servers import free_port, listens, wait_until

ACCOUNT = "trial"
STARTS_S = 30.0


@dataclass
class AzureServer(StoreServer):
    """One account of an Azure store."""

    folder: Path
    program: Path
    port: int
    account_key: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def certificates(self) -> Path:
        return self.folder / "tls"

    @property
    def keys(self) -> Mapping[str, str]:
        return {"account_key": self.account_key}

    def place(self, container: str) -> dict[str, object]:
        ca_file = str(self.certificates / "ca.crt")
        at = {"endpoint": "localhost", "port": self.port, "ca_file": ca_file}
        return {**at, "container": container, "account": ACCOUNT}

    def start(self) -> None:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        tls = ["--cert", self.certificates / "server.crt", "--key"]
        tls += [self.certificates / "server.key"]
        at = ["--blobHost", "127.0.0.1", "--blobPort", str(self.port), "-l", data]
        quiet = ["--disableTelemetry", "--silent", "--skipApiVersionCheck"]
        with (self.folder / "azurite.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, *at, *tls, *quiet],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{self.account_key}"},
                cwd=self.folder,
            )
        process = self.process
        wait_until(
            lambda: listens(self.port) or process.poll() is not None,
            what="Azurite ready",
            timeout_s=STARTS_S,
        )
        assert process.poll() is None, (self.folder / "azurite.log").read_text()


@contextmanager
def start_azure(folder: Path) -> Iterator[AzureServer]:
    """Run an Azure store with an authority of its own. Raises ToolMissingError without Node."""
    program = find_tool("azurite-blob")
    folder.chmod(0o755)
    make_certificates(folder / "tls")
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    server = AzureServer(folder, program, free_port(), key)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def azure() -> Iterator[AzureServer]:
    """One Azure store for the whole session: each module's containers are its own."""
    folder = Path(tempfile.mkdtemp(prefix="abops-azure-"))
    try:
        with start_azure(folder) as server:
            yield server
    except ToolMissingError as missing:
        pytest.skip(f"{missing}: nothing of Azure is tested")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
