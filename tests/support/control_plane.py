"""A Kubernetes control plane without nodes for tests: etcd and the API server, on loopback.

Objects live there as in any cluster; nothing runs. `lose` throws all of it away and gives a new,
empty one at the same address: the cluster after the disaster.
"""

import json
import secrets
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from abops.stack.certificates import make_certificates
from abops.stack.tools import find_tool
from support.servers import answers, free_port, running

SERVICES = "10.96.0.0/24"
ADMIN_GROUP = "system:masters"


@dataclass
class ControlPlane:
    """A control plane that runs here, and the kubeconfigs of those who may come in."""

    folder: Path
    ports: Mapping[str, int]
    _running: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.ports['api']}"

    def make(self) -> None:
        """Make certificates and the list of those who may come in."""
        make_certificates(self.folder / "tls")
        lines = []
        for user, groups in (("admin", ADMIN_GROUP), ("viewer", "viewers")):
            token = secrets.token_hex(16)
            lines.append(f'{token},{user},{user},"{groups}"')
            self.let_in(user, token)
        users = self.folder / "users.csv"
        users.write_text("\n".join(lines))
        users.chmod(0o600)

    def kubeconfig(self, user: str = "admin") -> Path:
        """Return the file with which this user comes in."""
        return self.folder / f"{user}.kubeconfig"

    def start(self) -> None:
        """Start both servers, on what data is there, and wait until they are ready."""
        etcd = f"http://127.0.0.1:{self.ports['etcd']}"
        peer = f"http://127.0.0.1:{self.ports['peer']}"
        self._running.enter_context(
            running(
                [
                    *(find_tool("etcd"), "--name=test", f"--data-dir={self.folder / 'etcd'}"),
                    *("--unsafe-no-fsync", "--log-level=warn", f"--initial-cluster=test={peer}"),
                    *(f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}"),
                    *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
                ],
                port=self.ports["etcd"],
                log=self.folder / "etcd.log",
                ready=lambda: answers(f"{etcd}/health"),
            )
        )
        tls = self.folder / "tls"
        key = tls / "server.key"
        self._running.enter_context(
            running(
                [
                    *(find_tool("kube-apiserver"), f"--etcd-servers={etcd}"),
                    *("--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"),
                    f"--secure-port={self.ports['api']}",
                    # A loopback address is none for the endpoints of the service `kubernetes`.
                    *("--endpoint-reconciler-type=none", f"--service-cluster-ip-range={SERVICES}"),
                    *(f"--tls-cert-file={tls / 'server.crt'}", f"--tls-private-key-file={key}"),
                    "--service-account-issuer=https://kubernetes.default.svc",
                    f"--service-account-key-file={tls / 'server.crt'}",
                    f"--service-account-signing-key-file={key}",
                    *("--authorization-mode=RBAC", "--anonymous-auth=true"),
                    f"--token-auth-file={self.folder / 'users.csv'}",
                ],
                port=self.ports["api"],
                log=self.folder / "apiserver.log",
                ready=self._is_ready,
            )
        )

    def stop(self) -> None:
        """Stop both servers."""
        self._running.close()

    def lose(self) -> None:
        """Throw everything away, and start anew."""
        self.stop()
        shutil.rmtree(self.folder / "etcd")
        self.start()

    def kubectl(self, *words: str, given: object = None, user: str = "admin") -> str:
        """Run kubectl as this user; `given` objects go in as JSON."""
        done = subprocess.run(
            [find_tool("kubectl"), f"--kubeconfig={self.kubeconfig(user)}", *words],
            check=False,
            capture_output=True,
            text=True,
            input=json.dumps(given) if given is not None else None,
            env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin", "KUBERC": "off"},
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *words: str) -> dict[str, Any]:
        """Return what `kubectl get` answers."""
        answer: dict[str, Any] = json.loads(self.kubectl("get", *words, "--output=json"))
        return answer

    def let_in(self, user: str, token: str) -> Path:
        """Write the kubeconfig of a user who has this token."""
        authority = str(self.folder / "tls" / "ca.crt")
        server = {"server": self.url, "certificate-authority": authority}
        text = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": server}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        }
        self.kubeconfig(user).write_text(json.dumps(text))
        self.kubeconfig(user).chmod(0o600)
        return self.kubeconfig(user)

    def _is_ready(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.folder / "tls" / "ca.crt"))
        try:
            with urlopen(f"{self.url}/readyz", timeout=2, context=context) as response:
                return bool(response.status == 200)
        except (URLError, OSError):
            return False


@contextmanager
def start_control_plane() -> Iterator[ControlPlane]:
    """Run a control plane in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="abops-cluster-"))
    ports = {name: free_port() for name in ("api", "etcd", "peer")}
    plane = ControlPlane(folder, ports)
    try:
        plane.make()
        plane.start()
        yield plane
    finally:
        plane.stop()
        shutil.rmtree(folder, ignore_errors=True)
