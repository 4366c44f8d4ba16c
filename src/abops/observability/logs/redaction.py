"""The second line of defence: what the shipper's pipeline masks in every line.

The services redact in the process, where a card number can be told from another number. This
runs over the text of the line before it is parsed, so that no field escapes it, and must leave
JSON standing: a pattern never takes a quote, a backslash or a bare number.
"""

from msgspec import Struct

MASK = "***"


class Redaction(Struct, frozen=True):
    """One kind of secret, as a Java regular expression; group 1, where there is one, stays."""

    kind: str
    pattern: str
    keeps_prefix: bool = False
    plain: str = ""
    """The same without looking around, for RE2; group 1 stays. Empty: `pattern` will do."""

    @property
    def replacement(self) -> str:
        """Return what stands in the secret's place."""
        return f"$1{MASK}" if self.keeps_prefix else MASK

    @property
    def plain_pattern(self) -> str:
        """Return the pattern for RE2, with a group for what stays."""
        return self.plain or (self.pattern if self.keeps_prefix else f"(){self.pattern}")


_FOURS = r"(?:[ -]?\d{4}){3}"
_BY_FOURS = rf"(?:4\d{{3}}|5[1-5]\d{{2}}|2[2-7]\d{{2}}|35\d{{2}}|6\d{{3}}|8600|9860|5614){_FOURS}"
_CARDS = rf"{_BY_FOURS}|3[47]\d{{2}}[ -]?\d{{6}}[ -]?\d{{5}}"
# A JSON number is left: `"n":4111...` would no longer parse. Ids of spans are hexadecimal and
# may, one time in ten thousand, consist of digits only.
_ALONE = r'(?<![0-9A-Za-z.])(?<!":)(?<!": )(?<!span\.id":")(?<!span\.id": ")'

REDACTIONS = (
    Redaction(
        "telegram-token",
        r"(?<!\d)\d{6,12}:[A-Za-z0-9_-]{30,}",
        plain=r"()\d{6,12}:[A-Za-z0-9_-]{30,}",
    ),
    Redaction(
        "authorization",
        r"((?i:authorization)[\\\"']*\s*[:=]\s*[\\\"']*)"
        r"(?:(?i:bearer|basic|token|digest|negotiate|apikey)\s+)?"
        r"[^\s\\\"',;*}\]][^\s\\\"',;}\]]*",
        keeps_prefix=True,
    ),
    Redaction("bearer", r"(\b(?i:bearer)\s+)[A-Za-z0-9._~+/=-]{8,}", keeps_prefix=True),
    Redaction("jwt", r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"),
    Redaction(
        "url-password",
        r"(://[^\s:/@\\\"]{0,128}:)[^\s@/*\\\"][^\s@/\\\"]*(?=@)",
        keeps_prefix=True,
        plain=r"(://[^\s:/@\\\"]{0,128}:)[^\s@/*\\\"][^\s@/\\\"]*@",
    ),
    Redaction(
        "card",
        rf"{_ALONE}(?:{_CARDS})(?![0-9A-Za-z.])",
        plain=rf"(^|[^0-9A-Za-z.:])(?:{_CARDS})\b",
    ),
    Redaction(
        "phone",
        r"(?<![\w+])\+\d(?:[ ()-]{0,2}\d){8,14}(?!\d)",
        plain=r"(^|[^\w+])\+\d(?:[ ()-]{0,2}\d){8,14}",
    ),
    Redaction(
        "phone-uz",
        rf"{_ALONE}998\d{{9}}(?![0-9A-Za-z.])",
        plain=r"(^|[^0-9A-Za-z.:])998\d{9}\b",
    ),
)
