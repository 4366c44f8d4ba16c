"""The log path's files: what is rendered, and that a broken one is found."""

import json
from pathlib import Path

import pytest

from abops.inventory.load import load_inventory
from abops.inventory.model import Inventory
from abops.observability.logs.check import problems
from abops.observability.logs.files import commented_files, json_files
from abops.observability.logs.rsyslog import ShipperPlace, rsyslog_config
from abops.observability.logs.streams import part_of, sources, stream_of, streams_of

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def inventory() -> Inventory:
    return load_inventory(ROOT / "platform.yaml")


@pytest.fixture(scope="module")
def files(inventory: Inventory) -> dict[str, str]:
    return commented_files(inventory) | json_files(inventory)


def test_the_rendered_files_are_sound(files: dict[str, str]) -> None:
    assert () == problems(files)


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("otelcol.yaml", "- memory_limiter", "- memory", "processors memory is used and not"),
        ("otelcol.yaml", "storage: file_storage/queue\nservice", "storage: x\nservice", "be lost"),
        ("otelcol.yaml", "extensions:", "extensions: [", "is no YAML"),
        ("otelcol.yaml", "pipeline: analyticbot-logs", "pipeline: other", "does not use the pi"),
        ("filebeat.yml", "id: bot", "id: api", "every input needs an id of its own"),
        ("filebeat.yml", "max_size", "size", "the queue is not on disk"),
        ("logstash/pipeline.conf", "filter {", "filter ", "brackets or quotes do not match"),
        ("logstash/pipeline.conf", "output {", "outpost {", "has no output"),
        ("ingest-pipeline.json", '"json"', '"jason"', "must be masked before it is parsed"),
        ("index-template.json", '"data_stream"', '"data"', "it makes indices"),
        ("ilm-policy.json", '"rollover"', '"roll"', "nothing rolls over"),
        ("ism-policy.json", '"state_name": "gone"', '"state_name": "x"', "leads to x, which"),
        ("saved-objects.ndjson", '"id": "analyticbot-logs", "ref', '"id": "x", "ref',
         "refers to analyticbot-logs"),
        ("saved-objects.ndjson", "{", "", "a line is no JSON"),
    ],
)  # fmt: skip
def test_a_broken_file_is_named_with_what_is_wrong(
    files: dict[str, str], name: str, old: str, new: str, expected: str
) -> None:
    assert old in files[name]
    found = problems(files | {name: files[name].replace(old, new)})
    assert [expected] == [expected for problem in found if expected in problem][:1]
    assert all(problem.startswith(f"{name}: ") for problem in found)


def test_a_missing_file_is_named(files: dict[str, str]) -> None:
    del (left := dict(files))["filebeat.yml"]
    assert ("filebeat.yml: is missing",) == problems(left)


def test_every_shipper_sends_every_part_to_its_stream(
    inventory: Inventory, files: dict[str, str]
) -> None:
    for source in sources(inventory):
        assert f'tag="{source.part}"' in files["rsyslog.conf"]
        assert f"id: {source.part}\n" in files["filebeat.yml"]
        assert f'"{source.part}"' in files["logstash/pipeline.conf"]
        assert source.part in files["otelcol.yaml"]


def test_what_the_place_says_cannot_leave_its_quotes(inventory: Inventory) -> None:
    place = ShipperPlace("local", logs='/logs "of" $us', state="/s", host="h")
    assert r'file="/logs \"of\" \$us/api.log"' in rsyslog_config(inventory, place)


def test_an_index_belongs_to_the_part_with_the_longest_name(inventory: Inventory) -> None:
    index = f".ds-{stream_of(inventory, 'postgres-exporter', 'local')}-000001"
    assert "postgres-exporter" == part_of(inventory, index)
    assert "postgres" == part_of(inventory, stream_of(inventory, "postgres", "local"))
    assert "" == part_of(inventory, "logs-other.api-local")


def test_a_part_is_searched_in_every_environment_unless_one_is_named(
    inventory: Inventory,
) -> None:
    everywhere = streams_of(inventory, ["api"], None)
    assert tuple(f"logs-analyticbot.api-{e}" for e in inventory.environments) == everywhere
    assert ("logs-analyticbot.api-local",) == streams_of(inventory, ["api"], "local")


def test_saved_objects_open_without_another_import(files: dict[str, str]) -> None:
    documents = [json.loads(line) for line in files["saved-objects.ndjson"].splitlines()]
    assert "index-pattern" == documents[0]["type"]
    assert len({document["id"] for document in documents}) == len(documents)
