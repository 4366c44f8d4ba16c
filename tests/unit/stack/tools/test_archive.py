"""Archives of programs: what leads out of the folder is left out, links within it stay."""

import io
import tarfile
from pathlib import Path

from abops.stack.tools.providers.archive import unpack


def packed(folder: Path) -> Path:
    links = {"lib/one.so": "one.so.1", "lib/out.so": "../../outside", "lib/root.so": "/etc/passwd"}
    path = folder / "programs.tar.xz"
    with tarfile.open(path, "w:xz") as bundle:
        entry = tarfile.TarInfo("lib/one.so.1")
        entry.size = 3
        bundle.addfile(entry, io.BytesIO(b"one"))
        for name, target in links.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            bundle.addfile(link)
    return path


def test_a_link_to_a_library_beside_it_stays_and_one_that_leads_out_does_not(
    tmp_path: Path,
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    unpack(packed(tmp_path), tree)
    assert b"one" == (tree / "lib/one.so").read_bytes()
    assert ["one.so", "one.so.1"] == sorted(path.name for path in (tree / "lib").iterdir())
