"""Models fetched from a server that speaks Zenodo's API: whole and verified, or not at all."""

import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from resources import model_download
from resources.cloud_clients import MissingObjectError, NoAnswerError, Patience, RemoteError, UnreachableError
from resources.model_download import NoSpaceError
from resources.model_files import bpreg_digest
from resources.model_install import Installation, ModelInstallError, fetch_model
from resources.model_store import ModelMissingError, ModelStore
from resources.zenodo import CHUNK, Zenodo, ZenodoFile
from tests.resources import zenodo_server as servers
from tests.resources.model_archives import BPR, FILES, RECORD, archive
from tests.resources.zenodo_server import Request, Spoil, ZenodoServer

zenodo_server = servers.zenodo_server

REPOSITORY = Path(__file__).resolve().parents[2]
QUICK = Patience(attempts=3, first_wait=0.01, longest_wait=0.02, total=10, connect=2, silence=2, request=10)
ARCHIVE = archive(FILES)
CUT = 5 * CHUNK + 1000 + (1 << 20)

FETCHER = """
import sys
from pathlib import Path
from resources.model_catalogue import CATALOGUE
from resources.model_install import fetch_model
from resources.zenodo import Zenodo
fetch_model(CATALOGUE["bpr_public"], Path(sys.argv[1]), Zenodo(sys.argv[2]))
"""


@pytest.fixture
def server(zenodo_server) -> ZenodoServer:
    zenodo_server.records[RECORD] = {"readme.txt": b"read me", BPR.archive: ARCHIVE}
    return zenodo_server


def fetch(server: ZenodoServer, root: Path, model=BPR, patience: Patience = QUICK, **options) -> Installation:
    with Zenodo(server.endpoint, patience) as zenodo:
        return fetch_model(model, root, zenodo, **options)


def installed(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "bpr_public/bpreg").iterdir()}


def left(root: Path) -> list[str]:
    """What lies in the store beside models."""
    return sorted(str(path.relative_to(root)) for path in root.rglob(".partial/**/*") if path.is_file())


def once(server: ZenodoServer, spoil: Spoil) -> Callable[[Request], Spoil | None]:
    """Spoil the first download."""
    return lambda request: spoil if request.file and len(server.downloads) == 1 else None


def part_of(root: Path, content: bytes = ARCHIVE) -> Path:
    return root / ".partial/bpr_public" / f"{hashlib.md5(content).hexdigest()}.part"


def test_a_model_is_fetched_whole_and_is_found_in_the_store(server, tmp_path):
    seen: list[tuple[int, int]] = []
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
    assert seen[0] == (0, len(ARCHIVE))
    assert seen[-1] == (len(ARCHIVE), len(ARCHIVE))
    assert seen == sorted(seen)
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


@pytest.mark.parametrize("length", [True, False])
def test_a_broken_connection_is_continued_where_it_broke(server, tmp_path, length):
    server.spoil = once(server, Spoil(cut_after=CUT, length=length))
    assert fetch(server, tmp_path).new
    assert installed(tmp_path) == FILES
    first, second = server.downloads
    assert first.start == 0
    assert CUT - CHUNK <= second.start <= CUT
    assert second.sent == len(ARCHIVE) - second.start


def test_patience_begins_anew_with_every_piece_that_arrives(server, tmp_path):
    server.records[RECORD][BPR.archive] = archive({**FILES, "model.pt": random.Random(1).randbytes(9 << 20)})
    server.spoil = lambda request: Spoil(cut_after=(1 << 20) + 2 * CHUNK)
    assert fetch(server, tmp_path, patience=replace(QUICK, attempts=1)).new
    assert len(server.downloads) > 4


def test_what_arrived_stays_for_the_next_fetch(server, tmp_path):
    broken = Spoil(status=503)
    server.spoil = lambda request: request.file and (Spoil(cut_after=CUT) if len(server.downloads) == 1 else broken)
    with pytest.raises(RemoteError, match=r"answers 503; fetch again later; \d+ of \d+ bytes are kept"):
        fetch(server, tmp_path)
    size = part_of(tmp_path).stat().st_size
    assert CUT - CHUNK <= size <= CUT
    assert left(tmp_path) == [str(part_of(tmp_path).relative_to(tmp_path))]
    server.spoil = lambda request: None
    server.requests.clear()
    assert fetch(server, tmp_path).new
    assert [request.start for request in server.downloads] == [size]
    assert installed(tmp_path) == FILES


def test_a_redirection_is_followed_with_the_range(server, tmp_path):
    server.records[2] = dict(server.records[RECORD])
    there = f"{server.endpoint}/api/records/2/files/{BPR.archive}/content"

    def spoil(request: Request) -> Spoil | None:
        if f"/{RECORD}/files/" in request.path:
            return Spoil(status=302, body=b"", location=there)
        return Spoil(cut_after=CUT) if request.file and len(server.downloads) == 2 else None

    server.spoil = spoil
    assert fetch(server, tmp_path).new
    assert [bool(request.start) for request in server.downloads] == [False, False, True, True]


def test_a_whole_archive_that_was_not_installed_is_not_asked_for_again(server, tmp_path):
    part_of(tmp_path).parent.mkdir(parents=True)
    part_of(tmp_path).write_bytes(ARCHIVE)
    assert fetch(server, tmp_path).new
    assert not server.downloads


def test_a_server_that_gives_only_whole_files_is_asked_anew(server, tmp_path):
    server.spoil = lambda request: Spoil(ranges=False, cut_after=CUT if len(server.downloads) == 1 else None)
    assert fetch(server, tmp_path).new
    assert installed(tmp_path) == FILES
    assert [request.sent for request in server.downloads] == [CUT, len(ARCHIVE)]


def test_a_server_that_never_gets_further_is_given_up(server, tmp_path):
    server.spoil = lambda request: Spoil(ranges=False, cut_after=CUT) if request.file else None
    with pytest.raises(RemoteError, match="broke"):
        fetch(server, tmp_path)
    assert len(server.downloads) == 1 + QUICK.attempts


@pytest.mark.parametrize(
    "there", [b"spoilt" * 1000, ARCHIVE + b"more", bytes(len(ARCHIVE))], ids=["part", "long", "all"]
)
def test_a_spoilt_part_is_fetched_anew(server, tmp_path, there):
    part_of(tmp_path).parent.mkdir(parents=True)
    part_of(tmp_path).write_bytes(there)
    assert fetch(server, tmp_path).new
    assert installed(tmp_path) == FILES


def test_the_part_of_another_version_is_removed(server, tmp_path):
    stale = part_of(tmp_path, b"older")
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"old")
    assert fetch(server, tmp_path).new
    assert server.downloads[0].start == 0
    assert not stale.exists()


def test_a_file_that_changes_between_two_requests_is_refused(server, tmp_path):
    def spoil(request: Request) -> Spoil | None:
        if not request.file:
            return None
        if len(server.downloads) == 1:
            return Spoil(cut_after=CUT)
        server.records[RECORD] = {BPR.archive: b"another file" * 400_000}
        return None

    server.spoil = spoil
    with pytest.raises(RemoteError, match=r"has 4800000 bytes, not \d+ as record 5113483 says"):
        fetch(server, tmp_path)
    assert not (tmp_path / "bpr_public").exists()


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ({"checksum": f"md5:{'0' * 32}"}, rf"MD5 is {hashlib.md5(ARCHIVE).hexdigest()}, not 0{{32}} as record"),
        ({"size": len(ARCHIVE) - 1}, rf"has {len(ARCHIVE)} bytes, not {len(ARCHIVE) - 1} as record"),
        ({"size": len(ARCHIVE) + 1}, rf"has {len(ARCHIVE)} bytes, not {len(ARCHIVE) + 1} as record"),
        ({"size": BPR.largest + 1}, "more than the 2000000000 that are allowed"),
        ({"size": -1}, r"is no record of Zenodo \(files.1.size"),
        ({"checksum": "sha256:00"}, r"is no record of Zenodo \(files.1.checksum"),
        ({"links": {"self": "file:///etc/passwd"}}, "InvalidSchema"),
    ],
)
def test_what_is_not_as_zenodo_says_is_not_installed(server, tmp_path, claim, told):
    server.claim = lambda said: {**said, **(claim if said["key"] == BPR.archive else {})}
    with pytest.raises(RemoteError, match=told):
        fetch(server, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("delta", [-1, 1])
def test_a_wrong_size_is_found_without_a_length_too(server, tmp_path, delta):
    server.claim = lambda said: {**said, "size": said["size"] + delta}
    server.spoil = lambda request: Spoil(length=False)
    with pytest.raises(RemoteError, match="more than" if delta < 0 else "broke at byte"):
        fetch(server, tmp_path)
    assert not (tmp_path / "bpr_public").exists()


def test_a_record_without_the_file_says_what_it_has(server, tmp_path):
    server.records[RECORD] = {"b.zip": b"", "a.zip": b""}
    with pytest.raises(
        MissingObjectError, match=r"record 5113483 has no file public_bpr_model.zip; it has: a.zip, b.zip"
    ):
        fetch(server, tmp_path)
    server.records[RECORD] = {}
    with pytest.raises(MissingObjectError, match="it has: no files that are open to all"):
        fetch(server, tmp_path)


@pytest.mark.parametrize(
    ("spoil", "told", "requests"),
    [
        (Spoil(status=404), r"/api/records/5113483 does not exist \(404\)", 1),
        (Spoil(status=410), r"does not exist \(410\)", 1),
        (Spoil(status=403), r"refuses a reader without an account \(403\)", 1),
        (Spoil(status=400), "answers 400", 1),
        (Spoil(status=503), "answers 503; fetch again later", QUICK.attempts),
        (Spoil(status=429), "answers 429; fetch again later", QUICK.attempts),
        (Spoil(body=b"<html>"), "is no record of Zenodo", 1),
        (Spoil(body=b"[1, 2]"), "is no record of Zenodo", 1),
        (Spoil(body=bytes(5 << 20)), "the answer is longer than", 1),
    ],
)
def test_a_record_that_cannot_be_had(server, tmp_path, spoil, told, requests):
    server.spoil = lambda request: spoil
    with pytest.raises(RemoteError, match=told):
        fetch(server, tmp_path)
    assert len(server.requests) == requests
    assert not list(tmp_path.iterdir())


def test_a_fault_that_passes_is_overcome(server, tmp_path):
    server.spoil = lambda request: Spoil(status=502) if len(server.requests) in {1, 3} else None
    assert fetch(server, tmp_path).new


def test_a_dead_endpoint_is_given_up_soon(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(UnreachableError, match=rf"no connection to {endpoint} .*CT_ASSETS_ZENODO"):
            fetch_model(BPR, tmp_path, Zenodo(endpoint, QUICK))
        assert time.monotonic() - begun < 5
    for wrong in ("http://", "http://zenodo.invalid:x"):
        with pytest.raises(RemoteError, match="CT_ASSETS_ZENODO"):
            fetch_model(BPR, tmp_path, Zenodo(wrong, QUICK))


def test_so_is_one_that_keeps_silent(server, tmp_path):
    server.spoil = lambda request: Spoil(hold=threading.Event())
    with pytest.raises(NoAnswerError, match="does not answer"):
        fetch(server, tmp_path, patience=replace(QUICK, silence=0.1))


def test_a_mirror_is_taken_where_the_first_record_fails(server, tmp_path):
    model = replace(BPR, records=(1, 2, RECORD))
    server.records[2] = {BPR.archive: b"x" * 10}
    server.spoil = lambda request: Spoil(body=b"y" * 10) if "/2/files/" in request.path else None
    done = fetch(server, tmp_path, model)
    assert done.source.zenodo_record == RECORD
    with pytest.raises(RemoteError, match=r"records/1 does not exist.*; .*MD5 is"):
        fetch(server, tmp_path, replace(BPR, name="other", records=(1, 2)))


def test_no_password_of_the_environment_is_sent(server, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    fetch(server, tmp_path / "models")
    assert not any("Authorization" in request.headers for request in server.requests)


def test_what_began_encrypted_goes_on_so(server):
    file = ZenodoFile(1, "a", 1, "0" * 32, f"{server.endpoint}/api/records/1/files/a/content")
    with (
        Zenodo("https://127.0.0.1:1", QUICK) as zenodo,
        pytest.raises(RemoteError, match="not encrypted"),
        zenodo.open(file, 0),
    ):
        pass
    assert not server.requests


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
