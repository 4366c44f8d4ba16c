from abops.backup.model import Destination
from abops.backup.postgres.config import backup_flags, engine_config
from abops.backup.postgres.credentials import Credentials, Keyring
from abops.clients.pgbackrest_answers import capabilities_of
from support.backup_values import AZURE, EU, HOME, SITE

RING = Keyring(Credentials("AK", "SK", "QUs="), "UGFzcw==")
NOW = capabilities_of("pgBackRest 2.55.1")
OLDEST = capabilities_of("pgBackRest 2.45")


def text_of(place: Destination) -> str:
    return engine_config(HOME, SITE, place, RING, NOW)


def options(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def test_an_s3_destination_has_one_repository_and_one_option_per_line() -> None:
    expected = """\
[global]
lock-path=/etc/abops/backup/engine/eu/lock
spool-path=/etc/abops/backup/engine/eu/spool
log-path=/etc/abops/backup/engine/eu/log
log-level-file=warn
process-max=2
start-fast=y
archive-async=n
archive-timeout=60
compress-type=zst
compress-level=1
io-timeout=30
expire-auto=n
repo1-path=/analyticbot/g1
repo1-type=s3
repo1-s3-bucket=copies
repo1-s3-endpoint=s3.example.org
repo1-s3-region=eu-central-1
repo1-s3-key=AK
repo1-s3-key-secret=SK
repo1-s3-uri-style=path
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=UGFzcw==
repo1-bundle=y
repo1-block=y
repo1-retention-full-type=time
repo1-retention-full=30

[main]
pg1-path=/var/lib/db
pg1-port=5432
pg1-socket-path=/run/db
pg1-user=admin
pg1-database=postgres
"""
    assert expected == text_of(EU)


def test_an_azure_emulator_is_addressed_by_path_and_port() -> None:
    found = {k: v for k, v in options(text_of(AZURE)).items() if "azure" in k or "storage" in k}

    assert found == {
        "repo1-azure-account": "ours",
        "repo1-azure-container": "copies",
        "repo1-azure-key": "QUs=",
        "repo1-azure-endpoint": "localhost",
        "repo1-azure-uri-style": "path",
        "repo1-storage-host": "localhost",
        "repo1-storage-port": "10443",
        "repo1-storage-ca-file": "/etc/ca.crt",
    }


def test_destinations_share_no_folder() -> None:
    folders = [
        {v for k, v in options(text_of(place)).items() if k.endswith("-path") and "engine" in v}
        for place in (EU, AZURE)
    ]

    assert set() == folders[0] & folders[1]


def test_the_oldest_engine_takes_blocks_on_the_command_line_only() -> None:
    old = engine_config(HOME, SITE, EU, RING, OLDEST)

    assert "repo1-block" not in options(old)
    assert ("--beta", "--repo1-block") == backup_flags(OLDEST)
    assert () == backup_flags(NOW)


def test_a_keyring_tells_nothing() -> None:
    shown = f"{RING!r} {RING} {RING.keys!r}"

    assert not any(secret in shown for secret in ("AK", "SK", "QUs=", "UGFzcw"))
