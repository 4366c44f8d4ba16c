"""The bundle of configuration against a real database and two regions."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from abops.backup.model import Home
from abops.backup.postgres.credentials import credentials_of
from abops.clients.objectstore import Store, open_store
from support.backup import ROOT, Protected, backup_command, run_as_owner


@pytest.fixture(scope="module")
def key(protected: Protected) -> Path:
    """The offline recovery key, in a file that the owner of the database may make."""
    folder = protected.database.folder / "offline"
    run_as_owner("mkdir", folder)
    path = folder / "recovery.key"
    done = protected.abops("config", "init-key", "--write-identity", path)
    assert 0 == done.returncode, done.stderr
    return path


@pytest.fixture(scope="module")
def saved(protected: Protected, key: Path) -> str:
    """The name of a bundle that both regions hold, sealed for the recovery key too."""
    assert key.name == "recovery.key"
    done = protected.abops("config", "save", "--no-git", "--output", "json")
    assert 0 == done.returncode, done.stderr
    rows = json.loads(done.stdout)
    assert {"eu": "stored", "us": "stored"} == {row["destination"]: row["state"] for row in rows}
    return str(rows[0]["bundle"])


@pytest.fixture
def empty_machine() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="abops-empty-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _bootstrap(
    protected: Protected, home: Path, key: Path, place: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    place.write_bytes(msgspec.json.encode(protected.destination("us")))
    return backup_command(
        *("config", "restore", "--home", home, "--bootstrap", "--identity", key, "--place", place),
        *("--credentials", protected.keys / "backup-us.json", *words),
    )


def _store(protected: Protected, name: str) -> Store:
    place = protected.destination(name)
    return open_store(place, credentials_of(protected.home, place))


def test_an_empty_machine_gets_a_home_from_which_the_engine_reads(
    protected: Protected, key: Path, saved: str, empty_machine: Path
) -> None:
    home = Home(empty_machine / "home")
    done = _bootstrap(protected, home.folder, key, empty_machine / "place.json")
    assert 0 == done.returncode, done.stderr
    assert saved in done.stdout
    there = backup_command("list", "--home", home.folder, "--output", "json")
    assert 0 == there.returncode, there.stderr
    for place in protected.site.destinations:
        conf = home.engine(place.name, place.generation).read_text()
        assert str(protected.home.folder) not in conf
        was, now = (one.passphrase(place.name, "g1") for one in (protected.home, home))
        assert was.read_text() == now.read_text()
        assert (home.folder / "certificates" / f"{place.name}.crt").is_file()
    beside = home.folder / "recovered" / saved.split(".", 1)[0]
    assert "CREATE ROLE" in (beside / "postgres" / "globals.sql").read_text()
    assert (ROOT / "platform.yaml").read_text() == (beside / "platform.yaml").read_text()


def test_a_wrong_key_applies_nothing(protected: Protected, saved: str, empty_machine: Path) -> None:
    wrong = empty_machine / "wrong.key"
    made = protected.abops("config", "init-key", "--help")
    assert "recovery key" in made.stdout
    from abops.backup.configuration.sealing import new_key  # noqa: PLC0415

    wrong.write_text(new_key()[0])
    home = empty_machine / "home"
    done = _bootstrap(protected, home, wrong, empty_machine / "place.json", "--bundle", saved)
    assert 1 == done.returncode, done.stderr
    assert "does not open" in done.stderr
    assert not home.exists()


async def test_one_altered_byte_is_found_and_another_region_helps(
    protected: Protected, key: Path, saved: str, empty_machine: Path
) -> None:
    store = _store(protected, "us")
    path = f"analyticbot/config/{saved}"
    sealed = await store.get(path)
    await store.put(path, sealed[:-40] + bytes([sealed[-40] ^ 1]) + sealed[-39:])
    try:
        home = empty_machine / "home"
        done = _bootstrap(protected, home, key, empty_machine / "place.json")
        assert 1 == done.returncode, done.stderr
        assert "altered or cut" in done.stderr
        assert not home.exists()
        other = protected.abops("config", "show", saved, "--from", "eu", "--output", "json")
        assert 0 == other.returncode, other.stderr
    finally:
        await store.put(path, sealed)


def test_a_diff_tells_keys_and_hashes_and_never_a_value(protected: Protected, saved: str) -> None:
    secret = protected.home.passphrase("eu", "g1").read_text().strip()
    path = protected.home.engine("eu", "g1")
    before = path.read_text()
    run_as_owner("sed", "-i", "s/^repo1-cipher-pass=.*/repo1-cipher-pass=another/", path)
    try:
        done = protected.abops("config", "diff", saved, "--output", "json")
        assert 0 == done.returncode, done.stderr
        found = {(row["member"], row["key"], row["change"]) for row in json.loads(done.stdout)}
        assert {("home/eu.g1.conf", "global.repo1-cipher-pass", "changed")} == found
        assert secret not in done.stdout + done.stderr
        assert "another" not in done.stdout
        dry = ("config", "restore", "--identity", protected.home.identity, "--dry-run")
        plan = protected.abops(*dry, "--output", "json")
        assert ["eu.g1.conf"] == [row["member"] for row in json.loads(plan.stdout)]
        assert "another" in path.read_text()
        back = protected.abops("config", "restore", "--identity", protected.home.identity)
        assert 0 == back.returncode, back.stderr
        assert before == path.read_text()
    finally:
        shutil.rmtree(protected.home.folder / "recovered", ignore_errors=True)


async def test_no_secret_is_in_the_bundle_s_bytes(protected: Protected, saved: str) -> None:
    words = [path.read_bytes().strip() for path in protected.home.secrets.iterdir()]
    for name in ("eu", "us"):
        sealed = await _store(protected, name).get(f"analyticbot/config/{saved}")
        assert sealed.startswith(b"age-encryption.org/v1\n")
        assert not [word for word in words if word in sealed]
