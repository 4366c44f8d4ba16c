"""Static files: held in memory, compressed once, named by their content.

All files share one fingerprint in the address, so that a script finds the modules beside it and
a browser may keep them for ever. A page of an older version still gets the current file, only
without the permission to keep it.
"""

import gzip
import hashlib
import mimetypes
from pathlib import Path
from typing import Final

from msgspec import Struct
from starlette.datastructures import Headers
from starlette.responses import Response

FOLDER: Final = Path(__file__).parent / "static"
FOR_EVER: Final = "public, max-age=31536000, immutable"
COMPRESS_ABOVE: Final = 1024
"""Bytes; below it the headers cost more than compression saves."""
TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class Asset(Struct, frozen=True):
    """One file, as it is and compressed."""

    media_type: str
    content: bytes
    compressed: bytes | None


class Assets:
    """The files below one folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        digest = hashlib.sha256()
        self._files: dict[str, Asset] = {}
        for path in paths:
            name, content = path.relative_to(folder).as_posix(), path.read_bytes()
            digest.update(name.encode() + b"\0" + content + b"\0")
            self._files[name] = _asset(path, content)
        self.version = digest.hexdigest()[:12]

    def url(self, name: str) -> str:
        """Return the address of a file; raises KeyError when there is none of this name."""
        self._files[name]
        return f"/static/{self.version}/{name}"

    def scripts(self) -> list[str]:
        """Return the addresses of the modules that a page preloads."""
        return [self.url(name) for name in self._files if name.startswith("js/")]

    def response(self, version: str, name: str, request_headers: Headers) -> Response | None:
        """Return the answer for a file. None: there is none of this name."""
        asset = self._files.get(name)
        if asset is None:
            return None
        headers = {
            "Cache-Control": FOR_EVER if version == self.version else "no-store",
            "Vary": "Accept-Encoding",
        }
        body = asset.content
        if asset.compressed and "gzip" in request_headers.get("accept-encoding", ""):
            body = asset.compressed
            headers["Content-Encoding"] = "gzip"
        return Response(body, media_type=asset.media_type, headers=headers)


def _asset(path: Path, content: bytes) -> Asset:
    media_type = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    compressed = gzip.compress(content, mtime=0) if len(content) > COMPRESS_ABOVE else None
    return Asset(media_type or "application/octet-stream", content, compressed)
