"""The service as `make ui` starts it, for tests: resident models, web server, daemon, all on loopback."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.service_graphql import GraphQL

REPOSITORY = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


class Service(GraphQL):
    """A running web server, with its Ray cluster, below one process."""

    def __init__(self, url: str, ray_address: str, ray_token: Path, pid: int) -> None:
        super().__init__(url)
        self.ray_address, self.ray_token, self.pid = ray_address, ray_token, pid


@contextmanager
def serve(home: Path, state: Path) -> Iterator[Service]:
    """Serve the project's own workspace on a store."""
    port, ray_port, pages_port = free_port(), free_port(), free_port()
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
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        environment.pop(name, None)
    with ExitStack() as stack:
        log = stack.enter_context((state / "service.log").open("w"))
        process = subprocess.Popen(
            [str(REPOSITORY / "tools/serve_ui.sh"), str(BIN), str(port)],
            cwd=REPOSITORY, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        stack.callback(end, process)
        service = Service(f"http://127.0.0.1:{port}", f"127.0.0.1:{ray_port}", state / "ray_token", process.pid)
        _wait(service, process, state / "service.log")
        yield service


def _wait(service: Service, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 240
    while not service.knows_the_code():
        assert process.poll() is None, f"the service ended: {log.read_text()[-3000:]}"
        assert time.monotonic() < deadline, f"the service does not answer: {log.read_text()[-3000:]}"
        time.sleep(1)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all of its session."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
