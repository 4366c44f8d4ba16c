"""Whether the log path's files hang together, as far as reading them can tell.

rsyslog judges its own file where it is installed. The other programs are not on every machine,
so their files are read here: what refers to something must find it, and every way must lead to
the same pipeline and streams, with a queue that survives a restart.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from abops.observability.logs.streams import PIPELINE

Document = Mapping[str, Any]


def problems(files: Mapping[str, str]) -> tuple[str, ...]:
    """Return what is wrong with the files, by their names below `logging/`."""
    return tuple(
        f"{name}: {problem}"
        for name, judge in _JUDGES.items()
        for problem in (judge(files[name]) if name in files else ["is missing"])
    )


def _yaml(judge: Callable[[Document], Iterator[str]]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError as error:
            return [f"is no YAML: {' '.join(str(error).split())}"]
        return list(judge(document)) if isinstance(document, dict) else ["is no mapping"]

    return read


def _json(judge: Callable[[Document], Iterator[str]]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        try:
            document = json.loads(text)
        except ValueError as error:
            return [f"is no JSON: {error}"]
        return list(judge(document)) if isinstance(document, dict) else ["is no object"]

    return read


def _collector(document: Document) -> Iterator[str]:
    service = document.get("service", {})
    used: dict[str, set[str]] = {"extensions": set(service.get("extensions", ()))}
    for name, pipeline in service.get("pipelines", {}).items():
        processors = pipeline.get("processors", [])
        if processors[:1] != ["memory_limiter"]:
            yield f"pipeline {name} does not begin with the memory_limiter"
        for kind in ("receivers", "processors", "exporters"):
            used.setdefault(kind, set()).update(pipeline.get(kind, ()))
    for kind, names in used.items():
        declared = set(document.get(kind, {}))
        yield from (f"{kind} {name} is used and not declared" for name in sorted(names - declared))
        yield from (f"{kind} {name} is declared and not used" for name in sorted(declared - names))
    for name, exporter in document.get("exporters", {}).items():
        if exporter.get("pipeline") != PIPELINE:
            yield f"exporter {name} does not use the pipeline {PIPELINE}"
        if exporter.get("sending_queue", {}).get("storage") not in used["extensions"]:
            yield f"the queue of exporter {name} would be lost with the process"


def _filebeat(document: Document) -> Iterator[str]:
    ids = [entry.get("id") for entry in document.get("filebeat.inputs", ())]
    if not ids or None in ids or len(set(ids)) != len(ids):
        yield "every input needs an id of its own"
    yield from (
        f"input {entry.get('id')} has no paths"
        for entry in document.get("filebeat.inputs", ())
        if not entry.get("paths")
    )
    output = document.get("output.elasticsearch", {})
    if output.get("pipeline") != PIPELINE:
        yield f"the output does not use the pipeline {PIPELINE}"
    if not str(output.get("index", "")).startswith("logs-"):
        yield "the output's index is none of the log streams"
    if "max_size" not in document.get("queue.disk", {}):
        yield "the queue is not on disk"


def _logstash(text: str) -> list[str]:
    found = []
    depth, quoted = 0, ""
    for character in text:
        if quoted:
            quoted = "" if character == quoted else quoted
        elif character in {'"', "'"}:
            quoted = character
        elif character in "{}":
            depth += 1 if character == "{" else -1
            if depth < 0:
                break
    if depth or quoted:
        found.append("brackets or quotes do not match")
    found += [
        f"has no {s}" for s in ("input", "filter", "output") if f"\n{s} {{" not in f"\n{text}"
    ]
    if f'pipeline => "{PIPELINE}"' not in text:
        found.append(f"the output does not use the pipeline {PIPELINE}")
    return found


def _pipeline(document: Document) -> Iterator[str]:
    kinds = [kind for processor in document.get("processors", ()) for kind in processor]
    if "json" not in kinds or "gsub" in kinds[kinds.index("json") :]:
        yield "the text must be masked before it is parsed"


def _template(document: Document) -> Iterator[str]:
    if "data_stream" not in document:
        yield "it makes indices, no data streams"
    fields = document.get("template", {}).get("mappings", {}).get("properties", {})
    yield from (
        f"{n} has no type" for n in ("@timestamp", "trace.id") if "type" not in fields.get(n, {})
    )


def _ilm(document: Document) -> Iterator[str]:
    phases = document.get("policy", {}).get("phases", {})
    if "rollover" not in phases.get("hot", {}).get("actions", {}):
        yield "nothing rolls over"
    if "delete" not in phases.get("delete", {}).get("actions", {}):
        yield "nothing is deleted"


def _ism(document: Document) -> Iterator[str]:
    policy = document.get("policy", {})
    states = {state["name"]: state for state in policy.get("states", ())}
    if policy.get("default_state") not in states:
        yield "the first state does not exist"
    for name, state in states.items():
        for transition in state.get("transitions", ()):
            if transition["state_name"] not in states:
                yield f"state {name} leads to {transition['state_name']}, which does not exist"


def _saved_objects(text: str) -> list[str]:
    try:
        documents = [json.loads(line) for line in text.splitlines()]
    except ValueError as error:
        return [f"a line is no JSON: {error}"]
    ids = {(document.get("type"), document.get("id")) for document in documents}
    return [
        f"{document['id']} refers to {reference['id']}, which is not in the file"
        for document in documents
        for reference in document.get("references", ())
        if (reference["type"], reference["id"]) not in ids
    ]


_JUDGES: dict[str, Callable[[str], list[str]]] = {
    "otelcol.yaml": _yaml(_collector),
    "filebeat.yml": _yaml(_filebeat),
    "logstash/pipeline.conf": _logstash,
    "ingest-pipeline.json": _json(_pipeline),
    "index-template.json": _json(_template),
    "ilm-policy.json": _json(_ilm),
    "ism-policy.json": _json(_ism),
    "saved-objects.ndjson": _saved_objects,
}
