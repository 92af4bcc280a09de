"""What dies in the middle of a series is noticed, the series is finished, and its objects are those of a quiet run."""

import re
import time
from functools import partial
from typing import Any

import pytest

from ct_assets.step_name import STAGES
from tests.production.conftest import Installation, Quiet
from tests.service_graphql import FINISHED, tag, wait

NOT_RECORDED = r"too many retries for DB connection|process of the run \(pid \d+\) is gone|unexpectedly exited"
"""What the log says of a run that could not record what it did: the run itself, the daemon, the code server."""
BACKFILLS_SECONDS = 30
"""How often the daemon looks at a backfill."""
POOLS = "{ instance { concurrencyLimits { concurrencyKey activeSlotCount } } }"


@pytest.fixture(scope="module")
def short(installed: Installation, quiet: Quiet) -> str:
    """The series with the smallest volume, annotated once already."""
    return min(quiet.objects, key=lambda uid: installed.series(uid).ct_nifti.stat().st_size)


def _working(installed: Installation, run_id: str) -> int:
    """Process of a run, once its model works."""
    messages = wait(240, lambda messages: "in a resident actor" in messages, lambda: installed.web.messages(run_id))
    started = re.search(r"Started process for run \(pid: (\d+)\)", messages)
    assert started
    return int(started[1])


def _held(installed: Installation) -> dict[str, int]:
    """Places that are taken in the pools."""
    pools = installed.web.graphql(POOLS)["instance"]["concurrencyLimits"]
    return {pool["concurrencyKey"]: pool["activeSlotCount"] for pool in pools if pool["activeSlotCount"]}


@pytest.mark.timeout(1200)
def test_a_run_that_is_killed_with_its_code_server_is_noticed_and_launched_again(installed, quiet, short):
    code = installed.server.units["code"]
    backfill_id, starts = installed.web.start_backfill([short]), code.starts
    [run] = wait(120, bool, lambda: installed.web.runs(backfill_id))
    run_id = run["runId"]
    pid = _working(installed, run_id)
    wait(60, lambda held: held == {"gpu": 1}, lambda: _held(installed))
    code.kill(away_seconds=BACKFILLS_SECONDS + 5)
    ended = installed.web.finished(run_id, seconds=240)
    assert ended["status"] == "FAILURE"
    assert f"the process of the run (pid {pid}) is gone" in installed.web.messages(run_id)
    assert code.starts == starts + 1
    looked_at = "unable to continue due to a missing asset" in (installed.server.log / "daemon.log").read_text()
    assert looked_at, "the backfill is looked at while there is no code, and goes on"
    found = installed.web.backfill(backfill_id, seconds=300)
    assert found["status"] == "COMPLETED_SUCCESS", installed.server.tail()
    retry = installed.web.run(_retry(installed, run_id))
    assert (retry["status"], retry["parentRunId"]) == ("SUCCESS", run_id)
    assert {run["runId"] for run in found["runs"]} == {run_id, retry["runId"]}
    wait(60, lambda held: held == {}, lambda: _held(installed))
    assert installed.objects(short) == quiet.objects[short]


@pytest.mark.timeout(1200)
def test_a_database_that_was_gone_costs_a_series_nothing(installed, quiet, short):
    """Dagster tries for some seconds to record what a run does; a run that could not fails, and the next completes.

    It is launched again by itself where its process ended, not where it could still say that a stage had failed.
    """
    run_id = installed.web.launch(*STAGES, uid=short)["run"]["runId"]
    _working(installed, run_id)
    installed.database.stop()
    time.sleep(20)
    installed.database.start()
    run = wait(300, lambda run: run.get("status") in FINISHED, partial(_seen, installed, run_id))
    if run["status"] == "FAILURE":
        assert re.search(NOT_RECORDED, installed.web.messages(run_id))
        again = tag(run, "dagster/will_retry") == "true"
        next_id = _retry(installed, run_id) if again else installed.web.launch(*STAGES, uid=short)["run"]["runId"]
        run = installed.web.finished(next_id, seconds=300)
    assert run["status"] == "SUCCESS", installed.server.tail()
    wait(60, lambda held: held == {}, lambda: _held(installed))
    assert installed.objects(short) == quiet.objects[short]


@pytest.mark.timeout(1200)
def test_an_upgrade_waits_for_the_runs(installed, quiet, short):
    """Systemd, told to stop ct-assets-code, ends the daemon, then lets the code server end when its runs have."""
    run_id = installed.web.launch(*STAGES, uid=short)["run"]["runId"]
    _working(installed, run_id)
    installed.server.units["daemon"].stop()
    installed.server.units["code"].stop(seconds=300)
    assert installed.web.run(run_id)["status"] == "SUCCESS", installed.web.messages(run_id)
    installed.server.start("code", "daemon")
    wait(120, bool, installed.web.knows_the_code)
    assert installed.objects(short) == quiet.objects[short]


def _seen(installed: Installation, run_id: str) -> dict[str, Any]:
    """The run, or nothing where the web server has not noticed yet that its connections are those of yesterday."""
    try:
        installed.web.messages(run_id)
        return dict(installed.web.run(run_id))
    except OSError:
        return {}


def _retry(installed: Installation, run_id: str) -> str:
    """The run that the daemon launches in place of a crashed one."""
    found = wait(60, bool, lambda: tag(installed.web.run(run_id), "dagster/auto_retry_run_id"))
    assert found
    return found
