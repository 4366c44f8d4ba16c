import re
from pathlib import Path

import pytest

from abops.stack.credentials import (
    KINDS,
    SecretMissingError,
    make_credentials,
    read_credential,
)


def test_secrets_are_closed_to_everybody_else(tmp_path: Path) -> None:
    make_credentials(tmp_path / "secrets", slack_url="http://127.0.0.1:1")

    folder = tmp_path / "secrets"
    assert 0o700 == folder.stat().st_mode & 0o777
    assert {0o600} == {path.stat().st_mode & 0o777 for path in folder.iterdir()}


def test_a_second_start_keeps_the_secrets(tmp_path: Path) -> None:
    make_credentials(tmp_path, slack_url="http://127.0.0.1:1")
    before = {name: read_credential(tmp_path, name) for name in KINDS}

    make_credentials(tmp_path, slack_url="http://127.0.0.1:1")

    assert before == {name: read_credential(tmp_path, name) for name in KINDS}


def test_the_webhook_follows_slacks_address(tmp_path: Path) -> None:
    make_credentials(tmp_path, slack_url="http://127.0.0.1:1")
    make_credentials(tmp_path, slack_url="http://127.0.0.1:2")

    path = read_credential(tmp_path, "slack-webhook-path")
    assert f"http://127.0.0.1:2{path}" == read_credential(tmp_path, "slack-webhook")


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("slack", r"xoxb-\d+-\d+-\w{24}"),
        ("telegram", r"[1-9]\d{8}:[\w-]{35}"),
        ("bot-token", r"[1-9]\d{8}:[\w-]{35}"),
        ("pd-dev", r"[0-9a-f]{32}"),
        ("slack-webhook-path", r"/services/T\w{9}/B\w{9}/\w{24}"),
        ("postgres", r"[A-Za-z0-9]{32}"),
    ],
)
def test_each_secret_has_the_form_of_the_real_one(tmp_path: Path, name: str, form: str) -> None:
    make_credentials(tmp_path, slack_url="http://127.0.0.1:1")

    assert re.fullmatch(form, read_credential(tmp_path, name))


def test_a_missing_secret_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SecretMissingError, match="pd-dev"):
        read_credential(tmp_path, "pd-dev")
