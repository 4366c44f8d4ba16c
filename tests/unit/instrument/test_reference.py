import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "packages" / "abops-instrument" / "src" / "abops_instrument"
MADE = re.compile(r'(?:(?:counter|gauge|histogram|Counter)\(\s*|^NAME = )"([a-z_]+)"', re.MULTILINE)


def test_every_metric_of_the_library_is_in_the_reference() -> None:
    reference = (ROOT / "docs" / "reference" / "instrument.md").read_text()
    made = {name for path in SOURCE.rglob("*.py") for name in MADE.findall(path.read_text())}
    listed = set(
        re.findall(r"^\| `([a-z_]+)` \| (?:counter|gauge|histogram)", reference, re.MULTILINE)
    )
    assert made == listed
    assert len(made) > 20
