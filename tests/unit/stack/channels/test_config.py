import json
from pathlib import Path
from typing import Any

import pytest

from abops.stack.channels.config import ChannelConfigError, Secrets, load_config

GOOD: dict[str, Any] = {
    "slack_port": 9611,
    "pagerduty_port": 9612,
    "telegram_port": 9613,
    "smtp_port": 9614,
    "inbox_port": 9610,
    "data_dir": "data",
    "secrets_dir": "secrets",
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"slack_port": 9612}, "share a port"),
        ({"slack_port": 0}, "from 1 to 65535"),
        ({"slack_port": "9611"}, r"Expected `int`, got `str` - at `\$.slack_port`"),
        ({"slak_port": 1}, "unknown field `slak_port`"),
    ],
)
def test_a_mistake_is_named_with_the_file(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    path = tmp_path / "channels.json"
    path.write_text(json.dumps(GOOD | change))
    with pytest.raises(ChannelConfigError, match=f"channels.json.*{said}"):
        load_config(path)


def test_a_missing_file_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(ChannelConfigError, match="cannot be read") as refused:
        load_config(tmp_path / "none.json")
    assert "slack_port" in refused.value.hint


def test_a_rotated_secret_counts_at_once_and_a_missing_one_matches_nothing(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    assert not secrets.matches("slack", "")
    (tmp_path / "slack").write_text("xoxb-1\n")
    assert secrets.matches("slack", "xoxb-1")
    (tmp_path / "slack").write_text("xoxb-2")
    assert not secrets.matches("slack", "xoxb-1")
