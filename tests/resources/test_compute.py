"""A trivial model stays loaded: in this process, and in a resident Ray actor that outlives the runs."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from resources.compute import Compute, ComputeUnavailableError, Resident

TRIVIAL = """
import os
import numpy as np

LOADS = []

def load(offset):
    LOADS.append(offset)
    return lambda volume: (volume + offset, os.getpid(), len(LOADS))
"""

CALLER = """
import json, sys
import numpy as np
from resources.compute import Compute, Resident
compute = Compute(kind="ray", ray_address=sys.argv[1])
resident = Resident("trivial_model:load", (("offset", int(sys.argv[2])),))
volume, pid, loads = compute.run(resident, np.full((64, 64, 32), 5, dtype=np.int16))
print(json.dumps({"sum": int(volume.sum()), "pid": pid, "loads": loads, "torch": "torch" in sys.modules}))
"""


@pytest.fixture(scope="module")
def trivial(tmp_path_factory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("trivial")
    (folder / "trivial_model.py").write_text(TRIVIAL)
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def ray_address(trivial) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", f"--port={port}",
            "--node-ip-address=127.0.0.1", "--include-dashboard=false", "--disable-usage-stats", "--num-cpus=2",
        ],
        env={**os.environ, "PYTHONPATH": str(trivial)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    address = f"127.0.0.1:{port}"
    deadline = time.monotonic() + 90
    while _call(address, 0, trivial, check=False).returncode:
        assert process.poll() is None, "ray ended before it served"
        assert time.monotonic() < deadline, "ray does not serve"
    yield address
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=60)


def _call(address: str, offset: int, trivial: Path, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CALLER, address, str(offset)],
        capture_output=True,
        text=True,
        check=check,
        env={**os.environ, "PYTHONPATH": str(trivial)},
        cwd=Path(__file__).resolve().parents[2],
    )


def _result(address: str, offset: int, trivial: Path) -> dict[str, int]:
    return json.loads(_call(address, offset, trivial).stdout.splitlines()[-1])


def test_in_process_a_model_is_loaded_once_for_all_resources(trivial):
    resident = Resident("trivial_model:load", (("offset", 1),))
    volume = np.zeros((2, 2, 2), dtype=np.int16)
    results = [Compute(kind="in_process").run(resident, volume) for _ in range(3)]
    assert {loads for _, _, loads in results} == {1}
    assert {pid for _, pid, _ in results} == {os.getpid()}
    np.testing.assert_array_equal(results[0][0], volume + 1)


def test_other_arguments_are_another_model():
    first = Resident("trivial_model:load", (("offset", 1),))
    assert first.key == Resident("trivial_model:load", (("offset", 1),)).key
    assert first.key != Resident("trivial_model:load", (("offset", 2),)).key


def test_a_resident_actor_outlives_the_processes_that_call_it(trivial, ray_address):
    first, second = _result(ray_address, 7, trivial), _result(ray_address, 7, trivial)
    assert first["sum"] == 12 * 64 * 64 * 32
    assert first["pid"] == second["pid"], "both runs were served by the same process"
    assert second["loads"] == 1, "the second run loaded nothing"
    assert not second["torch"], "a run imports no torch"
    assert _result(ray_address, 8, trivial)["pid"] != first["pid"], "another model has a process of its own"


def test_without_a_cluster_the_error_says_how_to_start_one():
    with pytest.raises(ComputeUnavailableError, match=r"127\.0\.0\.1:9.*ray start --head"):
        Compute(kind="ray", ray_address="127.0.0.1:9").run(Resident("math:sqrt", ()), 4)
