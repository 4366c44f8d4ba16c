"""Reading platform.yaml: all mistakes at once, each with file, line and a hint.

ruamel.yaml reads YAML 1.2, so that `on:` is a word and `012` a number as people expect, and
it keeps the line of every key. A key that is there twice is an error.
"""

from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from abops.inventory import check, objectives
from abops.inventory.check import Finding, Place
from abops.inventory.model import Inventory
from abops.kernel.errors import OpsError


class InventoryError(OpsError):
    """The inventory cannot be used."""

    hint = "Mend the lines above, then run: abops inventory check"


def load_inventory(path: Path) -> Inventory:
    """Read and check an inventory. Raises InventoryError that lists every mistake."""
    document = _read(path)
    try:
        inventory = Inventory.model_validate(document)
    except ValidationError as error:
        found = [_explain(d, document) for d in error.errors() if not _is_echo(d)]
        raise _error(path, document, found) from error
    mistakes = [*check.findings(inventory), *objectives.findings(inventory)]
    if mistakes:
        raise _error(path, document, mistakes)
    return inventory


def _read(path: Path) -> CommentedMap:
    try:
        text = path.read_text()
    except FileNotFoundError as error:
        raise InventoryError(
            f"{path} does not exist", hint="Name the file, or run in the folder that holds it."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InventoryError(f"{path} cannot be read: {error}") from error
    try:
        document = YAML().load(text)
    except DuplicateKeyError as error:
        line = (error.problem_mark.line if error.problem_mark else 0) + 1
        problem = str(error.problem or "").split(" with value", maxsplit=1)[0]
        raise InventoryError(f"{path}:{line}: {problem}", hint="Keep one of the two.") from error
    except MarkedYAMLError as error:
        line = (error.problem_mark.line if error.problem_mark else 0) + 1
        raise InventoryError(
            f"{path}:{line}: not YAML: {error.problem}",
            hint="Look at indentation, quotes and brackets at and above this line.",
        ) from error
    except YAMLError as error:
        raise InventoryError(f"{path}: not YAML: {error}") from error
    if not isinstance(document, CommentedMap):
        raise InventoryError(
            f"{path}:1: the file must hold a map of keys", hint="Start with version: 1"
        )
    return document


def _error(path: Path, document: CommentedMap, found: list[Finding]) -> InventoryError:
    placed = sorted(
        ((_line(document, mistake.place), mistake) for mistake in found), key=lambda p: p[0]
    )
    lines = [f"{path}:{line}: {m.message}\n    hint: {m.hint}" for line, m in placed]
    count = f"{len(lines)} mistake{'s' * (len(lines) > 1)} in {path.name}"
    return InventoryError("\n  ".join([count, *lines]))


def _line(document: Any, place: Place) -> int:  # noqa: ANN401 - a YAML node is anything
    """Return the line of the deepest key or item of `place` that is in the document."""
    line, node = 1, document
    for step in place:
        try:
            if isinstance(node, CommentedMap):
                line = node.lc.key(step)[0] + 1
            elif isinstance(node, CommentedSeq):
                line = node.lc.item(step)[0] + 1
            node = node[step]
        except (KeyError, IndexError, TypeError):
            break
    return line


def _explain(detail: Any, document: CommentedMap) -> Finding:  # noqa: ANN401 - pydantic's ErrorDetails
    """Put one of pydantic's errors into words for the person who wrote the file."""
    place = _without_tags(tuple(detail["loc"]), document)
    where = ".".join(map(str, place))
    key = str(place[-1]) if place else ""
    match detail["type"]:
        case "extra_forbidden":
            return Finding(
                place, f"unknown key {where}", check.nearest(key, _fields_at(detail["loc"]))
            )
        case "missing":
            return Finding(
                place, f"key {where} is missing", "Add it; abops inventory schema shows its form."
            )
        case "union_tag_invalid" | "union_tag_not_found":
            tags = ("pagerduty", "slack", "telegram", "email")
            given = detail["ctx"].get("tag", "none") if "ctx" in detail else "none"
            return Finding(
                (*place, "type"), f"{where} has type {given!r}", check.nearest(str(given), tags)
            )
        case "value_error":
            return Finding(place, f"{where}: {detail['ctx']['error']}", "Correct the value.")
        case _:
            text = str(detail["msg"])
            message = f"{where}: {text[:1].lower()}{text[1:]}, got {_short(detail['input'])}"
            return Finding(place, message, "abops inventory schema shows what is allowed.")


def _is_echo(detail: Any) -> bool:  # noqa: ANN401 - pydantic's ErrorDetails
    """Tell whether the error only repeats that the items of a list have errors of their own."""
    return bool(detail["type"] == "too_short" and detail["input"])


def _short(value: object) -> str:
    text = repr(dict(value) if isinstance(value, CommentedMap) else value)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - one line stays readable


def _without_tags(loc: Place, document: CommentedMap) -> Place:
    """Drop the union tags that pydantic puts among the keys: they are not in the file."""
    place: list[str | int] = []
    node: Any = document
    for step in loc:
        inside = (isinstance(node, CommentedMap) and step in node) or (
            isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node)
        )
        if inside:
            node = node[step]
            place.append(step)
        elif step == loc[-1]:
            place.append(step)
    return tuple(place)


def _fields_at(loc: Place) -> list[str]:
    """Return the keys that the model at `loc`'s parent knows."""
    model: Any = Inventory
    for step in loc[:-1]:
        model = _step(model, step)
    return sorted(model.model_fields) if _is_model(model) else []


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _step(annotation: Any, step: str | int) -> Any:  # noqa: ANN401 - walks type annotations
    if _is_model(annotation) and step in annotation.model_fields:
        return annotation.model_fields[step].annotation
    arguments = get_args(annotation)
    tagged = [a for a in _flat(arguments) if _is_model(a) and _tag(a) == step]
    models = [a for a in _flat(arguments) if _is_model(a)]
    if tagged:
        return tagged[0]
    if len(models) == 1:
        return (
            models[0]
            if isinstance(step, int) or step not in models[0].model_fields
            else _step(models[0], step)
        )
    return arguments[-1] if len(arguments) > 1 and isinstance(step, str) else annotation


def _flat(arguments: tuple[Any, ...]) -> list[Any]:
    return [inner for a in arguments for inner in ([a] if _is_model(a) else _flat(get_args(a)))]


def _tag(model: type[BaseModel]) -> str | None:
    field = model.model_fields.get("type")
    return str(get_args(field.annotation)[0]) if field and get_args(field.annotation) else None
