"""Models installed from a Zenodo record: whole and verified, or not at all."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from resources import model_download
from resources.cloud_clients import RemoteError
from resources.model_download import NoSpaceError
from resources.model_files import bpreg_digest
from resources.model_install import ModelInstallError
from resources.model_progress import Step
from resources.model_store import ModelMissingError, ModelStore
from resources.zenodo import CHUNK
from tests.resources import model_fetching
from tests.resources import zenodo_server as servers
from tests.resources.model_archives import BPR, FILES, RECORD
from tests.resources.model_fetching import ARCHIVE, fetch, installed, once, part_of
from tests.resources.zenodo_server import Spoil

zenodo_server, server = servers.zenodo_server, model_fetching.server

REPOSITORY = Path(__file__).resolve().parents[2]

FETCHER = """
import sys
from pathlib import Path
from resources.model_catalogue import CATALOGUE
from resources.model_install import fetch_model
from resources.zenodo import Zenodo
fetch_model(CATALOGUE["bpr_public"], Path(sys.argv[1]), Zenodo(sys.argv[2]))
"""


def test_a_model_is_fetched_whole_and_is_found_in_the_store(server, tmp_path):
    seen: list[tuple[Step, int, int]] = []
    done = fetch(server, tmp_path, report=lambda *now: seen.append(now))
    assert done.new
    assert not done.changed
    assert installed(tmp_path) == FILES
    folder = ModelStore(root=str(tmp_path)).bpreg("bpr_public")
    assert json.loads((folder.parent / "model_source.json").read_text()) == {
        "schema_version": 1,
        "name": "bpr_public",
        "version": "1.1",
        "zenodo_record": 5113483,
        "doi": "10.5281/zenodo.5113483",
        "file": "public_bpr_model.zip",
        "size": len(ARCHIVE),
        "md5": hashlib.md5(ARCHIVE).hexdigest(),
        "md5_compared": True,
        "weights_sha256": {"bpreg": bpreg_digest(folder)},
    }
    size = sum(len(content) for content in FILES.values())
    assert list(dict.fromkeys(step for step, _, _ in seen)) == list(Step)
    assert seen[0] == (Step.DOWNLOADING, 0, len(ARCHIVE))
    for step, total in zip(Step, (len(ARCHIVE), len(ARCHIVE), size, size), strict=True):
        done = [now[1:] for now in seen if now[0] is step]
        assert done == sorted(done)
        assert done[-1] == (total, total)
    assert [path.name for path in tmp_path.iterdir()] == ["bpr_public"]
    assert (folder.stat().st_mode & 0o777) == 0o777 & ~_umask()


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def test_what_is_installed_is_not_fetched_again_unless_asked(server, tmp_path):
    fetch(server, tmp_path)
    source = (tmp_path / "bpr_public/model_source.json").read_bytes()
    server.requests.clear()
    assert not fetch(server, tmp_path).new
    assert not server.requests
    (tmp_path / "bpr_public/bpreg/config.json").write_text("{}")
    assert fetch(server, tmp_path).changed
    again = fetch(server, tmp_path, again=True)
    assert again.new
    assert not again.changed
    assert installed(tmp_path) == FILES
    assert (tmp_path / "bpr_public/model_source.json").read_bytes() == source
    assert [path.name for path in tmp_path.iterdir()] == ["bpr_public"]


def test_an_incomplete_model_is_replaced(server, tmp_path):
    folder = tmp_path / "bpr_public/bpreg"
    folder.mkdir(parents=True)
    (folder / "model.pt").write_bytes(b"half")
    with pytest.raises(ModelMissingError, match="ct-assets models fetch bpr_public"):
        ModelStore(root=str(tmp_path)).bpreg("bpr_public")
    assert fetch(server, tmp_path).new
    assert installed(tmp_path) == FILES


def test_a_killed_fetch_goes_on_where_it_was(server, tmp_path):
    server.spoil = once(server, Spoil(hold=threading.Event()))
    old = tmp_path / "bpr_public/bpreg"
    old.mkdir(parents=True)
    (old / "config.json").write_text("old")
    command = [sys.executable, "-c", FETCHER, str(tmp_path), server.endpoint]
    with subprocess.Popen(command, cwd=REPOSITORY) as process:
        limit = time.monotonic() + 30
        part, there = part_of(tmp_path), len(ARCHIVE) // 2 // CHUNK * CHUNK
        while not (part.is_file() and part.stat().st_size == there):
            assert time.monotonic() < limit
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert (old / "config.json").read_text() == "old"
    assert fetch(server, tmp_path).new
    assert [request.start for request in server.downloads] == [0, there]
    assert installed(tmp_path) == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["bpr_public"]


def test_a_fetch_that_was_killed_while_it_replaced_the_model_leaves_the_old_one(server, tmp_path):
    fetch(server, tmp_path)
    (tmp_path / ".partial/bpr_public.new").mkdir(parents=True)
    (tmp_path / "bpr_public").rename(tmp_path / ".partial/bpr_public.new.replaced")
    server.requests.clear()
    assert not fetch(server, tmp_path).new
    assert installed(tmp_path) == FILES
    assert not server.requests


def test_two_fetches_at_a_time_are_one(server, tmp_path):
    with ThreadPoolExecutor() as threads:
        done = list(threads.map(lambda _: fetch(server, tmp_path), range(3)))
    assert sorted(one.new for one in done) == [False, False, True]
    assert len(server.downloads) == 1


def test_nothing_of_others_is_replaced(server, tmp_path):
    (tmp_path / "bpr_public").mkdir()
    (tmp_path / "bpr_public/notes.txt").write_text("mine")
    with pytest.raises(ModelInstallError, match=r"bpr_public holds notes.txt, .*; move it elsewhere"):
        fetch(server, tmp_path)
    assert not server.requests
    other = tmp_path / "models"
    other.mkdir()
    (other / "bpr_public").symlink_to(tmp_path / "bpr_public")
    with pytest.raises(ModelInstallError, match="is not a folder of its own"):
        fetch(server, other)


def test_a_full_disk_is_named_and_what_arrived_is_kept(server, tmp_path, monkeypatch):
    part = part_of(tmp_path)
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")
    with pytest.raises(NoSpaceError, match=f"no space left in {tmp_path}; free some and fetch again"):
        fetch(server, tmp_path)
    part.unlink()
    free = model_download.shutil.disk_usage(tmp_path)._replace(free=len(ARCHIVE))
    with monkeypatch.context() as patch:
        patch.setattr(model_download.shutil, "disk_usage", lambda folder: free)
        with pytest.raises(NoSpaceError, match=r"needs 0.01 GB and 0.00 GB are free; free some and try again"):
            fetch(server, tmp_path)
    assert len(server.downloads) == 1
    assert fetch(server, tmp_path).new


def test_a_store_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "models").write_text("a file")
    with pytest.raises(ModelInstallError, match=f"cannot write to {tmp_path}/models: .*; make it writable"):
        fetch(server, tmp_path / "models")


def test_a_mirror_is_taken_where_the_first_record_fails(server, tmp_path):
    model = replace(BPR, records=(1, 2, RECORD))
    server.records[2] = {BPR.archive: b"x" * 10}
    server.spoil = lambda request: Spoil(body=b"y" * 10) if "/2/files/" in request.path else None
    done = fetch(server, tmp_path, model)
    assert done.source.zenodo_record == RECORD
    with pytest.raises(RemoteError, match=r"records/1 does not exist.*; .*MD5 is"):
        fetch(server, tmp_path, replace(BPR, name="other", records=(1, 2)))
