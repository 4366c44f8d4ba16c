"""Reading what a page submits, and answering it the way it asked."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

from fastapi import Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from abops.kernel.errors import OpsError

FORM_AT_MOST: Final = 16_384


class FormTooLargeError(OpsError):
    """This form is larger than any of the console's."""

    hint = "Go back and shorten what you typed."


def wants_values(request: Request) -> bool:
    """Tell whether a script asks, which shows the answer itself."""
    return "application/json" in request.headers.get("accept", "")


def after(request: Request, back: str, result: Mapping[str, str | int]) -> Response:
    """Answer an action: values for the script, the page it came from for a form."""
    if wants_values(request):
        return JSONResponse(result)
    return RedirectResponse(back, 303)


async def read_form(request: Request) -> dict[str, str]:
    """Read a submitted form; of fields that come twice the first counts."""
    return {name: values[0] for name, values in (await read_fields(request)).items()}


async def read_fields(request: Request) -> dict[str, list[str]]:
    """Read a submitted form whose fields may come more than once, as ticked boxes do."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_AT_MOST:
            raise FormTooLargeError
    return _parse(body)


def fields_of(body: bytes) -> dict[str, str]:
    """Read the fields of a form's body."""
    return {name: values[0] for name, values in _parse(body).items()}


def _parse(body: bytes) -> dict[str, list[str]]:
    return parse_qs(body.decode("utf-8", errors="replace"), keep_blank_values=True)


def local_path(address: str, otherwise: str = "/incidents") -> str:
    """Return `address` when it is a path on this server: nobody is sent elsewhere."""
    is_path = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if is_path and address.isprintable() else otherwise
