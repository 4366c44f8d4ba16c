import gzip
from pathlib import Path

from starlette.testclient import TestClient

from abops.entry.web.assets import FOLDER, Assets


def test_an_address_changes_with_any_file(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a {}")
    (tmp_path / "b.js").write_text("1;")
    before = Assets(tmp_path).url("a.css")
    assert before == Assets(tmp_path).url("a.css")
    (tmp_path / "b.js").write_text("2;")
    assert before != Assets(tmp_path).url("a.css")


def test_a_current_address_may_be_kept_for_ever_and_an_old_one_may_not(client: TestClient) -> None:
    current = client.get(Assets().url("console.css"))
    assert "immutable" in current.headers["cache-control"]
    old = client.get("/static/0123456789ab/console.css")
    assert current.content == old.content
    assert "no-store" == old.headers["cache-control"]


def test_files_are_compressed_for_those_who_can_read_it(client: TestClient) -> None:
    url = Assets().url("console.css")
    plain = client.get(url, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    packed = client.get(url, headers={"Accept-Encoding": "gzip"})
    assert "gzip" == packed.headers["content-encoding"]
    assert plain.content == packed.content


def test_nothing_outside_the_folder_is_served(client: TestClient) -> None:
    version = Assets().version
    for name in ("../console.py", "..%2fconsole.py", "%2e%2e/app.py", "nosuch.css"):
        assert 404 == client.get(f"/static/{version}/{name}").status_code


def test_scripts_have_the_type_browsers_insist_on(client: TestClient) -> None:
    answer = client.get(Assets().url("console.js"))
    assert answer.headers["content-type"].startswith("text/javascript")


def test_all_files_together_fit_in_half_of_the_page_s_budget() -> None:
    packed = [gzip.compress(p.read_bytes()) for p in FOLDER.rglob("*") if p.is_file()]
    assert sum(map(len, packed)) < 100 * 1024
