"""The run_failure sensor on runs that failed for real, with a webhook on loopback."""

import time
from collections.abc import Callable, Iterator

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.utils import make_new_run_id

from ct_assets.device import GpuMemoryError
from resources.resident import ModelProcessDiedError
from resources.webhook import Webhook, WebhookError
from sensors import run_failure as module
from sensors.alarm_groups import REST_SECONDS, State
from sensors.run_failure import run_failure_sensor
from tests.resources.webhook_server import WebhookServer, webhook_server
from tests.sensors.failing_runs import FailingRuns

DIED = "the process of the model NnunetModel-0123 (pid 17) ended while it worked on this series"


@pytest.fixture
def runs(tmp_path) -> FailingRuns:
    return FailingRuns(dg.DagsterInstance.local_temp(str(tmp_path)))


@pytest.fixture
def server() -> Iterator[WebhookServer]:
    with webhook_server() as running:
        yield running


@pytest.fixture
def tick(runs, server) -> Callable[[str | None], dg.SensorResult]:
    sensor = run_failure_sensor({"demo": 3}, told=True)

    def tick(cursor: str | None) -> dg.SensorResult:
        resource = Webhook(url=server.url, ui_url="http://ui:3000", first_wait=0.01)
        return sensor(dg.build_sensor_context(instance=runs.instance, cursor=cursor, resources={"webhook": resource}))

    return tick


@pytest.fixture
def later(monkeypatch) -> Callable[[float], None]:
    """Let time pass for the sensor."""
    passed = [0.0]
    monkeypatch.setattr(module, "_now", lambda: time.time() + passed[0])

    def pass_(seconds: float) -> None:
        passed[0] += seconds

    return pass_


def test_a_failed_run_is_told_of_once(runs, server, tick):
    before = runs.fail("1.2.1", ModelProcessDiedError(DIED))
    begin = tick(None)
    assert server.told == [], "what failed before there was a webhook is not told of"
    run = runs.fail("1.2.1", ModelProcessDiedError(DIED))
    told = tick(begin.cursor)
    (alarm,) = server.told
    assert (alarm["collection"], alarm["series"], alarm["stage"]) == ("mine", "1.2.1", "organ_seg")
    assert (alarm["run"], alarm["attempts"], alarm["reason"]) == (run, 2, DIED)
    assert alarm["url"] == f"http://ui:3000/runs/{run}"
    assert alarm["runbook"] == "docs/runbooks/model-process-died.md"
    assert before not in alarm["text"]
    assert "messages sent: 0" in tick(told.cursor).skip_reason.skip_message
    assert len(server.told) == 1


def test_an_unfit_series_a_run_that_dagster_retries_and_a_success_are_no_alarms(runs, server, tick):
    cursor = tick(None).cursor
    runs.run("1.2.1")
    runs.fail("1.2.2", ModelProcessDiedError(DIED), **{"dagster/will_retry": "true"})
    runs.fit = False
    runs.run("1.2.3")
    after = tick(cursor)
    assert server.requests == []
    assert State.parse(after.cursor).after > State.parse(cursor).after
    runs.fit, runs.geometry = True, False
    runs.run("1.2.4")
    tick(after.cursor)
    (alarm,) = server.told
    assert (alarm["stage"], alarm["reason"]) == ("ct_nifti", "blocking check failed: geometry_matches_dicom")


def test_many_failures_are_one_message_and_the_rest_comes_later(runs, server, tick, later):
    cursor = tick(None).cursor
    for n in range(2):
        runs.fail(f"1.2.{n}", ModelProcessDiedError(DIED.replace("17", str(n))))
    runs.fail("1.2.9", OSError(28, "No space left on device", "/store/1.2.9/seg.tmp"))
    cursor = tick(cursor).cursor
    assert [(alarm["count"], alarm["runbook"][14:]) for alarm in server.told] == [
        (2, "model-process-died.md"), (1, "disk-full.md"),
    ]  # fmt: skip
    runs.fail("1.2.3", ModelProcessDiedError(DIED))
    cursor = tick(cursor).cursor
    assert len(server.told) == 2
    later(REST_SECONDS)
    tick(cursor)
    assert [alarm["count"] for alarm in server.told] == [2, 1, 1]


def test_a_tick_looks_at_a_bounded_number_and_the_next_goes_on(runs, server, tick, later, monkeypatch):
    monkeypatch.setattr(module, "FAILURES_PER_TICK", 2)
    cursor = tick(None).cursor
    for n in range(3):
        runs.fail(f"1.2.{n}", ModelProcessDiedError(DIED))
    for _ in range(2):
        cursor = tick(cursor).cursor
    later(REST_SECONDS)
    tick(cursor)
    assert [alarm["count"] for alarm in server.told] == [2, 1]


def test_a_webhook_that_is_down_loses_nothing(runs, server, tick):
    cursor = tick(None).cursor
    runs.fail("1.2.1", ModelProcessDiedError(DIED))
    server.always = 503
    with pytest.raises(WebhookError, match="answers 503"):
        tick(cursor)
    runs.fail("1.2.2", ModelProcessDiedError(DIED))
    with pytest.raises(WebhookError):
        tick(cursor)
    server.always = 200
    tick(cursor)
    assert [(alarm["count"], alarm["examples"]) for alarm in server.told] == [(2, ["1.2.1", "1.2.2"])]


def test_what_was_told_before_the_webhook_went_down_is_not_told_again(runs, server, tick):
    cursor = tick(None).cursor
    runs.fail("1.2.1", ModelProcessDiedError(DIED))
    runs.fail("1.2.2", GpuMemoryError("the GPU has too little memory for one patch"))
    server.answers = [200, 503, 503, 503]
    cursor = tick(cursor).cursor
    assert [alarm["series"] for alarm in server.told] == ["1.2.1"]
    tick(cursor)
    assert [alarm["series"] for alarm in server.told] == ["1.2.1", "1.2.2"]


def test_a_series_that_failed_too_often_is_said_to_be_left_out(runs, server, tick):
    for _ in range(2):
        runs.fail("1.2.1", RuntimeError("x"))
    cursor = tick(None).cursor
    runs.fail("1.2.1", RuntimeError("x"))
    tick(cursor)
    (alarm,) = server.told
    assert alarm["runbook"] == "docs/runbooks/series-failed-too-often.md"
    assert "the schedule leaves it out" in alarm["text"]


def test_nothing_of_a_patient_leaves_the_house(runs, server, tick):
    """A library quotes the value that it cannot read; only texts that are known to hold none are told."""
    cursor = tick(None).cursor
    runs.fail("1.2.1", ValueError("invalid value for PN: 'DOE^JANE' in /dicom/DOE_JANE/1.dcm"))
    runs.fail("1.2.2", FileNotFoundError(2, "No such file or directory", "/dicom/DOE_JANE/1.dcm"))
    runs.fail("1.2.3", FileNotFoundError("/dicom/DOE_JANE/1.dcm has gone since cohort_table was made"))
    tick(cursor)
    assert sorted(alarm["reason"] for alarm in server.told) == [
        "FileNotFoundError [Errno 2] No such file or directory",
        "FileNotFoundError: the DICOM source is not within reach",
        "ValueError",
    ]
    assert "DOE" not in str(server.requests)


def _lost_run(instance: dg.DagsterInstance, location: str) -> dg.DagsterRun:
    """Record a run whose process is lost, as the daemon's monitoring does."""
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), "repository")
    run = dg.DagsterRun(
        job_name="mine_series_annotate",
        run_id=make_new_run_id(),
        status=dg.DagsterRunStatus.STARTED,
        tags={"dagster/partition": "1.2.8"},
        remote_job_origin=RemoteJobOrigin(repository, "mine_series_annotate"),
    )
    instance.add_run(run)
    instance.report_run_failed(run, f"Detected run worker status FAILED. Marking run {run.run_id} as failed.\nmore")
    return run


def test_a_run_that_is_lost_is_told_of_but_not_one_of_another_code_location(runs, server):
    sensor, resource = run_failure_sensor({"demo": 3}, told=True), Webhook(url=server.url)
    with dg.build_sensor_context(instance=runs.instance, resources={"webhook": resource}) as context:
        context._code_location_origin = RegisteredCodeLocationOrigin("ct_assets")
        context.update_cursor(sensor(context).cursor)
        _lost_run(runs.instance, "another")
        run = _lost_run(runs.instance, "ct_assets")
        sensor(context)
    (alarm,) = server.told
    assert (alarm["run"], alarm["collection"], alarm["series"]) == (run.run_id, "mine", "1.2.8")
    assert alarm["reason"].startswith("Detected run worker status FAILED. Marking run")
    assert (alarm["stage"], alarm["runbook"]) == (None, "docs/runbooks/run-lost.md")


def test_without_a_webhook_the_sensor_is_off_and_says_what_to_do(runs):
    assert run_failure_sensor({"demo": 3}, told=True).default_status is dg.DefaultSensorStatus.RUNNING
    sensor = run_failure_sensor({"demo": 3}, told=False)
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
    skipped = sensor(dg.build_sensor_context(instance=runs.instance, resources={"webhook": Webhook()}))
    assert "set CT_ASSETS_WEBHOOK_URL" in str(skipped)
