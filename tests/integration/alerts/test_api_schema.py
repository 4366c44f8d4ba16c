"""The API keeps to its own description: schemathesis sends what it allows, and what it does not."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi import checks as promised
from schemathesis.specs.openapi.schemas import OpenApiSchema

from abops.entry.web.operations import OPERATIONS, ability_of
from support.api import Door, a_door

EXAMPLES = 20
CHECKS = [
    schemathesis.checks.not_a_server_error,
    promised.status_code_conformance,
    promised.content_type_conformance,
    promised.response_schema_conformance,
    promised.response_headers_conformance,
]
ANSWERED = [key for key, o in OPERATIONS.items() if o.media == "application/json"]
"""Not the stream of events, which ends when the reader leaves, nor the metrics."""
TAKING = [
    key
    for key in ANSWERED
    if ability_of(*key) and (OPERATIONS[key].body or OPERATIONS[key].query or "{" in key[1])
]
"""What is neither signed nor open to all describes what it takes: it can be sent other things."""


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with a_door(tmp_path_factory.mktemp("schema")) as door:
        yield door


@pytest.fixture(scope="module")
def schema(door: Door) -> OpenApiSchema:
    return schemathesis.openapi.from_dict(door.described())


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [
        *((*key, GenerationMode.POSITIVE) for key in ANSWERED),
        *((*key, GenerationMode.NEGATIVE) for key in TAKING),
    ],
)
def test_every_answer_is_one_that_the_description_promises(
    door: Door, schema: OpenApiSchema, method: str, path: str, mode: GenerationMode
) -> None:
    operation = schema[path][method.upper()]
    shown = door.let_in(operation.definition.raw)

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def law(case: Case) -> None:
        # Cookies are the session's, which schemathesis would make up.
        case.cookies.clear()
        answer = case.call(base_url=str(door.client.base_url), headers=shown)
        case.validate_response(answer, checks=CHECKS)

    law()
