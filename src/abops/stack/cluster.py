"""The stack's own PostgreSQL cluster: made once, in a folder that its user can reach.

Started as the step `postgres-cluster` of the stack. PostgreSQL refuses root: as root, folder
and programs belong to the user postgres. When that user cannot pass the folders above the
checkout (a private home), the data goes to the machine's folder for such things, and a link
in `.stack` shows where.
"""

import base64
import hashlib
import hmac
import os
import pwd
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from abops.kernel.errors import OpsError
from abops.kernel.files import write_atomic
from abops.stack.layout import Layout, find_layout
from abops.stack.programs import POSTGRES_USER, drops_root, postgres_prefix
from abops.stack.site import Site, load_site
from abops.stack.tools import find_tool

SUPERUSER = "analytic"
DATABASE = "analytic_bot"
READER = "abops_reader"
FOLDER = "postgres"
REACHABLE = Path("/var/tmp")  # noqa: S108 - the folder is our own, named by the stack, mode 0700
SOCKET_PATH_LIMIT = 107
_SCRAM_ROUNDS = 4096


class ClusterError(OpsError):
    """PostgreSQL's data folder could not be made."""

    hint = "See `abops stack logs postgres-cluster`."


def place_home(layout: Layout) -> Path:
    """Make the folder of PostgreSQL where its user can reach it, and return it."""
    wanted = layout.state / FOLDER
    if not wanted.is_symlink() and not wanted.exists():
        if can_reach(layout.state):
            wanted.mkdir()
        else:
            away = away_home(layout)
            away.mkdir(mode=0o700, exist_ok=True)
            if away.is_symlink() or away.stat().st_uid not in {os.geteuid(), _postgres_uid()}:
                raise ClusterError(
                    f"{away} belongs to somebody else", hint=f"Remove {away} and run it again."
                )
            wanted.symlink_to(away)
    home = wanted.resolve()
    if not home.is_dir():
        raise ClusterError(
            f"{wanted} points to {home}, which is gone",
            hint=f"Bring it back, or remove {wanted} to begin with an empty database.",
        )
    if drops_root():
        shutil.chown(home, POSTGRES_USER, POSTGRES_USER)
    home.chmod(0o700)
    return home


def away_home(layout: Layout) -> Path:
    """Return where the data goes when the stack's own folder cannot be reached."""
    return REACHABLE / f"abops-{layout.stack_id}"


def can_reach(folder: Path) -> bool:
    """Tell whether PostgreSQL's user may pass all folders down to `folder`."""
    prefix = postgres_prefix()
    if not prefix:
        return True
    test = [*prefix, "test", "-x", str(folder)]
    return subprocess.run(test, check=False, cwd="/").returncode == 0  # noqa: S603 - fixed words


def _postgres_uid() -> int:
    return pwd.getpwnam(POSTGRES_USER).pw_uid if drops_root() else os.geteuid()


def data_folder(site: Site) -> Path:
    """Return PostgreSQL's data folder."""
    return site.postgres_home / "data"


def socket_folder(site: Site) -> str:
    """Return the folder of PostgreSQL's socket; none when its path would be too long."""
    socket = site.postgres_home / f".s.PGSQL.{site.port('postgres')}"
    return str(site.postgres_home) if len(os.fsencode(socket)) <= SOCKET_PATH_LIMIT else ""


def make_cluster(site: Site) -> str:
    """Make the data folder when there is none; return what was done, for the log."""
    data = data_folder(site)
    if (data / "PG_VERSION").is_file():
        return f"{data} is there"
    program = find_tool("postgres").resolve().with_name("initdb")
    # A start that was cut short leaves half a folder, which initdb refuses.
    shutil.rmtree(data, ignore_errors=True)
    password = site.postgres_home / "initial-password"
    write_atomic(password, site.secret("postgres"), mode=0o600)
    if drops_root():
        shutil.chown(password, POSTGRES_USER, POSTGRES_USER)
    words = [str(program), "-D", str(data), "-U", SUPERUSER, "-A", "scram-sha-256"]
    words += [f"--pwfile={password}", "-E", "UTF8", "--locale=C.UTF-8", "-k"]
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            [*postgres_prefix(), *words], cwd="/", check=False, capture_output=True, text=True
        )
    except OSError as error:
        raise ClusterError(f"{program}: {error.strerror}") from error
    finally:
        password.unlink(missing_ok=True)
    if done.returncode != 0:
        shutil.rmtree(data, ignore_errors=True)
        raise ClusterError(f"initdb ended with {done.returncode}: {done.stderr.strip()}")
    return f"{data} made"


def write_access(site: Site) -> Path:
    """Write the password file of the clients, and the script that sets database and roles up."""
    port = site.port("postgres")
    passwords = f"127.0.0.1:{port}:*:{SUPERUSER}:{site.secret('postgres')}\n"
    file = password_file(site)
    if not file.is_file() or file.read_text(encoding="utf-8") != passwords:
        write_atomic(file, passwords, mode=0o600)
    script = setup_script(site)
    # The verifier has a random salt: written once, so that a second `up` changes nothing.
    if not script.is_file():
        verifier = scram_verifier(site.secret("postgres-reader"), secrets.token_bytes(16))
        write_atomic(script, setup_sql(verifier), mode=0o600)
    return script


def password_file(site: Site) -> Path:
    """Return the file from which PostgreSQL's clients read the password."""
    return site.layout.secrets / "pgpass"


def setup_script(site: Site) -> Path:
    """Return the script for psql."""
    return site.layout.secrets / "postgres-setup.sql"


def setup_sql(verifier: str) -> str:
    """Return what makes database, extension and the read-only role; running it twice is harmless.

    The role's password is given as its verifier: a failed statement lands in the server's log
    with its text.
    """
    return f"""\\set ON_ERROR_STOP on
SELECT 'CREATE DATABASE {DATABASE}'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec
SELECT 'CREATE ROLE {READER} LOGIN'
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{READER}') \\gexec
ALTER ROLE {READER} PASSWORD '{verifier}';
ALTER ROLE {READER} SET default_transaction_read_only = on;
ALTER ROLE {READER} SET statement_timeout = '5s';
GRANT pg_monitor, pg_read_all_data TO {READER};
\\connect {DATABASE}
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
"""  # noqa: S608 - constants, and a verifier of base64


def scram_verifier(password: str, salt: bytes) -> str:
    """Return what PostgreSQL stores for a password (RFC 5803)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _SCRAM_ROUNDS)
    client = hmac.digest(salted, b"Client Key", "sha256")
    stored, server = hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (base64.b64encode(b).decode() for b in (salt, stored, server))
    return f"SCRAM-SHA-256${_SCRAM_ROUNDS}:{salt64}${stored64}:{server64}"


def main() -> int:
    """Make the cluster of the stack around the current folder."""
    try:
        print(make_cluster(load_site(find_layout())))  # noqa: T201 - a program of its own
    except OpsError as error:
        print(f"error: {error}\n  hint: {error.hint}", file=sys.stderr)  # noqa: T201 - likewise
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
