"""An archive downloaded from a server that speaks Zenodo's API, over connections of every kind."""

import contextlib
import hashlib
import random
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from resources.cloud_clients import MissingObjectError, NoAnswerError, RemoteError, UnreachableError
from resources.model_install import fetch_model
from resources.zenodo import CHUNK, Zenodo, ZenodoFile
from tests.resources import model_fetching
from tests.resources import zenodo_server as servers
from tests.resources.model_archives import BPR, FILES, RECORD, archive
from tests.resources.model_fetching import ARCHIVE, CUT, QUICK, fetch, installed, left, once, part_of
from tests.resources.zenodo_server import Request, Spoil, ZenodoServer

zenodo_server, server = servers.zenodo_server, model_fetching.server


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


@contextlib.contextmanager
def encrypted(server: ZenodoServer, folder: Path) -> Iterator[Path]:
    """Let a server speak TLS; gives the certificate by which a client knows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")]), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "certificate.pem", folder / "key.pem"
    public.write_bytes(certificate.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    server.encrypt(context)
    yield public


def test_an_encrypted_way_that_leads_through_an_open_one_is_refused(server, tmp_path):
    """https to http and back to https: who listens in between could have changed the digest with the file."""
    plain = ZenodoServer()
    try:
        with encrypted(server, tmp_path) as certificate:
            back = f"{server.endpoint}/api/records/{RECORD}"
            plain.spoil = lambda request: Spoil(status=302, location=back)
            server.spoil = lambda request: (
                Spoil(status=302, location=f"{plain.endpoint}/away") if len(server.requests) == 1 else None
            )
            with Zenodo(server.endpoint, QUICK) as zenodo:
                zenodo._session.verify = str(certificate)
                with pytest.raises(RemoteError, match="which is not encrypted"):
                    zenodo.file(RECORD, BPR.archive)
                assert len(server.requests) == 2
                server.requests.clear()
                server.spoil = lambda request: None
                assert zenodo.file(RECORD, BPR.archive).size == len(ARCHIVE)
    finally:
        plain.stop()


def test_a_certificate_of_nobody_we_know_is_refused(server, tmp_path):
    with (
        encrypted(server, tmp_path),
        Zenodo(server.endpoint, QUICK) as zenodo,
        pytest.raises(RemoteError, match="its certificate cannot be verified"),
    ):
        zenodo.file(RECORD, BPR.archive)
