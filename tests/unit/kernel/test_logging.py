import json

import pytest
import structlog

from abops.kernel.logging import configure, mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (
            "POST /bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/sendMessage",
            "POST /bot***/sendMessage",
        ),
        ("token xoxb-12345-abcdef", "token xoxb-***"),
        ("Authorization: Bearer abc.def-1", "Authorization: Bearer ***"),
        ("postgresql://analytic:s3cret@127.0.0.1/db", "postgresql://analytic:***@127.0.0.1/db"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_secrets_are_masked(text: str, masked: str) -> None:
    assert masked == mask(text)


def test_a_log_line_is_one_json_object_in_ecs_names(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        configure("abops-test")
        structlog.get_logger().info("sent", url="https://u:pw@host/")
        line = json.loads(capsys.readouterr().err)
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    assert "sent" == line["message"]
    assert "info" == line["log.level"]
    assert "abops-test" == line["service.name"]
    assert "https://u:***@host/" == line["url"]
    assert line["@timestamp"].endswith("Z")
