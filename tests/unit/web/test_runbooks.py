from pathlib import Path

import pytest

from abops.entry.web.runbooks import RunbookMissingError, Runbooks


def shown(folder: Path, text: str) -> str:
    (folder / "Book.md").write_text(text)
    return str(Runbooks(folder).html("Book"))


def test_html_in_a_runbook_is_text(tmp_path: Path) -> None:
    html = shown(tmp_path, "<script>x</script>\n\na <b onclick=x>b</b>\n\n```\n</code><i>\n```\n")
    assert "<script" not in html
    assert "<b" not in html
    assert "&lt;/code&gt;&lt;i&gt;" in html


@pytest.mark.parametrize("url", ["javascript:x", "JAVASCRIPT:x", "data:text/html,x", "vbscript:x"])
def test_a_link_that_runs_something_is_no_link(tmp_path: Path, url: str) -> None:
    assert "<a" not in shown(tmp_path, f"[click]({url})")


def test_title_and_generator_s_comment_are_left_to_the_page(tmp_path: Path) -> None:
    html = shown(tmp_path, "<!-- made by abops render -->\n\n# Book\n\nText.\n\n## Part\n")
    assert "<p>Text.</p>\n<h3>Part</h3>\n" == html


def test_tables_and_code_scroll_by_keyboard(tmp_path: Path) -> None:
    html = shown(tmp_path, "| a | b |\n|---|---|\n| 1 | 2 |\n\n```sh\nabops status\n```\n")
    assert '<div class="scroll" tabindex="0"><table>' in html
    assert '<pre tabindex="0"><code>abops status\n</code></pre>' in html


@pytest.mark.parametrize("name", ["../secret", "a/b", ".hidden", "", "x" * 200, "a\n", "Nosuch"])
def test_a_name_that_is_no_runbook_s_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path.parent / "secret.md").write_text("no")
    books = Runbooks(tmp_path)
    assert not books.has(name)
    with pytest.raises(RunbookMissingError):
        books.html(name)


def test_names_are_those_of_the_markdown_files(tmp_path: Path) -> None:
    for name in ("B.md", "A.md", "notes.txt", ".x.md"):
        (tmp_path / name).write_text("")
    assert ["A", "B"] == Runbooks(tmp_path).names()
