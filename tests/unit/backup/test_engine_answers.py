from pathlib import Path

import pytest

from abops.backup.postgres import faults
from abops.backup.postgres.facts import facts_of
from abops.backup.postgres.faults import meaning
from abops.clients.pgbackrest import secrets_in
from abops.clients.pgbackrest_answers import Answer, capabilities_of, clean, read_info
from support.backup_values import EU

DENIED = """ERROR: [039]: HTTP request failed with 403 (Forbidden):
       *** Request Headers ***:
       authorization: <redacted>
       *** Response Headers ***:
       date: Wed, 25 Nov 2026 11:00:00 GMT
       *** Response Content ***:
       <Error><Code>{code}</Code></Error>"""
ELEVEN = 1_795_604_400.0
UNTRUSTED = (
    "ERROR: [095]: unable to verify certificate presented by 'localhost:1 (127.0.0.1)': [10] "
    "certificate has expired\nHINT: is or was the repo encrypted?"
)


@pytest.mark.parametrize(
    ("version", "claims"),
    [
        ("2.44", {"usable": False, "block_incremental": False}),
        ("2.45", {"usable": True, "block_by_beta_flag": True, "verify_trusted": False}),
        ("2.47", {"block_by_beta_flag": False, "verify_trusted": True, "advised": False}),
        ("2.52.1", {"advised": True, "compares_addresses": False, "newest_postgres": 16}),
        ("2.55.1", {"target_time": True, "verifies_one_set": True, "newest_postgres": 17}),
        ("2.59.1", {"root_allowed": False, "expire_checks_host": True, "newest_postgres": 18}),
    ],
)
def test_a_version_can_what_its_notes_say(version: str, claims: dict[str, object]) -> None:
    can = capabilities_of(f"pgBackRest {version}\n")

    assert claims == {name: getattr(can, name) for name in claims}


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        (DENIED.format(code="SignatureDoesNotMatch"), 39, faults.DestinationDeniedError),
        (DENIED.format(code="InvalidAccessKeyId"), 39, faults.DestinationDeniedError),
        (DENIED.format(code="RequestTimeTooSkewed"), 39, faults.DestinationClockError),
        ("<Error><Code>NoSuchBucket</Code></Error>", 39, faults.BucketMissingError),
        (UNTRUSTED, 95, faults.DestinationCertificateError),
        ("CryptoError: unable to flush", 95, faults.PassphraseError),
        ("key/value found outside of section at line 1", 29, faults.PassphraseError),
        ("unable to connect to 'localhost:1': Connection refused", 49, None),
        ("unable to find primary cluster - cannot proceed", 56, faults.DatabaseAwayError),
        (
            "unable to check pg1: [DbConnectError] unable to connect to 'port=5432'",
            56,
            faults.DatabaseAwayError,
        ),
        ("no answer within 10 s", -1, faults.DestinationUnreachableError),
        ("unable to write '/x': [28] No space left on device", 64, faults.DiskFullError),
        ("raised from local-1: [500] Internal Server Error", 39, faults.DestinationFailingError),
        ("HTTP request failed with 503 (Slow Down):", 39, faults.DestinationFailingError),
        ("unable to acquire lock on file", 50, faults.LockedError),
        ("terminated on signal from system [SIGTERM]", 63, faults.EngineInterruptedError),
        ("archive_command '/bin/true' must contain pgbackrest", 68, faults.ArchivingError),
        ("something nobody has seen before", 25, faults.DestinationError),
    ],
)
def test_a_failure_has_a_name_and_a_next_step(
    text: str, code: int, expected: type[faults.DestinationError] | None
) -> None:
    error = meaning(EU, "backup", code, text)

    assert (expected or faults.DestinationUnreachableError) is type(error)
    assert str(error).startswith("eu: backup: ")
    assert error.hint


def test_a_full_disk_is_told_with_what_could_not_be_written() -> None:
    text = "raised from local-1:\nunable to write '/x/y': [28] No space left on device\nhint: z"
    told = "eu: restore: unable to write '/x/y': [28] No space left on device"
    assert told == str(meaning(EU, "restore", 64, text))


def test_a_line_that_only_says_that_errors_follow_is_no_reason() -> None:
    text = "archive-push command encountered error(s):\n[FileOpenError] on '/x': not there"
    assert "eu: archive-push: [FileOpenError] on '/x': not there" == str(
        meaning(EU, "archive-push", 104, text)
    )


def test_a_refusal_about_the_clock_names_the_offset() -> None:
    text = DENIED.format(code="SignatureDoesNotMatch")

    skewed = meaning(EU, "info", 39, text, at=ELEVEN + 1_200)
    in_time = meaning(EU, "info", 39, text, at=ELEVEN + 299)

    assert "eu: info: this machine's clock is 20.0 min ahead of the store's" == str(skewed)
    assert faults.DestinationDeniedError is type(in_time)


def test_what_a_wrong_passphrase_prints_is_cleaned() -> None:
    raw = b"ERROR: [029]: at line 1: \x00\x9c\xffA\x1b[31m\x07 secret-passphrase x"

    shown = clean(raw, ["secret-passphrase"])

    assert shown.isprintable()
    assert "secret-passphrase" not in shown
    assert shown.startswith("ERROR: [029]: at line 1: ")


def test_info_with_noise_in_its_message_can_be_read() -> None:
    text = '[{"name":"main","repo":[{"status":{"code":99,"message":"bad \x01\x0c key"}}]}]'

    info = read_info(text, "main")

    assert (99, "bad    key") == (info.status.code, info.status.message)


def test_a_stanza_that_is_not_there_is_said_to_be_missing() -> None:
    assert "missing stanza path" == read_info("[]", "main").status.message


def test_a_backup_becomes_facts() -> None:
    text = (
        '[{"name":"main","db":[{"id":1,"system-id":77,"version":"15"}],'
        '"status":{"code":0,"message":"ok"},"backup":[{"label":"20261125-110122F_20261125-110351I",'
        '"type":"diff","prior":"20261125-110122F","error":true,"annotation":{"abops-run":"r1"},'
        '"archive":{"start":"A","stop":"B"},"lsn":{"start":"0/1","stop":"0/2"},'
        '"timestamp":{"start":10,"stop":12},"database":{"id":1},'
        '"info":{"size":100,"delta":50,"repository":{"delta":7}}}]}]'
    )

    (one,) = facts_of(read_info(text, "main"), EU)

    assert ("incr", "20261125-110122F", True, "r1") == (one.type, one.prior, one.error, one.run)
    assert (100, 7, 77, 10.0, 12.0) == (
        one.size,
        one.repo_size,
        one.system_id,
        one.started,
        one.stopped,
    )


def test_the_first_error_of_the_engine_counts() -> None:
    answer = Answer(39, "", "WARN: x\nERROR: [039]: first\nERROR: [055]: second", 0.1)

    assert (39, "first") == answer.fault


def test_secrets_of_a_configuration_are_known_by_their_options(tmp_path: Path) -> None:
    config = tmp_path / "eu.conf"
    config.write_text(
        "repo1-s3-key=AKEY\nrepo1-s3-key-secret=SECRET\nrepo1-cipher-pass=PASS\n"
        "repo1-azure-key=AZURE\nrepo1-s3-bucket=open\n"
    )

    assert {"AKEY", "SECRET", "PASS", "AZURE"} == set(secrets_in(config))
