"""A Ray cluster, a trivial model, and processes that call it as runs do."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
OBJECT_STORE_MB = 150

MODEL = '''
"""A model: a folder with a number, which is added to the volume."""
import os, time
from pathlib import Path
from ct_assets.device import in_gpu_memory
from ct_assets.provenance import ModelFormatError

LOADS = []

def lack_memory():
    import torch
    raise torch.OutOfMemoryError("CUDA out of memory")

def load(folder, device="cpu"):
    file = Path(folder) / "offset"
    if not file.is_file():
        raise ModelFormatError(f"{file} is missing")
    LOADS.append(int(file.read_text()))
    time.sleep(0.2)

    def predict(volume, doing, ticket):
        if doing == "wait":
            (Path(folder) / f"begun-{ticket}").write_text(str(os.getpid()))
            while not (Path(folder) / f"go-{ticket}").exists():
                time.sleep(0.02)
        if doing == "count threads":
            return [int(os.environ.get("OMP_NUM_THREADS", 0))], os.getpid(), len(LOADS)
        if doing == "raise":
            raise ModelFormatError("this series does not suit me")
        if doing == "lose the device":
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        if doing == "run out of memory":
            return in_gpu_memory(lack_memory, folder)
        if doing == "write":
            volume[0] = 0
        return volume + LOADS[-1], os.getpid(), len(LOADS)

    return predict
'''

CALLER = """
import dataclasses, json, logging, sys
import numpy as np
from resources.compute import Compute, Resident

logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
compute = Compute(kind="ray", ray_address=sys.argv[1])
for line in sys.stdin:
    task = json.loads(line)
    if task["doing"] == "ask":
        from resources.ray_models import states
        answer = {key: dataclasses.asdict(state) for key, state in states(sys.argv[1]).items()}
    else:
        arguments = (("folder", task["folder"]), ("device", task["device"]))
        resident = Resident("trivial_model:load", arguments, task["version"])
        volume = np.full(task["voxels"], 5, dtype=np.int16)
        try:
            result, pid, loads = compute.run(resident, volume, task["doing"], task["ticket"])
            answer = {"first": int(result[0]), "pid": pid, "loads": loads, "torch": "torch" in sys.modules}
        except Exception as error:
            kind = type(error)
            answer = {"error": f"{kind.__module__}.{kind.__qualname__}", "message": str(error)}
            del error
    print("answer", json.dumps(answer), flush=True)
"""


@dataclass(frozen=True)
class Cluster:
    """A running cluster: its address, and Python path and token of those that call it."""

    folder: Path
    address: str
    path: str
    authentication: dict[str, str]


class Caller:
    """A process that calls resident models, one call after the other."""

    def __init__(self, cluster: Cluster, log: Path) -> None:
        self.log = log
        self._process = subprocess.Popen(
            [sys.executable, "-c", CALLER, cluster.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
            text=True,
            env={**os.environ, "PYTHONPATH": cluster.path, **cluster.authentication},
            cwd=REPOSITORY,
        )

    def send(self, folder: Path, doing: str = "add", **task: Any) -> None:
        """Begin a call; `receive` waits for its answer."""
        defaults = {"device": "cpu", "version": "", "voxels": 200_000, "ticket": ""}
        assert self._process.stdin is not None
        print(
            json.dumps({"folder": str(folder), "doing": doing} | defaults | task), file=self._process.stdin, flush=True
        )

    def receive(self) -> Any:
        assert self._process.stdout is not None
        for line in self._process.stdout:  # Ray writes here too
            if line.startswith("answer "):
                return json.loads(line.removeprefix("answer "))
        raise AssertionError(self.log.read_text()[-3000:])

    def call(self, folder: Path, doing: str = "add", **task: Any) -> Any:
        self.send(folder, doing, **task)
        return self.receive()

    def states(self) -> Any:
        """What the resident models have done, by key."""
        return self.call(Path(), "ask")

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start a Ray cluster that can load `trivial_model` and asks for a token."""
    (folder / "ray_token").write_text(secrets.token_hex(32))
    authentication = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(folder / "ray_token")}
    (folder / "trivial_model.py").write_text(MODEL)
    path = os.pathsep.join([str(folder), str(REPOSITORY)])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", f"--port={port}",
            "--node-ip-address=127.0.0.1", "--include-dashboard=false", "--disable-usage-stats", "--num-cpus=2",
            "--num-gpus=1", f"--object-store-memory={OBJECT_STORE_MB}000000",
        ],
        env={**os.environ, "PYTHONPATH": path, **authentication},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(lambda: _listens(port) or process.poll() is not None)
        assert process.poll() is None, "ray ended before it served"
        yield Cluster(folder, f"127.0.0.1:{port}", path, authentication)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=60)


def wait_for(done: Callable[[], Any]) -> Any:
    """Wait until something is so, and return it."""
    deadline = time.monotonic() + 90
    while not (found := done()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/cmdline").is_file() and Path(f"/proc/{pid}/cmdline").read_bytes() != b""


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
