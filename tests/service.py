"""The service as `make ui` starts it, for tests: resident models, web server, daemon, all on loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


class Service:
    """A running web server that answers GraphQL, with its Ray cluster, below one process."""

    def __init__(self, url: str, ray_address: str, pid: int) -> None:
        self.url, self.ray_address, self.pid = url, ray_address, pid

    def graphql(self, query: str, **variables: Any) -> Any:
        """Return the data of a query; errors of the server are raised."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]


@contextmanager
def serve(home: Path, state: Path) -> Iterator[Service]:
    """Serve the project's own workspace on a store."""
    port, ray_port, pages_port = _free_port(), _free_port(), _free_port()
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "DAGSTER_HOME": str(REPOSITORY),
        "CT_ASSETS_HOME": str(home),
        "CT_ASSETS_STATE": str(state),
        "CT_ASSETS_RAY_PORT": str(ray_port),
        "CT_ASSETS_PAGES_PORT": str(pages_port),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    with ExitStack() as stack:
        log = stack.enter_context((state / "service.log").open("w"))
        process = subprocess.Popen(
            [str(REPOSITORY / "tools/serve_ui.sh"), str(BIN), str(port)],
            cwd=REPOSITORY, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        stack.callback(_end, process)
        service = Service(f"http://127.0.0.1:{port}", f"127.0.0.1:{ray_port}", process.pid)
        _wait(service, process, state / "service.log")
        yield service


def _wait(service: Service, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 240
    while True:
        assert process.poll() is None, f"the service ended: {log.read_text()[-3000:]}"
        assert time.monotonic() < deadline, f"the service does not answer: {log.read_text()[-3000:]}"
        try:
            locations = service.graphql("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }")
            if locations["repositoriesOrError"].get("nodes"):
                return
        except OSError:
            pass
        time.sleep(1)


def _end(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
