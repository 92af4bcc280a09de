"""Series fetched from real object servers on loopback: whole or not at all, whatever the network and the bucket do."""

import contextlib
import fcntl
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
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from resources import object_store, remote_object, series_folder
from resources.cloud_clients import Endpoints, Patience, RemoteError
from resources.fetch_progress import Progress
from resources.series_download import Fetched, RemoteSeries, fetch_file, fetch_series
from tests.resources import object_servers
from tests.resources.object_servers import BUCKET, Cloud, Relay, Request, Spoil

cloud, ct_objects = object_servers.cloud, object_servers.ct_objects
s3_server, gs_server = object_servers.s3_server, object_servers.gs_server

QUICK = Patience(attempts=3, first_wait=0.01, longest_wait=0.02, total=10, connect=2, silence=2, request=10)
HOLDING = replace(QUICK, silence=60, request=60)
UID = "1.2.826.0.1.3680043.8.498.1"
OTHER_UID = "1.2.826.0.1.3680043.8.498.2"
BIG = random.Random(0).randbytes(2 * object_store.CHUNK + 1000)

FETCHER = """
import json, logging, signal, sys
from pathlib import Path
from resources.cloud_clients import Endpoints
from resources.series_download import RemoteSeries, fetch_series
logging.basicConfig(level=logging.INFO)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background has it ignored
folder, endpoints, workers, *series = json.loads(sys.argv[1])
series = [RemoteSeries(*one) for one in series]
for fetched in fetch_series(series, Path(folder), endpoints=Endpoints(**endpoints), workers=workers):
    print(fetched.status, fetched.reason)
"""


def read(folder: Path) -> dict[str, bytes]:
    """Return every file of a series' folder, hidden ones too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def fetch(cloud: Cloud, folder: Path, *series: RemoteSeries, **options) -> list[Fetched]:
    return fetch_series(series, folder, **{"endpoints": cloud.endpoints, "patience": QUICK, **options})


def spoil_object(name: str, spoil: Spoil, times: float = float("inf")) -> Callable[[Request], Spoil | None]:
    """Spoil the first answers for one object."""
    seen = 0

    def decide(request: Request) -> Spoil | None:
        nonlocal seen
        seen += request.name == name
        return spoil if request.name == name and seen <= times else None

    return decide


def start_fetcher(cloud: Cloud, folder: Path, *series: RemoteSeries, workers: int = 1, **environment: str):
    named = [[one.series_instance_uid, one.url, one.instances, one.size] for one in series]
    argument = json.dumps([str(folder), {cloud.scheme: cloud.relay.endpoint}, workers, *named])
    return subprocess.Popen(
        [sys.executable, "-c", FETCHER, argument],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_series_arrives_whole(cloud, tmp_path, ct_objects):
    series = cloud.put_series(UID, ct_objects)
    size = sum(map(len, ct_objects.values()))
    assert fetch(cloud, tmp_path / "mirror", series) == [Fetched(series, "fetched", None, len(ct_objects), size)]
    assert read(tmp_path / "mirror" / UID) == ct_objects
    assert [path.name for path in (tmp_path / "mirror").iterdir()] == [UID]
    assert cloud.relay.names() == sorted(ct_objects)


def test_series_that_is_there_is_not_asked_for(cloud, tmp_path, ct_objects):
    series = cloud.put_series(UID, ct_objects)
    fetch(cloud, tmp_path, series)
    cloud.relay.requests.clear()
    [fetched] = fetch(cloud, tmp_path, series)
    assert (fetched.status, fetched.files, fetched.bytes) == ("present", series.instances, series.size)
    assert cloud.relay.requests == []
    [fetched] = fetch(cloud, tmp_path, RemoteSeries(UID, series.url))
    assert (fetched.status, fetched.files, fetched.bytes) == ("present", series.instances, series.size)
    assert cloud.relay.names() == []


@pytest.mark.parametrize("damage", ["lost", "short", "lost and another turned"])
def test_incomplete_series_is_completed(cloud, tmp_path, ct_objects, damage):
    series = cloud.put_series(UID, ct_objects)
    fetch(cloud, tmp_path, series)
    first, second, *_ = sorted(ct_objects)
    (tmp_path / UID / first).unlink()
    if damage == "short":
        (tmp_path / UID / first).write_bytes(ct_objects[first][:-1])
    if damage == "lost and another turned":
        (tmp_path / UID / second).write_bytes(ct_objects[second][:-1] + b"?")
    cloud.relay.requests.clear()
    assert fetch(cloud, tmp_path, series)[0].status == "fetched"
    assert read(tmp_path / UID) == ct_objects
    assert cloud.relay.names() == ([first, second] if "another" in damage else [first])
    assert [path.name for path in tmp_path.iterdir()] == [UID]


def test_revised_series_replaces_the_earlier_version(cloud, tmp_path, ct_objects):
    fetch(cloud, tmp_path, cloud.put_series(UID, ct_objects))
    revised = {f"new-{name}": content for name, content in list(ct_objects.items())[1:]}
    fetch(cloud, tmp_path, cloud.put_series(UID, revised))
    assert read(tmp_path / UID) == revised


def test_what_a_person_put_into_the_folder_is_not_lost(cloud, tmp_path, ct_objects):
    series = cloud.put_series(UID, ct_objects)
    (tmp_path / UID).mkdir()
    (tmp_path / UID / "notes.txt").write_text("nodule in the left upper lobe")
    [fetched] = fetch(cloud, tmp_path, series)
    assert fetched.status == "failed"
    assert "notes.txt" in fetched.reason
    assert list(read(tmp_path / UID)) == ["notes.txt"]


def test_failed_completion_leaves_the_folder_as_it_was(cloud, tmp_path, ct_objects):
    series = cloud.put_series(UID, ct_objects)
    fetch(cloud, tmp_path, series)
    lost = min(ct_objects)
    (tmp_path / UID / lost).unlink()
    before = read(tmp_path / UID)
    cloud.relay.spoil = spoil_object(lost, Spoil(status=404))
    [fetched] = fetch(cloud, tmp_path, series)
    assert (fetched.status, read(tmp_path / UID)) == ("failed", before)


def test_connection_cut_once_is_asked_again(cloud, tmp_path, ct_objects):
    series = cloud.put_series(UID, ct_objects)
    name = min(ct_objects)
    cloud.relay.spoil = spoil_object(name, Spoil(cut_after=1000), times=1)
    assert fetch(cloud, tmp_path, series)[0].status == "fetched"
    assert read(tmp_path / UID) == ct_objects
    assert cloud.relay.names() == sorted([*ct_objects, name])


def test_connection_cut_always_fails_and_the_next_fetch_goes_on(cloud, tmp_path, ct_objects):
    series = cloud.put_series(UID, ct_objects)
    name = max(ct_objects)  # the last, so that with one worker all others are complete
    cloud.relay.spoil = spoil_object(name, Spoil(cut_after=1000))
    [fetched] = fetch(cloud, tmp_path, series, workers=1)
    assert (fetched.status, fetched.files) == ("failed", len(ct_objects) - 1)
    for part in (UID, series.url, name, "fetch again", cloud.relay.endpoint):
        assert part in fetched.reason
    assert not (tmp_path / UID).exists()
    assert cloud.relay.names().count(name) == QUICK.attempts
    assert not list(tmp_path.rglob("*.half"))

    cloud.relay.spoil = lambda request: None
    cloud.relay.requests.clear()
    assert fetch(cloud, tmp_path, series)[0].status == "fetched"
    assert read(tmp_path / UID) == ct_objects
    assert cloud.relay.names() == [name]


def test_killed_process_goes_on(cloud, tmp_path, ct_objects):
    objects = {**ct_objects, "zz-big.dcm": BIG}
    series = cloud.put_series(UID, objects)
    ranges = 0

    def hold_second_range(request: Request) -> Spoil | None:
        nonlocal ranges
        ranges += request.name == "zz-big.dcm"
        return Spoil(hold=never) if ranges == 2 else None

    never = threading.Event()
    cloud.relay.spoil = hold_second_range
    process = start_fetcher(cloud, tmp_path, series)
    cloud.relay.wait_for(lambda: ranges == 2)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.communicate()
    partial = tmp_path / ".partial" / UID
    assert (partial / ".zz-big.dcm.half").stat().st_size == object_store.CHUNK
    assert not (tmp_path / UID).exists()
    # A file that has the right size only, and one of an earlier version of the series.
    broken = min(ct_objects)
    (partial / broken).write_bytes(bytes(len(ct_objects[broken])))
    (partial / "earlier.dcm").write_bytes(b"")

    cloud.relay.spoil = lambda request: None
    cloud.relay.requests.clear()
    assert fetch(cloud, tmp_path, series)[0].status == "fetched"
    assert read(tmp_path / UID) == objects
    assert cloud.relay.names() == [broken, *["zz-big.dcm"] * 3]
    never.set()


def test_interrupted_fetch_ends_and_keeps_what_is_complete(cloud, tmp_path, ct_objects):
    series = cloud.put_series(UID, {**ct_objects, "zz-big.dcm": BIG})
    name = "zz-big.dcm"
    release = threading.Event()
    cloud.relay.spoil = spoil_object(name, Spoil(hold=release))
    process = start_fetcher(cloud, tmp_path, series, RemoteSeries(OTHER_UID, cloud.url("other")))
    cloud.relay.wait_for(lambda: name in cloud.relay.names())
    process.send_signal(signal.SIGINT)
    for line in process.stderr:
        if "broken off" in line:
            break
    release.set()
    _, errors = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors
    assert process.returncode != 0
    assert read(tmp_path / ".partial" / UID) == ct_objects
    assert all("other" not in request.path for request in cloud.relay.requests)


def test_busy_server_is_asked_again_and_given_up(cloud, tmp_path, ct_objects):
    series = cloud.put_series(UID, ct_objects)
    name = min(ct_objects)
    cloud.relay.spoil = spoil_object(name, Spoil(status=503), times=QUICK.attempts - 1)
    assert fetch(cloud, tmp_path, series)[0].status == "fetched"

    cloud.relay.requests.clear()
    cloud.relay.spoil = lambda request: Spoil(status=503)
    [fetched] = fetch(cloud, tmp_path / "elsewhere", series)
    assert fetched.status == "failed"
    assert "503" in fetched.reason
    assert cloud.relay.endpoint in fetched.reason
    assert len(cloud.relay.requests) == QUICK.attempts


@pytest.mark.parametrize(("status", "word"), [(404, "does not exist"), (403, "refuses anonymous access")])
def test_lasting_fault_is_not_asked_again(cloud, tmp_path, ct_objects, status, word):
    series = cloud.put_series(UID, ct_objects)
    name = min(ct_objects)
    cloud.relay.spoil = spoil_object(name, Spoil(status=status))
    [fetched] = fetch(cloud, tmp_path, series)
    assert fetched.status == "failed"
    assert word in fetched.reason
    assert name in fetched.reason
    assert cloud.relay.names().count(name) == 1


def test_object_deleted_after_it_was_listed_and_other_series_go_on(cloud, tmp_path, ct_objects):
    bad, good = cloud.put_series(UID, ct_objects), cloud.put_series(OTHER_UID, ct_objects)
    name = max(ct_objects)

    def delete(request: Request) -> None:
        if request.name == min(ct_objects) and cloud.key(bad, "").rstrip("/") in request.path:
            cloud.server.delete(cloud.key(bad, name))

    cloud.relay.spoil = delete
    first, second = fetch(cloud, tmp_path, bad, good, workers=1)
    assert (first.status, second.status) == ("failed", "fetched")
    assert f"{bad.url}{name} does not exist" in first.reason
    assert not (tmp_path / UID).exists()
    assert read(tmp_path / OTHER_UID) == ct_objects


def test_what_the_bucket_does_not_hold(cloud, tmp_path, ct_objects):
    series = cloud.put_series(UID, ct_objects)
    size = series.size
    cloud.server.put(cloud.key(series, min(ct_objects)), ct_objects[min(ct_objects)][:-7])
    wrong = {
        f"{len(ct_objects)} objects where {len(ct_objects) + 1} are expected": replace(
            series, instances=len(ct_objects) + 1
        ),
        f"{size - 7} bytes in {len(ct_objects)} objects where {size} are expected": series,
        "has no objects": replace(series, url=cloud.url("no-such-folder")),
        f"{cloud.scheme}://no-such-bucket/folder/ does not exist": replace(
            series, url=f"{cloud.scheme}://no-such-bucket/folder/"
        ),
        "not the URL of something in a bucket": replace(series, url="https://example.org/folder/"),
    }
    for number, (reason, one) in enumerate(wrong.items()):
        [fetched] = fetch(cloud, tmp_path / str(number), one)
        assert fetched.status == "failed"
        assert reason in fetched.reason
        assert UID in fetched.reason
        assert one.url in fetched.reason
        assert not list((tmp_path / str(number)).iterdir())
    assert cloud.relay.names() == []


def test_private_object(s3_server, tmp_path):
    s3_server.put("private/a.dcm", b"secret", public=False)
    series = RemoteSeries(UID, f"s3://{BUCKET['s3']}/private/")
    [fetched] = fetch_series([series], tmp_path, endpoints=Endpoints(s3=s3_server.endpoint), patience=QUICK)
    assert "private/a.dcm" in fetched.reason
    assert "refuses anonymous access (403)" in fetched.reason


def test_wrong_content_is_found_by_its_md5(cloud, tmp_path, ct_objects):
    series = cloud.put_series(UID, ct_objects)
    cloud.relay.spoil = spoil_object(min(ct_objects), Spoil(flip=True))
    [fetched] = fetch(cloud, tmp_path, series)
    assert fetched.status == "failed"
    assert f"{min(ct_objects)}: MD5 is" in fetched.reason
    assert not (tmp_path / UID).exists()


def test_object_that_shrank_after_it_was_listed(cloud, tmp_path, ct_objects):
    series = cloud.put_series(UID, ct_objects)
    cloud.relay.spoil = spoil_object(min(ct_objects), Spoil(short=True))
    [fetched] = fetch(cloud, tmp_path, series)
    assert fetched.status == "failed"
    assert f"{min(ct_objects)}: 40109 bytes came where 40110 were asked for" in fetched.reason
    assert not (tmp_path / UID).exists()


def test_object_that_was_uploaded_in_parts_has_no_md5(s3_server, tmp_path):
    s3_server.put_in_parts("parts/a.dcm", b"content")
    series = RemoteSeries(UID, f"s3://{BUCKET['s3']}/parts/", 1, 7)
    partial = tmp_path / ".partial" / UID / "a.dcm"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"other size")
    [fetched] = fetch_series([series], tmp_path, endpoints=Endpoints(s3=s3_server.endpoint), patience=QUICK)
    assert (fetched.status, read(tmp_path / UID)) == ("fetched", {"a.dcm": b"content"})


def test_server_that_is_down(cloud, tmp_path, ct_objects):
    series = [cloud.put_series(f"{UID}.{number}", ct_objects) for number in range(3)]
    cloud.relay.stop()
    for fetched in fetch(cloud, tmp_path, *series):
        assert fetched.status == "failed"
        assert f"no connection to {cloud.relay.endpoint}" in fetched.reason
        assert fetched.series.url in fetched.reason


@contextlib.contextmanager
def silent_server() -> Iterator[tuple[str, list[socket.socket]]]:
    """A server that takes connections and never says anything."""
    connections: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connections.append(listener.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", connections
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in connections:
        connection.close()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_silent_server_is_given_up_for_all_series(scheme, tmp_path):
    series = [RemoteSeries(f"{UID}.{number}", f"{scheme}://bucket/{number}/") for number in range(12)]
    patience = replace(QUICK, attempts=2, silence=0.3, request=3600)
    with silent_server() as (endpoint, connections):
        outcome = fetch_series(
            series, tmp_path, endpoints=Endpoints(**{scheme: endpoint}), patience=patience, workers=2
        )
    assert {fetched.status for fetched in outcome} == {"failed"}
    assert all(f"{endpoint} does not answer" in fetched.reason for fetched in outcome)
    assert all(other.url not in fetched.reason for fetched in outcome for other in series if other != fetched.series)
    assert len(connections) <= 2 * patience.attempts


@pytest.mark.timeout(60)
@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_server_that_takes_no_connection(scheme, tmp_path):
    series = [RemoteSeries(f"{UID}.{number}", f"{scheme}://bucket/{number}/") for number in range(12)]
    patience = replace(QUICK, attempts=2, connect=0.3, silence=3600, request=3600)
    with socket.socket() as listener, contextlib.ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(2):  # as many as the kernel keeps waiting; it drops what comes after them
            early = waiting.enter_context(socket.socket())
            early.setblocking(False)
            early.connect_ex(listener.getsockname())
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        outcome = fetch_series(series, tmp_path, endpoints=Endpoints(**{scheme: endpoint}), patience=patience)
    assert {fetched.status for fetched in outcome} == {"failed"}
    assert all(f"no connection to {endpoint}" in fetched.reason for fetched in outcome)


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_connections_are_closed(scheme, request):
    server = request.getfixturevalue(f"{scheme}_server")
    server.put("closing/a.dcm", b"content")
    with object_store.ObjectStore(Endpoints(**{scheme: server.endpoint}), QUICK, 1) as store:
        store.listing(f"{scheme}://{BUCKET[scheme]}/closing/")
        [filesystem] = store._opened.values()
        if scheme == "s3":
            [session] = filesystem._s3._endpoint.http_session._sessions.values()
        else:
            session = filesystem._session
        assert not session.closed
    assert session.closed


def test_dead_endpoint_is_given_up_within_half_a_minute_by_default():
    patience = Patience()
    waits = sum(
        min(patience.first_wait * 2**number + patience.first_wait, patience.longest_wait)
        for number in range(patience.attempts - 1)
    )
    assert patience.attempts * patience.connect + waits <= 31


def test_names_that_must_not_become_paths(cloud, tmp_path):
    for number, name in enumerate(["below/a.dcm", ".hidden.dcm", "a\\b.dcm", "x" * 250, "a\tb.dcm"]):
        series = cloud.put_series(UID, {"good.dcm": b"good", name: b"bad"})
        [fetched] = fetch(cloud, tmp_path / str(number), series)
        assert fetched.status == "failed"
        assert "cannot be a file name" in fetched.reason
        assert not list((tmp_path / str(number)).iterdir())
    assert cloud.relay.names() == []


@pytest.mark.parametrize("name", ["..", "../../../evil.dcm", "/evil.dcm"])
def test_names_that_lead_out_of_the_folder(name):
    with pytest.raises(RemoteError, match="cannot be a file name"):
        remote_object.checked_name(name, "s3://bucket/folder/")


@pytest.mark.parametrize("uid", ["../evil", "1.2/../../evil", "", ".."])
def test_uid_that_is_none(s3_server, tmp_path, uid):
    series = RemoteSeries(uid, f"s3://{BUCKET['s3']}/folder/")
    [fetched] = fetch_series([series], tmp_path / "mirror", endpoints=Endpoints(s3=s3_server.endpoint))
    assert "not a DICOM UID" in fetched.reason
    assert not list(tmp_path.iterdir())


def test_object_that_stands_for_the_folder_is_passed_over(s3_server, tmp_path):
    s3_server.put("marked/", b"")
    s3_server.put("marked/a.dcm", b"")
    series = RemoteSeries(UID, f"s3://{BUCKET['s3']}/marked/", 1, 0)
    [fetched] = fetch_series([series], tmp_path, endpoints=Endpoints(s3=s3_server.endpoint), patience=QUICK)
    assert (fetched.status, read(tmp_path / UID)) == ("fetched", {"a.dcm": b""})


def test_listing_of_several_pages(s3_server, tmp_path, monkeypatch):
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "4")  # the server is in this process
    relay = Relay(s3_server.endpoint)
    cloud = Cloud("s3", s3_server, relay)
    objects = {f"{number}.dcm": bytes([number]) for number in range(10)}
    series = cloud.put_series(UID, objects)
    assert fetch(cloud, tmp_path, series)[0].status == "fetched"
    assert read(tmp_path / UID) == objects
    assert len([request for request in relay.requests if request.name is None]) == 3
    relay.stop()


def test_full_disk_ends_all(cloud, tmp_path, ct_objects):
    first, third = cloud.put_series(UID, ct_objects), cloud.put_series("1.2.3", ct_objects)
    second = cloud.put_series(OTHER_UID, {"big.dcm": BIG})
    partial = tmp_path / ".partial" / UID
    partial.mkdir(parents=True)
    name = sorted(ct_objects)[2]
    (partial / f".{name}.half").symlink_to("/dev/full")
    asked, full = threading.Event(), threading.Event()

    def decide(request: Request) -> Spoil | None:
        """Fill the disk once the second series is on its way, which then waits until the first has ended."""
        if request.name == "big.dcm":
            asked.set()
            return Spoil(hold=full)
        if request.name == name:
            asked.wait(30)
        return None

    cloud.relay.spoil = decide

    def watch(progress: Progress) -> None:
        if progress.series_done:
            full.set()

    outcome = fetch(cloud, tmp_path, first, second, third, workers=2, patience=HOLDING, progress=watch)
    assert [fetched.status for fetched in outcome] == ["failed"] * 3
    assert all(f"no space left in {tmp_path}" in fetched.reason for fetched in outcome)
    assert outcome[0].files >= 2
    assert cloud.relay.names().count("big.dcm") == 1
    assert not [request for request in cloud.relay.requests if cloud.key(third, "") in request.path]
    # There is space again.
    cloud.relay.spoil = lambda request: None
    assert {fetched.status for fetched in fetch(cloud, tmp_path, first, second, third)} == {"fetched"}
    assert read(tmp_path / UID) == ct_objects


def test_series_fails_when_nothing_is_written_any_more(cloud, tmp_path, ct_objects):
    series = cloud.put_series(UID, ct_objects)
    missing, slow, *_, last = sorted(ct_objects)
    release = threading.Event()
    spoil = {name: Spoil(hold=release) for name in ct_objects} | {missing: Spoil(status=404)}
    cloud.relay.spoil = lambda request: spoil.get(request.name)
    complete: list[bool] = []

    def watch(progress: Progress) -> None:
        if progress.series_done:
            complete.append((tmp_path / ".partial" / UID / slow).exists())

    with ThreadPoolExecutor(1) as threads:
        outcome = threads.submit(fetch, cloud, tmp_path, series, workers=2, patience=HOLDING, progress=watch)
        cloud.relay.wait_for(lambda: cloud.relay.names()[:2] == [missing, slow])
        time.sleep(0.3)  # enough for a fetch that does not wait to betray itself
        release.set()
        assert outcome.result()[0].status == "failed"
    assert complete == [True]
    assert last not in cloud.relay.names()


def test_folder_that_cannot_be_written(cloud, tmp_path, ct_objects):
    (tmp_path / "mirror").write_text("a file")
    [fetched] = fetch(cloud, tmp_path / "mirror", cloud.put_series(UID, ct_objects))
    assert fetched.status == "failed"
    assert f"cannot write to {tmp_path / 'mirror'}" in fetched.reason


def test_two_processes_that_want_the_same_series(cloud, tmp_path, ct_objects):
    series = cloud.put_series(UID, ct_objects)
    name = max(ct_objects)
    release = threading.Event()
    cloud.relay.spoil = spoil_object(name, Spoil(hold=release))
    first = start_fetcher(cloud, tmp_path, series)
    cloud.relay.wait_for(lambda: name in cloud.relay.names())
    second = start_fetcher(cloud, tmp_path, series)
    for line in second.stderr:
        if "is held by another fetch" in line:
            break
    release.set()
    assert first.communicate(timeout=30)[0] == "fetched None\n"
    assert second.communicate(timeout=30)[0] == "present None\n"
    assert cloud.relay.names() == sorted(ct_objects)
    assert read(tmp_path / UID) == ct_objects
    assert [path.name for path in tmp_path.iterdir()] == [UID]


def test_many_fetches_of_the_same_series(cloud, tmp_path, ct_objects):
    series = cloud.put_series(UID, ct_objects)
    with ThreadPoolExecutor(4) as threads:
        outcome = list(threads.map(lambda _: fetch(cloud, tmp_path, series, series), range(4)))
    statuses = sorted(fetched.status for both in outcome for fetched in both)
    assert statuses == ["fetched", *["present"] * 7]
    assert cloud.relay.names() == sorted(ct_objects)


def test_lock_file_that_its_holder_removed_is_no_lock(tmp_path, monkeypatch):
    lock = tmp_path / "partial" / "1.2.lock"
    flock = fcntl.flock
    calls = 0

    def flock_after_removal(descriptor: int, operation: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:  # the holder removes the file after it was opened here
            lock.unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock_after_removal)
    with series_folder.series_lock(lock, threading.Event()):
        assert lock.exists()
    assert calls == 2


def test_requests_of_all_series_share_the_workers(cloud, tmp_path, ct_objects):
    series = [cloud.put_series(f"{UID}.{number}", ct_objects) for number in range(3)]
    folder = cloud.key(series[1], "").rstrip("/")
    release = threading.Event()
    # One worker waits for the second series' listing, so there is one left for the objects of the first.
    cloud.relay.spoil = lambda request: Spoil(hold=release) if request.name or folder in request.path else None
    with ThreadPoolExecutor(1) as threads:
        outcome = threads.submit(fetch, cloud, tmp_path, *series, workers=2, patience=HOLDING)
        cloud.relay.wait_for(lambda: cloud.relay.open == 2)
        time.sleep(0.3)  # enough for a third request to betray itself
        release.set()
        assert {fetched.status for fetched in outcome.result()} == {"fetched"}
    assert cloud.relay.most_open == 2


def test_large_object_comes_in_parts(cloud, tmp_path):
    series = cloud.put_series(UID, {"big.dcm": BIG})
    cut = spoil_object("big.dcm", Spoil(cut_after=100_000), times=2)
    cloud.relay.spoil = lambda request: None if len(cloud.relay.names()) == 0 else cut(request)
    assert fetch(cloud, tmp_path, series)[0].status == "fetched"
    assert read(tmp_path / UID) == {"big.dcm": BIG}
    sent = [request.sent for request in cloud.relay.requests if request.name]
    assert sent == [object_store.CHUNK, 100_000, 100_000, object_store.CHUNK, 1000]


def test_progress(cloud, tmp_path, ct_objects):
    known, missing = cloud.put_series(UID, ct_objects), RemoteSeries("1.2.3", cloud.url("no-such-folder"), 2, 10)
    unknown = replace(cloud.put_series(OTHER_UID, {**ct_objects, "zz-big.dcm": BIG}), instances=None, size=None)
    steps: list[Progress] = []
    cloud.relay.spoil = spoil_object("zz-big.dcm", Spoil(flip=True))
    fetch(cloud, tmp_path, known, unknown, missing, progress=steps.append)
    count, size = len(ct_objects), sum(map(len, ct_objects.values()))
    totals = {"objects_total": 2 * count + 3, "bytes_total": 2 * size + len(BIG) + 10}
    # What came of the object that was wrong is taken back.
    assert steps[-1] == Progress(series_done=3, series_total=3, objects_done=2 * count, bytes_done=2 * size, **totals)
    assert max(step.bytes_done for step in steps) > 2 * object_store.CHUNK

    cloud.relay.spoil = lambda request: None
    steps.clear()
    fetch(cloud, tmp_path, known, unknown, progress=steps.append)
    assert (steps[0].series_total, steps[0].objects_total) in {(2, None), (2, 2 * count + 1)}
    assert steps[-1] == Progress(2, 2, 2 * count + 1, 2 * count + 1, 2 * size + len(BIG), 2 * size + len(BIG))
    assert [step.series_done for step in steps] == sorted(step.series_done for step in steps)


FOREIGN = {
    "AWS_PROFILE": "somebody",
    "AWS_ACCESS_KEY_ID": "somebody",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
    "AWS_DEFAULT_REGION": "nowhere-1",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_MAX_ATTEMPTS": "50",
    "AWS_DEFAULTS_MODE": "auto",
    "AWS_CA_BUNDLE": "/nowhere/ca.pem",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1",
    "GOOGLE_APPLICATION_CREDENTIALS": "/nowhere/key.json",
    "GOOGLE_CLOUD_PROJECT": "somebody",
    "GOOGLE_CLOUD_UNIVERSE_DOMAIN": "nowhere.invalid",
    "GOOGLE_API_USE_CLIENT_CERTIFICATE": "true",
    "STORAGE_EMULATOR_HOST": "http://127.0.0.1:1",
}


def test_environment_changes_nothing(cloud, tmp_path, ct_objects):
    config = tmp_path / ".aws" / "config"
    config.parent.mkdir()
    config.write_text(
        f"[profile somebody]\ncredential_process = touch {tmp_path / 'asked'}\nregion = nowhere-1\n"
        "endpoint_url = http://127.0.0.1:1\nmax_attempts = 50\ns3 =\n  use_accelerate_endpoint = true\n"
        "[default]\ns3 =\n  use_accelerate_endpoint = true\n"
    )
    series = cloud.put_series(UID, ct_objects)
    variables = {**FOREIGN, "HOME": str(tmp_path), "AWS_CONFIG_FILE": str(config)}
    process = start_fetcher(cloud, tmp_path / "mirror", series, workers=4, **variables)
    output, errors = process.communicate(timeout=60)
    assert output == "fetched None\n", errors
    assert not (tmp_path / "asked").exists()
    assert not [r for r in cloud.relay.requests if {key.lower() for key in r.headers} & {"authorization", "x-amz-date"}]


def test_http_proxy_of_the_environment_is_followed(cloud, tmp_path, ct_objects, monkeypatch):
    series = cloud.put_series(UID, ct_objects)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, cloud.relay.endpoint)
    endpoints = Endpoints(**{cloud.scheme: "http://cloud.invalid"})
    [fetched] = fetch_series([series], tmp_path, endpoints=endpoints, patience=QUICK)
    assert fetched.status == "fetched", fetched.reason
    assert cloud.relay.names() == sorted(ct_objects)


def test_public_clouds_are_the_default():
    assert Endpoints().of("s3") == "https://s3.amazonaws.com"
    assert Endpoints().of("gs") == "https://storage.googleapis.com"


def test_file(cloud, tmp_path, ct_objects):
    series = cloud.put_series(UID, ct_objects)
    name, other, *_ = sorted(ct_objects)
    target = tmp_path / "new" / "geometry.parquet"
    digest = hashlib.sha256(ct_objects[name]).hexdigest()
    options = {"endpoints": cloud.endpoints, "patience": QUICK}
    fetch_file(series.url + name, target, sha256=digest.upper(), **options)
    assert read(target.parent) == {target.name: ct_objects[name]}

    with pytest.raises(RemoteError, match=f"{other}: SHA-256 is"):
        fetch_file(series.url + other, target, sha256=digest, **options)
    with pytest.raises(RemoteError, match=r"none\.dcm does not exist"):
        fetch_file(series.url + "none.dcm", target, **options)
    with pytest.raises(RemoteError, match="is a folder"):
        fetch_file(series.url, target, **options)
    cloud.relay.spoil = spoil_object(other, Spoil(flip=True))
    with pytest.raises(RemoteError, match=f"{other}: MD5 is"):
        fetch_file(series.url + other, target, **options)
    assert read(target.parent) == {target.name: ct_objects[name]}

    cloud.relay.spoil = lambda request: None
    fetch_file(series.url + other, target, **options)
    assert read(target.parent) == {target.name: ct_objects[other]}


WATCHER = """
import os, sys
target, done = sys.argv[1:]
print("watching", flush=True)
absent = 0
while not os.path.exists(done):
    absent += sum(not os.path.exists(target) for _ in range(1000))
print("absent", absent)
"""


def make_folders(tmp_path: Path) -> tuple[Path, Path]:
    complete, target = tmp_path / ".partial" / "1.2", tmp_path / "1.2"
    for folder, content in ((complete, "new"), (target, "old")):
        folder.mkdir(parents=True)
        (folder / "a.dcm").write_text(content)
    return complete, target


def test_replacement_leaves_no_moment_without_a_folder(tmp_path):
    complete, target = make_folders(tmp_path)
    watcher = subprocess.Popen(
        [sys.executable, "-c", WATCHER, str(target), str(tmp_path / "done")], stdout=subprocess.PIPE, text=True
    )
    assert watcher.stdout.readline() == "watching\n"
    for number in range(300):
        series_folder.put_in_place(complete, target)
        complete.mkdir()
        (complete / "a.dcm").write_text(str(number))
    (tmp_path / "done").touch()
    assert watcher.communicate(timeout=30)[0] == "absent 0\n"
    assert (target / "a.dcm").read_text() == "298"


def test_replacement_where_folders_cannot_be_exchanged(tmp_path, monkeypatch):
    complete, target = make_folders(tmp_path)
    monkeypatch.setattr(sys, "platform", "darwin")
    series_folder.put_in_place(complete, target)
    assert (target / "a.dcm").read_text() == "new"
    assert not list((tmp_path / ".partial").iterdir())


def test_killed_replacement_is_undone(cloud, tmp_path, ct_objects):
    series = cloud.put_series(UID, ct_objects)
    fetch(cloud, tmp_path, series)
    (tmp_path / ".partial").mkdir()
    (tmp_path / UID).rename(tmp_path / ".partial" / f"{UID}.replaced")
    cloud.relay.requests.clear()
    assert fetch(cloud, tmp_path, series)[0].status == "present"
    assert cloud.relay.requests == []
    assert read(tmp_path / UID) == ct_objects
    assert [path.name for path in tmp_path.iterdir()] == [UID]

    # Killed later: the new folder is in place, the old one not yet removed.
    for name in (UID, f"{UID}.replaced"):
        (tmp_path / ".partial" / name).mkdir(parents=True)
        (tmp_path / ".partial" / name / "old.dcm").write_text("old")
    assert fetch(cloud, tmp_path, series)[0].status == "present"
    assert [path.name for path in tmp_path.iterdir()] == [UID]
