"""Secrets and personal numbers do not leave the process in a log line.

Telegram puts the bot's token into the URL, so every connection error would print it. Masked
are: bot tokens, Authorization values, JSON web tokens, passwords in URLs, card numbers (those
that pass Luhn) and phone numbers in international form (Uzbek ones also without the plus).
Masking twice changes nothing.
"""

import re

MASK = "***"

_TELEGRAM = r"(?<!\d)\d{6,12}:[A-Za-z0-9_-]{30,}"
_JWT = r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"
_AUTHORIZATION = (
    r"(?P<auth>(?i:authorization)[\"']?\s*[:=]\s*[\"']?)"
    r"(?:(?i:bearer|basic|token|digest|negotiate|apikey)\s+)?[^\s\"',;*][^\s\"',;]*"
)
_BEARER = r"(?P<bearer>\b(?i:bearer)\s+)[A-Za-z0-9._~+/=-]{8,}"
_IN_URL = r"(?P<url>://[^\s:/@]{0,128}:)[^\s@/*][^\s@/]*(?=@)"
# No card of a payment scheme begins with 0 or 1; nanosecond timestamps and chat ids do.
_CARD = r"(?P<card>(?<![\d.])[2-9](?:[ -]?\d){12,18}(?![\d.]))"
_PHONE = r"(?:(?<![\w+])\+\d(?:[ ()-]{0,2}\d){8,14}(?!\d)|(?<!\d)998\d{9}(?!\d))"

_SENSITIVE = re.compile(f"{_AUTHORIZATION}|{_BEARER}|{_IN_URL}|{_TELEGRAM}|{_JWT}|{_PHONE}|{_CARD}")
# Uzcard and Humo do not promise Luhn.
_NATIONAL = re.compile(r"(?:8600|9860|5614|6262)\d{12}")
# Most lines hold nothing of the kind; one cheap scan lets them pass.
_SUSPECT = re.compile(r"\d{4}|\+\d|eyJ|://|[Aa][Uu][Tt][Hh]|[Bb][Ee][Aa][Rr]|\d[ -]\d")


def redact(text: str) -> str:
    """Return `text` with every secret and personal number replaced by `***`."""
    if _SUSPECT.search(text) is None:
        return text
    masked = _SENSITIVE.sub(_mask, text)
    while masked != text:  # where secrets touch, masking one lets the next be seen
        text, masked = masked, _SENSITIVE.sub(_mask, masked)
    return masked


def _mask(match: re.Match[str]) -> str:
    card = match["card"]
    if card is not None:
        digits = re.sub(r"[ -]", "", card)
        is_card = _passes_luhn(digits) or _NATIONAL.fullmatch(digits) is not None
        return MASK if is_card else card
    return f"{match['auth'] or match['bearer'] or match['url'] or ''}{MASK}"


def _passes_luhn(digits: str) -> bool:
    """Tell a card number from any other long number."""
    total = 0
    for index, digit in enumerate(reversed([int(d) for d in digits])):
        doubled = digit * 2 if index % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled  # noqa: PLR2004 - Luhn's rule
    return total % 10 == 0
