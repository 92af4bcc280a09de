"""Resident models in real Ray actors, called from processes of their own as runs do; some of the actors are killed."""

import dataclasses
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.resources.ray_callers import OBJECT_STORE_MB, Caller, Cluster, cluster, is_alive, wait_for


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("trivial")) as started:
        yield started


@pytest.fixture(scope="module")
def callers(running) -> Iterator[tuple[Caller, Caller]]:
    """Two processes that call models at the same time."""
    with ExitStack() as stack:
        started = [Caller(running, running.folder / f"{name}.log") for name in "ab"]
        for caller in started:
            stack.callback(caller.end)
        yield started[0], started[1]


@pytest.fixture
def model(tmp_path) -> Path:
    (tmp_path / "offset").write_text("7")
    return tmp_path


def _begun(folder: Path, ticket: str) -> int:
    """Wait until a call is inside the model, and return the process."""
    return int(wait_for(lambda: (folder / f"begun-{ticket}").exists() and (folder / f"begun-{ticket}").read_text()))


def _state(caller: Caller, pid: int) -> dict[str, Any]:
    [state] = [state for state in caller.states().values() if state["pid"] == pid]
    return state


def test_the_second_process_finds_the_model_loaded(callers, model):
    first, second = (caller.call(model) for caller in callers)
    assert first == {"first": 12, "pid": first["pid"], "loads": 1, "torch": False}
    assert second == first, "the same process, which loaded once; no caller imported torch"
    state = _state(callers[0], first["pid"])
    assert (state["loads"], state["calls"], state["running"]) == (1, 2, 0)
    assert f"process {first['pid']}, log {state['log']}" in callers[1].log.read_text()
    assert "loaded load-" in Path(state["log"]).read_text(), "what the process does is in Ray's log of it"


def test_strangers_are_refused_and_the_token_is_in_no_log(callers, running, model):
    assert callers[0].call(model)["first"] == 12, "who shows the token is served"
    wrong = [{"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}]
    strangers = [
        Caller(dataclasses.replace(running, authentication=shown), running.folder / f"stranger{number}.log")
        for number, shown in enumerate(wrong)
    ]
    for stranger in strangers:
        stranger.send(model)
    for stranger in strangers:
        answer = stranger.receive()
        stranger.end()
        assert answer["error"] == "resources.resident.ComputeUnavailableError"
        assert "asks for another token" in answer["message"]
        assert "RAY_AUTH_TOKEN_PATH" in answer["message"]
    token = Path(running.authentication["RAY_AUTH_TOKEN_PATH"]).read_bytes()
    session = Path(_state(callers[0], callers[0].call(model)["pid"])["log"]).parent.parent
    logs = [*running.folder.glob("*.log"), *(file for file in session.rglob("*") if file.is_file())]
    assert len(logs) > 10
    assert not [log for log in logs if token in log.read_bytes()]


def test_a_model_on_a_cpu_may_use_all_of_it(callers, model):
    assert callers[0].call(model, "count threads")["first"] == 0, "Ray's limit of one thread is not in force"


def test_a_process_that_is_killed_fails_its_series_alone_and_comes_back(callers, model):
    victim, other = callers
    victim.send(model, "wait", ticket="victim")
    pid = _begun(model, "victim")
    other.send(model)
    os.kill(pid, signal.SIGKILL)
    failed, answer = victim.receive(), other.receive()
    assert failed["error"] == "resources.resident.ModelProcessDiedError"
    assert f"(pid {pid}) ended while it worked on this series" in failed["message"]
    assert "materialize the series again" in failed["message"]
    assert answer == {"first": 12, "pid": answer["pid"], "loads": 1, "torch": False}
    assert answer["pid"] != pid
    assert victim.call(model) == answer, "the series again, in the process that has come back"


def test_a_process_that_dies_between_calls_is_not_noticed(callers, model):
    before = callers[0].call(model)["pid"]
    os.kill(before, signal.SIGKILL)
    after = callers[1].call(model)
    assert (after["first"], after["loads"]) == (12, 1)
    assert after["pid"] != before


def test_errors_of_the_model_arrive_as_they_are(callers, model):
    raised = callers[0].call(model, "raise")
    assert raised == {"error": "ct_assets.provenance.ModelFormatError", "message": "this series does not suit me"}
    assert callers[0].call(model)["loads"] == 1, "an error of a series costs the next one nothing"
    assert callers[0].call(model, "write")["message"] == "assignment destination is read-only"


def test_a_model_that_cannot_be_loaded_is_loaded_anew_when_its_folder_is_mended(callers, tmp_path):
    first, second = callers
    first.send(tmp_path)
    second.send(tmp_path)
    expected = {"error": "ct_assets.provenance.ModelFormatError", "message": f"{tmp_path / 'offset'} is missing"}
    assert [first.receive(), second.receive()] == [expected, expected]
    wait_for(lambda: not any(state["loads"] == 0 for state in first.states().values()))
    (tmp_path / "offset").write_text("2")
    assert first.call(tmp_path)["first"] == 7


def test_a_process_that_has_lost_its_device_serves_no_other_series(callers, model):
    before = callers[0].call(model)["pid"]
    lost = callers[0].call(model, "lose the device")
    assert (lost["error"], lost["message"][:10]) == ("builtins.RuntimeError", "CUDA error")
    assert callers[1].call(model)["pid"] != before


def test_a_process_whose_gpu_lacked_memory_serves_the_next_series(callers, model):
    before = callers[0].call(model)
    lacked = callers[0].call(model, "run out of memory")
    assert lacked["error"] == "ct_assets.device.GpuMemoryError"
    assert lacked["message"].startswith(f"model {model}: the GPU has too little memory (CUDA out of memory); free it")
    assert callers[1].call(model) == before, "by the same process, with the model that it had loaded"


def test_replaced_weights_take_the_place_of_the_old_after_the_calls_that_run(callers, model):
    slow, quick = callers
    slow.send(model, "wait", version="old", ticket="slow")
    old = _begun(model, "slow")
    (model / "offset").write_text("8")
    new = quick.call(model, version="new")
    assert (new["first"], new["loads"]) == (13, 1)
    assert new["pid"] != old
    assert is_alive(old), "it has a call to finish"
    (model / "go-slow").touch()
    assert slow.receive() == {"first": 12, "pid": old, "loads": 1, "torch": False}
    wait_for(lambda: not is_alive(old))
    assert slow.call(model, version="new") == new


def test_a_second_series_waits_outside_the_process(callers, model):
    first, second = callers
    first.send(model, "wait", ticket="first")
    pid = _begun(model, "first")
    second.send(model, "wait", ticket="second")
    time.sleep(1)  # enough for a call that does not wait to betray itself
    assert not (model / "begun-second").exists()
    (model / "go-first").touch()
    assert _begun(model, "second") == pid
    (model / "go-second").touch()
    assert {first.receive()["pid"], second.receive()["pid"]} == {pid}


def test_only_a_model_that_may_use_it_is_given_a_gpu(callers, model):
    pids = {device: callers[0].call(model, device=device)["pid"] for device in ("cpu", "auto", "cuda")}
    gpus = {state["pid"]: state["gpus"] for state in callers[0].states().values()}
    assert gpus[pids["cpu"]] == 0
    assert gpus[pids["auto"]] == gpus[pids["cuda"]] > 0


def test_shared_memory_is_free_again_after_each_call(callers, model):
    """Many calls need many times the shared memory that there is, and Ray moves none of it to the disk."""
    voxels, calls = 10_000_000, 20
    assert voxels * calls * 2 / 1e6 > 2 * OBJECT_STORE_MB
    for doing in ["add"] * (calls // 2) + ["raise"] * (calls // 2):
        answer = callers[0].call(model, doing, voxels=voxels)
    assert "error" in answer
    session = Path(_state(callers[0], callers[0].call(model)["pid"])["log"]).parent.parent
    assert not [file for folder in session.glob("ray_spilled_objects*") for file in folder.rglob("*") if file.is_file()]
