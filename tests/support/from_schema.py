"""Values made from a JSON schema: such as fit it, and such as almost do."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
_STAMPS = st.sampled_from(
    ["2026-11-25T08:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+14:00", "no time"]
)


def fitting(schema: Mapping[str, Any], components: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that fit; names and texts are drawn short."""
    if "$ref" in schema:
        return st.deferred(
            lambda: fitting(components[schema["$ref"].rpartition("/")[2]], components)
        )
    if "anyOf" in schema:
        return st.one_of([fitting(one, components) for one in schema["anyOf"]])
    if schema.get("type") == "object":
        return _objects(schema, components)
    if schema.get("type") == "array":
        items = fitting(schema.get("items", {}), components)
        return st.lists(items, min_size=schema.get("minItems", 0), max_size=3)
    return _plain(schema)


def _plain(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("format") == "date-time":
        return _STAMPS
    least = schema.get("minLength", 0)
    most = max(least, min(schema.get("maxLength", 30), 30))
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "string": st.text(min_size=least, max_size=most),
        "integer": st.integers(schema.get("minimum"), schema.get("maximum")),
        "number": st.floats(allow_nan=False, allow_infinity=False),
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return kinds.get(str(schema.get("type")), Json)


def almost(schema: Mapping[str, Any], components: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that fit, that fit but for one field, and any others."""
    good = fitting(schema, components)
    spoilt = st.builds(_spoilt, good, st.integers(0, 20), Json)
    return st.one_of(good, good, spoilt, Json)


def _objects(
    schema: Mapping[str, Any], components: Mapping[str, Any]
) -> st.SearchStrategy[dict[str, Any]]:
    fields = {n: fitting(f, components) for n, f in schema.get("properties", {}).items()}
    required = set(schema.get("required", ()))
    if not fields:
        more = schema.get("additionalProperties")
        values = fitting(more, components) if isinstance(more, dict) else Json
        names = st.sampled_from(["alertname", "service", "severity", "summary", "é", ""])
        return st.dictionaries(names, values, max_size=4)
    return st.fixed_dictionaries(
        {name: field for name, field in fields.items() if name in required},
        optional={name: field for name, field in fields.items() if name not in required},
    )


def _spoilt(value: object, position: int, wrong: object) -> object:
    if isinstance(value, list) and value:
        at = position % len(value)
        return [*value[:at], _spoilt(value[at], position, wrong), *value[at + 1 :]]
    if isinstance(value, dict) and value:
        name = sorted(value)[position % len(value)]
        return {**value, name: wrong}
    return wrong
