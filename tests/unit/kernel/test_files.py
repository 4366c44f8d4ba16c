from pathlib import Path

import pytest

from abops.kernel import files


def test_a_file_is_replaced_whole_with_the_asked_permissions(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "secret"
    files.write_atomic(target, "old")
    files.write_atomic(target, b"new", mode=0o600)
    assert b"new" == target.read_bytes()
    assert 0o600 == target.stat().st_mode & 0o777
    assert [target] == list(target.parent.iterdir())


def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "kept"
    files.write_atomic(target, "old")

    def full_disk(_handle: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr(files.os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        files.write_atomic(target, "new")
    assert "old" == target.read_text()
    assert [target] == list(tmp_path.iterdir())
