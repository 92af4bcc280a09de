"""What killed processes leave goes with the next write; what others still write stays."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ct_assets.store.atomic import atomic_path, write_text
from ct_assets.store.leftovers import scratch_folder, sweep

_KILLED = """
import os, signal, sys
from pathlib import Path
from ct_assets.store.atomic import atomic_path
from ct_assets.store.leftovers import scratch_folder
with scratch_folder() as scratch, atomic_path(Path(sys.argv[1])) as path:
    (scratch / "volume.nii").write_text("half")
    path.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_next_write_in_a_folder_removes_what_killed_processes_left(tmp_path, monkeypatch):
    scratch, results = tmp_path / "tmp", tmp_path / "results"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", None)
    command = [sys.executable, "-c", _KILLED, str(results / "a.txt")]
    assert [subprocess.run(command, check=False).returncode for _ in range(2)] == [-9, -9]
    [part] = _names(results)
    assert part.endswith(".partial.a.txt"), "the second process removed what the first had left"
    assert len(_names(scratch)) == 1
    write_text(results / "b.txt", "whole")
    assert _names(results) == ["b.txt"]
    with scratch_folder() as folder:
        assert _names(scratch) == [folder.name]
    assert _names(scratch) == []


def test_what_another_process_still_writes_stays(tmp_path):
    with atomic_path(tmp_path / "a.txt") as temporary, scratch_folder() as folder:
        temporary.write_text("first")
        write_text(tmp_path / "a.txt", "second")
        with scratch_folder():
            assert folder.is_dir()
        assert temporary.read_text() == "first"
    assert (tmp_path / "a.txt").read_text() == "first"
    assert _names(tmp_path) == ["a.txt"]


def test_a_link_is_not_followed(tmp_path):
    kept, folder = tmp_path / "kept", tmp_path / "folder"
    kept.mkdir()
    folder.mkdir()
    (folder / ".0123456789ab.partial.a").symlink_to(kept)
    sweep(folder, ".*")
    assert kept.is_dir()


def test_a_writer_that_writes_nothing_is_told_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.txt: nothing was written"), atomic_path(tmp_path / "a.txt"):
        pass
    assert _names(tmp_path) == []
    with atomic_path(tmp_path / "empty.txt") as temporary:
        temporary.write_bytes(b"")
    assert (tmp_path / "empty.txt").read_bytes() == b""
