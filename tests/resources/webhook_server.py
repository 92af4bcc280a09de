"""A webhook on loopback: it keeps what it is told, and answers as it is bidden."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "T0KEN-of-the-webhook"
"""Part of the address that must be nowhere but in the request."""


@dataclass
class WebhookServer:
    """`answers` are the statuses of the next requests, 0 breaks the connection; then all are `always`."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    always: int = 200
    seconds: float = 0.0
    requests: list[dict[str, Any]] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)


@contextlib.contextmanager
def webhook_server() -> Iterator[WebhookServer]:
    """Serve a webhook."""
    webhook = WebhookServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            alarm = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            webhook.requests.append({"path": self.path, "headers": dict(self.headers), "alarm": alarm})
            status = webhook.answers.pop(0) if webhook.answers else webhook.always
            time.sleep(webhook.seconds)
            if status == 0:
                self.close_connection = True
                return
            if 200 <= status < 300:
                webhook.told.append(alarm)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"{webhook.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    webhook.url = f"http://127.0.0.1:{server.server_port}/services/{SECRET}"
    yield webhook
    server.shutdown()
    server.server_close()
