"""A server on loopback that speaks Zenodo's REST API, continues files by Range, counts requests and spoils answers."""

import contextlib
import hashlib
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

_RECORD = re.compile(r"/api/records/(\d+)")
_CONTENT = re.compile(r"/api/records/(\d+)/files/(.+)/content")


@dataclass
class Spoil:
    """What happens to an answer: another status or body, whole in spite of Range, no length, cut off, held half-way."""

    status: int | None = None
    body: bytes | None = None
    ranges: bool = True
    length: bool = True
    cut_after: int | None = None
    hold: threading.Event | None = None
    location: str | None = None


@dataclass
class Request:
    """A request that came by: `file` tells whether it asks for the content of one; bytes `sent` back."""

    path: str
    file: bool
    headers: dict[str, str]
    sent: int = 0

    @property
    def start(self) -> int:
        """Byte at which it wants to begin."""
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))


@dataclass
class ZenodoServer:
    """`records` holds the files by record and name; `claim` may change what is said of each."""

    records: dict[int, dict[str, bytes]] = field(default_factory=dict)
    claim: Callable[[dict], dict] = lambda said: said
    spoil: Callable[[Request], Spoil | None] = lambda request: None
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        handler = type("Handler", (_Handler,), {"zenodo": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def downloads(self) -> list[Request]:
        """Requests for the content of a file."""
        return [request for request in self.requests if request.file]

    def record(self, number: int) -> bytes:
        """What the API answers for a record."""
        files = [
            self.claim(
                {
                    "key": name,
                    "size": len(content),
                    "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
                    "links": {"self": f"{self.endpoint}/api/records/{number}/files/{name}/content"},
                }
            )
            for name, content in self.records[number].items()
        ]
        return json.dumps({"id": number, "doi": f"10.5281/zenodo.{number}", "files": files}).encode()

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.endpoint = self.endpoint.replace("http:", "https:")

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    zenodo: ZenodoServer

    def do_GET(self) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client went away
            self._answer()

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        content = _CONTENT.fullmatch(self.path)
        request = Request(self.path, content is not None, dict(self.headers))
        self.zenodo.requests.append(request)
        spoil = self.zenodo.spoil(request) or Spoil()
        status, headers, body = self._content(content, request, spoil) if content else self._record()
        status, body = spoil.status or status, body if spoil.body is None else spoil.body
        self.send_response(status)
        if spoil.location:
            headers["Location"] = spoil.location
        if spoil.length:
            headers["Content-Length"] = str(len(body))
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        now = body[: spoil.cut_after]
        self.wfile.write(now[: len(now) // 2])
        if spoil.hold:
            self.wfile.flush()
            spoil.hold.wait(60)
        self.wfile.write(now[len(now) // 2 :])
        request.sent = len(now)

    def _record(self) -> tuple[int, dict[str, str], bytes]:
        found = _RECORD.fullmatch(self.path)
        if found and int(found[1]) in self.zenodo.records:
            return 200, {"Content-Type": "application/json"}, self.zenodo.record(int(found[1]))
        return 404, {"Content-Type": "application/json"}, b'{"status": 404}'

    def _content(self, found: re.Match[str], request: Request, spoil: Spoil) -> tuple[int, dict[str, str], bytes]:
        content = self.zenodo.records[int(found[1])][found[2]]
        if not spoil.ranges or "Range" not in request.headers:
            return 200, {}, content
        if request.start >= len(content):
            return 416, {"Content-Range": f"bytes */{len(content)}"}, b""
        place = f"bytes {request.start}-{len(content) - 1}/{len(content)}"
        return 206, {"Content-Range": place}, content[request.start :]


@pytest.fixture
def zenodo_server() -> Iterator[ZenodoServer]:
    server = ZenodoServer()
    yield server
    server.stop()
