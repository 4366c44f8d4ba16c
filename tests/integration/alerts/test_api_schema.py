"""The API keeps to its own description: schemathesis sends what it allows, and what it does not."""

from collections.abc import Iterator

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi import checks as promised
from schemathesis.specs.openapi.schemas import OpenApiSchema

from abops.entry.web.openapi import OPERATIONS
from support.alerts import TOKEN, a_body, a_process, an_alert
from support.channels import prepared

RESPOND = "respond-token-of-the-tests"
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
TAKING = [key for key in ANSWERED if OPERATIONS[key].scope]
"""What is neither signed nor open to all describes what it takes: it can be sent other things."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    folder = tmp_path_factory.mktemp("schema")
    channels = prepared(folder / "channels")
    for name, secret in [("ingest", TOKEN), ("respond", RESPOND)]:
        (channels.folder / "secrets" / name).write_text(secret)
    with (
        a_process(channels, folder / "service") as process,
        httpx2.Client(base_url=process.client.base_url, trust_env=False, timeout=20) as client,
    ):
        firing = a_body(*(an_alert(f"A{n}", service=f"s{n}") for n in range(5)))
        taken = client.post("/v1/alertmanager", content=firing, headers=bearer(TOKEN))
        assert 200 == taken.status_code
        yield client


@pytest.fixture(scope="module")
def schema(service: httpx2.Client) -> OpenApiSchema:
    described = service.get("/v1/openapi.json", headers=bearer(RESPOND)).json()
    return schemathesis.openapi.from_dict(described)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [
        *((*key, GenerationMode.POSITIVE) for key in ANSWERED),
        *((*key, GenerationMode.NEGATIVE) for key in TAKING),
    ],
)
def test_every_answer_is_one_that_the_description_promises(
    service: httpx2.Client, schema: OpenApiSchema, method: str, path: str, mode: GenerationMode
) -> None:
    token = TOKEN if OPERATIONS[method, path].scope == "ingest" else RESPOND
    operation = schema[path][method.upper()]

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def law(case: Case) -> None:
        answer = case.call(base_url=str(service.base_url), headers=bearer(token))
        case.validate_response(answer, checks=CHECKS)

    law()
