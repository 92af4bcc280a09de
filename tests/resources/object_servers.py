"""Real object servers on loopback, one of each cloud's kind, behind a relay that counts requests and spoils answers."""

import http.client
import logging
import threading
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import quote, unquote, urlsplit

import pytest

from resources.cloud_clients import Endpoints
from resources.series_download import RemoteSeries

BUCKET = {"s3": "idc-open-data", "gs": "idc-open-data"}


class ObjectServer(Protocol):
    endpoint: str

    def put(self, key: str, content: bytes, *, public: bool = True) -> None: ...

    def delete(self, key: str) -> None: ...


class S3Server:
    """moto's server; it lets anonymous readers list every bucket, and get the objects that are public."""

    def __init__(self) -> None:
        import boto3
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
        self._server.start()
        self.endpoint = "http://{}:{}".format(*self._server.get_host_and_port())
        self._client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="owner",
            aws_secret_access_key="owner",
        )
        self._client.create_bucket(Bucket=BUCKET["s3"])

    def put(self, key: str, content: bytes, *, public: bool = True) -> None:
        acl = "public-read" if public else "private"
        self._client.put_object(Bucket=BUCKET["s3"], Key=key, Body=content, ACL=acl)

    def put_in_parts(self, key: str, content: bytes) -> None:
        """Upload as large objects are: the ETag is no MD5 then."""
        names = {"Bucket": BUCKET["s3"], "Key": key}
        upload = self._client.create_multipart_upload(**names, ACL="public-read")["UploadId"]
        part = self._client.upload_part(**names, UploadId=upload, PartNumber=1, Body=content)
        parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
        self._client.complete_multipart_upload(**names, UploadId=upload, MultipartUpload={"Parts": parts})

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=BUCKET["s3"], Key=key)

    def stop(self) -> None:
        self._server.stop()


class GsServer:
    """gcp-storage-emulator, which lets everybody do everything."""

    def __init__(self) -> None:
        from gcp_storage_emulator.server import create_server

        for name in ("gcp_storage_emulator", "api", "api.object"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._server = create_server("127.0.0.1", 0, in_memory=True, default_bucket=BUCKET["gs"])
        self._server.start()
        self.endpoint = f"http://127.0.0.1:{self._server._api._httpd.server_port}"

    def put(self, key: str, content: bytes, *, public: bool = True) -> None:
        self._request("POST", f"/upload/storage/v1/b/{BUCKET['gs']}/o?uploadType=media&name={quote(key, '')}", content)

    def delete(self, key: str) -> None:
        self._request("DELETE", f"/storage/v1/b/{BUCKET['gs']}/o/{quote(key, '')}", None)

    def stop(self) -> None:
        self._server.stop()

    def _request(self, method: str, path: str, content: bytes | None) -> None:
        headers = {"Content-Type": "application/dicom"}
        request = urllib.request.Request(self.endpoint + path, content, headers, method=method)
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()


@dataclass
class Spoil:
    """What happens to an answer: another status, a bit turned, a byte short, held, or cut off after some bytes."""

    status: int | None = None
    flip: bool = False
    short: bool = False
    hold: threading.Event | None = None
    cut_after: int | None = None


@dataclass
class Request:
    """A request that came by: `name` of the object whose content it asks for, None for a listing; bytes `sent` back."""

    method: str
    path: str
    name: str | None
    headers: dict[str, str]
    sent: int = 0


@dataclass
class Relay:
    """Stands between client and server, also as an HTTP proxy; `spoil` is asked about every request."""

    upstream: str
    spoil: Callable[[Request], Spoil | None] = lambda request: None
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._arrival = threading.Condition()
        self.open = self.most_open = 0
        handler = type("Handler", (_Handler,), {"relay": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def names(self) -> list[str]:
        """Names of the objects that were asked for, sorted, as often as they were."""
        return sorted(request.name for request in self.requests if request.name is not None)

    def arrived(self, request: Request) -> None:
        with self._arrival:
            self.requests.append(request)
            self._arrival.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until requests have come that fulfil a condition."""
        with self._arrival:
            assert self._arrival.wait_for(condition, timeout=30), [vars(request) for request in self.requests]

    def count_open(self, change: int) -> None:
        with self._arrival:
            self.open += change
            self.most_open = max(self.most_open, self.open)
            self._arrival.notify_all()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    relay: Relay

    def do_GET(self) -> None:
        self._count()

    def do_HEAD(self) -> None:
        self._count()

    def _count(self) -> None:
        self.relay.count_open(1)
        try:
            self._relay()
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client went away
        finally:
            self.relay.count_open(-1)

    def log_message(self, *_: object) -> None:
        pass

    def _relay(self) -> None:
        parts = urlsplit(self.path)
        name = unquote(parts.path).rpartition("/")[2]
        is_content = self.command == "GET" and name.endswith(".dcm") and not parts.path.startswith("/storage/v1/")
        request = Request(self.command, self.path, name if is_content else None, dict(self.headers))
        spoil = self.relay.spoil(request) or Spoil()
        self.relay.arrived(request)
        status, headers, body = (
            (spoil.status, {}, b"{}") if spoil.status else self._ask(parts._replace(scheme="", netloc=""))
        )
        if spoil.flip:
            body = body[:-1] + bytes([body[-1] ^ 1])
        if spoil.short:
            body = body[:-1]
            headers.pop("content-length")
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if "content-length" not in headers:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        now = body[: spoil.cut_after]
        self.wfile.write(now[: len(now) // 2])
        if spoil.hold:
            self.wfile.flush()
            spoil.hold.wait(60)
        self.wfile.write(now[len(now) // 2 :])
        request.sent = len(now)

    def _ask(self, parts) -> tuple[int, dict[str, str], bytes]:
        host = urlsplit(self.relay.upstream).netloc
        connection = http.client.HTTPConnection(host, timeout=30)
        headers = {**self.headers, "Host": host, "Connection": "close"}
        connection.request(self.command, parts.geturl(), headers=headers)
        response = connection.getresponse()
        dropped = {"connection", "transfer-encoding", "server", "date"}
        headers = {key.lower(): value for key, value in response.getheaders() if key.lower() not in dropped}
        body = response.read()
        connection.close()
        return response.status, headers, body


@dataclass
class Cloud:
    """One cloud as a test sees it: a server, and the relay in front of it."""

    scheme: Literal["s3", "gs"]
    server: ObjectServer
    relay: Relay

    @property
    def endpoints(self) -> Endpoints:
        return Endpoints(**{self.scheme: self.relay.endpoint})

    def url(self, folder: str) -> str:
        return f"{self.scheme}://{BUCKET[self.scheme]}/{folder}/"

    def key(self, series: RemoteSeries, name: str) -> str:
        return f"{series.url.rstrip('/').rpartition('/')[2]}/{name}"

    def put_series(self, uid: str, objects: dict[str, bytes]) -> RemoteSeries:
        """Put objects into a new folder of the bucket."""
        folder = str(uuid.uuid4())
        for name, content in objects.items():
            self.server.put(f"{folder}/{name}", content)
        return RemoteSeries(uid, self.url(folder), len(objects), sum(map(len, objects.values())))


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def gs_server() -> Iterator[GsServer]:
    server = GsServer()
    yield server
    server.stop()


@pytest.fixture(params=["s3", "gs"])
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """Each of the two clouds, with a relay of the test's own."""
    server = request.getfixturevalue(f"{request.param}_server")
    relay = Relay(server.endpoint)
    yield Cloud(request.param, server, relay)
    relay.stop()


@pytest.fixture(scope="session")
def ct_objects(shared_data: Path) -> dict[str, bytes]:
    """Slices of a real chest CT, named as the Imaging Data Commons names them."""
    files = sorted((shared_data / "real/lung_ct_crops/pat_2").glob("DCM_IMG_*.dcm"))[:6]
    return {f"{uuid.uuid5(uuid.NAMESPACE_OID, file.name)}.dcm": file.read_bytes() for file in files}
