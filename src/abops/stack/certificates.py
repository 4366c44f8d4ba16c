"""A certificate authority of the stack's own, and a server certificate that it signed.

The backup engine speaks TLS only. Both names of the loopback are in the certificate: engines
before 2.53 do not compare addresses.
"""

import subprocess
from pathlib import Path

from abops.kernel.errors import OpsError
from abops.kernel.files import write_atomic

DAYS = 825
RENEW_BEFORE_S = 30 * 86_400
_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_SERVER = "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n"


class CertificateError(OpsError):
    """No certificate could be made."""

    hint = "openssl is needed: install it."


def make_certificates(folder: Path) -> bool:
    """Make ca.crt, server.crt and server.key in `folder`; tell whether anything was made.

    What is there stays as long as it is good for a month. The authority's key is not kept: who
    needs another certificate gets another authority.
    """
    if _lasts(folder / "server.crt") and (folder / "server.key").is_file():
        return False
    folder.mkdir(parents=True, exist_ok=True)
    ca_key, request = folder / "ca.key", folder / "server.csr"
    write_atomic(folder / "server.ext", _SERVER)
    # A key must not be readable for the moment between its making and a chmod.
    for key in (ca_key, folder / "server.key"):
        write_atomic(key, "", mode=0o600)
    _openssl(
        *("req", "-x509", *_CURVE, "-keyout", str(ca_key), "-out", str(folder / "ca.crt")),
        *("-days", str(DAYS), "-subj", "/CN=analyticbot local authority"),
        *("-addext", "basicConstraints=critical,CA:TRUE"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )
    _openssl(
        *("req", *_CURVE, "-keyout", str(folder / "server.key"), "-out", str(request)),
        *("-subj", "/CN=localhost"),
    )
    _openssl(
        *("x509", "-req", "-in", str(request), "-CA", str(folder / "ca.crt")),
        *("-CAkey", str(ca_key), "-CAcreateserial", "-days", str(DAYS)),
        *("-extfile", str(folder / "server.ext"), "-out", str(folder / "server.crt")),
    )
    for left in (ca_key, request, folder / "server.ext", folder / "ca.srl"):
        left.unlink(missing_ok=True)
    return True


def _lasts(certificate: Path) -> bool:
    if not certificate.is_file():
        return False
    words = ["openssl", "x509", "-in", str(certificate), "-noout", "-checkend"]
    words.append(str(RENEW_BEFORE_S))
    return subprocess.run(words, check=False, capture_output=True).returncode == 0  # noqa: S603


def _openssl(*words: str) -> None:
    try:
        done = subprocess.run(["openssl", *words], check=False, capture_output=True, text=True)  # noqa: S603, S607 - our own words
    except OSError as error:
        raise CertificateError(f"openssl: {error.strerror}") from error
    if done.returncode != 0:
        raise CertificateError(f"openssl {words[0]} ended with {done.returncode}: {done.stderr}")
