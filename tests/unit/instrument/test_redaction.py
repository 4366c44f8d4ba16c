import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abops_instrument.redaction import redact

TOKEN = "123456789:" + "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
JWT = "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"POST https://api.telegram.org/bot{TOKEN}/sendMessage",
            "POST https://api.telegram.org/bot***/sendMessage",
        ),
        (f"token {TOKEN} refused", "token *** refused"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ('{"authorization": "Basic dXNlcjpwYXNz"}', '{"authorization": "***"}'),
        ("sent with bearer abcdefgh12345678", "sent with bearer ***"),
        (f"cookie={JWT};", "cookie=***;"),
        ("postgresql://analytic:s3cret@127.0.0.1/db", "postgresql://analytic:***@127.0.0.1/db"),
        ("paid with 4111 1111 1111 1111 today", "paid with *** today"),
        ("paid with 4111-1111-1111-1111", "paid with ***"),
        ("card 8600123412341234", "card ***"),
        ("call +998 90 123-45-67 now", "call *** now"),
        ("call 998901234567", "call ***"),
    ],
)
def test_secrets_and_personal_numbers_are_masked(text: str, expected: str) -> None:
    assert expected == redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "GET /api/v1/channels/{id} 200",
        "took 0.12345678901234 s",
        "at 1795560992298285804 ns, which passes Luhn",
        "chat -1001234567890 unknown",
        "4111 1111 1111 1112 is no card",
        "10.0.0.1:8000 refused; 2026-11-24T22:54:23.152Z",
        "http://127.0.0.1:9541/health",
        "trace 4e7b5723c09c6b0904b653ce9e5af01e",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert text == redact(text)


@given(st.text(), st.text())
def test_a_token_never_survives_whatever_surrounds_it(before: str, after: str) -> None:
    assert TOKEN not in redact(f"{before}/bot{TOKEN}/{after}")


@given(st.text(alphabet=string.printable))
def test_masking_twice_changes_nothing(text: str) -> None:
    assert redact(text) == redact(redact(text))


@given(
    st.lists(
        st.sampled_from(
            [
                TOKEN,
                JWT,
                "Bearer ",
                "+998 90 123 45 67",
                " ",
                "x",
                ":",
                "@",
                "://",
                "4111111111111111",
                "Authorization: ",
            ]
        )
    )
)
def test_masking_twice_changes_nothing_where_secrets_meet(parts: list[str]) -> None:
    text = "".join(parts)
    assert redact(text) == redact(redact(text))
