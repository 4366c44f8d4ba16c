import pytest

from abops.stack.channels.severity import severity_in


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("● api is down", "critical"),
        ("▲ critical words do not outweigh the mark", "warning"),
        ("[RESOLVED] critical: api", "resolved"),
        ("Error in the bot", "critical"),
        ("information is not info-", "info"),
        ("Weekly summary", None),
    ],
)
def test_a_severity_is_read_as_a_person_reads_it(text: str, severity: str | None) -> None:
    assert severity == severity_in(text)
