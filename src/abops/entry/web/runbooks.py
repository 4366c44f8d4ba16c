"""Runbooks as pages: found by the alert's name, shown without trusting what is in them.

HTML in a runbook appears as text, and only links a browser can follow safely are links.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup, escape

from abops.kernel.errors import OpsError

CHECKOUT: Final = Path(__file__).parents[4] / "docs" / "runbooks"
"""Where the runbooks are when the package is installed from its checkout."""
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,127}")


class _Renderer(RendererHTML):
    """Fits a document into a page: headings one level down, wide parts scroll by keyboard."""

    def heading_open(self, tokens: Sequence[Token], index: int, *_: object) -> str:
        return f"<h{_level(tokens[index])}>"

    def heading_close(self, tokens: Sequence[Token], index: int, *_: object) -> str:
        return f"</h{_level(tokens[index])}>\n"

    def table_open(self, *_: object) -> str:
        return '<div class="scroll" tabindex="0"><table>\n'

    def table_close(self, *_: object) -> str:
        return "</table></div>\n"

    def fence(self, tokens: Sequence[Token], index: int, *_: object) -> str:
        return f'<pre tabindex="0"><code>{escape(tokens[index].content)}</code></pre>\n'

    def code_block(self, tokens: Sequence[Token], index: int, *_: object) -> str:
        return self.fence(tokens, index)


def _level(heading: Token) -> int:
    return min(int(heading.tag[1:]) + 1, 6)


class RunbookMissingError(OpsError):
    """There is no runbook of this name."""

    hint = "Runbooks are Markdown files in docs/runbooks, named like their alert."


class Runbook(NamedTuple):
    """One runbook, ready to be shown."""

    name: str
    body: Markup


class Runbooks:
    """The runbooks in one folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or CHECKOUT
        self._markdown = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable(
            "table"
        )

    def names(self) -> list[str]:
        """Return the names of all runbooks, sorted."""
        return sorted(p.stem for p in self.folder.glob("*.md") if _NAME.fullmatch(p.stem))

    def has(self, name: str) -> bool:
        """Tell whether there is a runbook of this name."""
        return bool(_NAME.fullmatch(name)) and (self.folder / f"{name}.md").is_file()

    def html(self, name: str) -> Markup:
        """Return a runbook as HTML; raises RunbookMissingError."""
        if not self.has(name):
            raise RunbookMissingError(f"there is no runbook named {name[:128]!r}")
        text = (self.folder / f"{name}.md").read_text(encoding="utf-8")
        return Markup(self._markdown.render(_without_title(text)))  # noqa: S704 - html is off


def _without_title(text: str) -> str:
    """Drop generator comments and the first heading: the page around has its own title."""
    text = re.sub(r"\A(\s*<!--.*?-->)+", "", text, flags=re.DOTALL).lstrip()
    return re.sub(r"\A# .*\n?", "", text)
