"""Sensor run_failure: tells a webhook of runs that failed.

Dagster has a sensor for failed runs of its own. It calls its function once per run, so that a full disk becomes a
thousand messages, and it goes on to the next run where the function fails, so that what was to be told while the
receiver was down is lost. This one reads the failures itself: it groups them, and passes on only after delivery.
"""

import time
from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster import DagsterEventType

from ct_assets.collection import Schedule
from ct_assets.partitions import PARTITION_TAG
from ct_assets.step_name import place_of
from resources.webhook import Webhook, WebhookError
from sensors.alarm_groups import Group, State, message
from sensors.failed_run import Failure, failed_run

FAILURES_PER_TICK = 100
"""Most failures that are looked at in one tick."""

_INTERVAL_SECONDS = 30
_NOBODY = "nobody is told of failed runs: set CT_ASSETS_WEBHOOK_URL to the address of a webhook, and restart"


def run_failure_sensor(attempts: Mapping[str, int], *, told: bool) -> dg.SensorDefinition:
    """Return the run_failure sensor of this code location.

    Parameters
    ----------
    attempts : mapping of str to int
        Failed runs of a series after which the schedule leaves it out, by collection.
    told : bool
        Whether there is a webhook: the sensor runs then without being turned on.
    """

    @dg.sensor(
        name="run_failure",
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if told else dg.DefaultSensorStatus.STOPPED,
        description="Tells the webhook of CT_ASSETS_WEBHOOK_URL of runs that failed, the same reason at a time.",
    )
    def run_failure(context: dg.SensorEvaluationContext, webhook: Webhook) -> dg.SensorResult | dg.SkipReason:
        if webhook.url is None:
            return dg.SkipReason(_NOBODY)
        before = State.parse(context.cursor)
        if before is None:
            return _said("telling of failures from now on", State(after=_latest_failure(context.instance)))
        now = _now()
        state = _look(context, before)
        due = state.due(now)
        told = 0
        for key in due:
            group = state.groups[key]
            most = attempts.get(group.collection or "", Schedule().attempts)
            alarm = message(group, _attempts(context.instance, group), most, webhook.ui_url)
            try:
                webhook.post(alarm)
            except WebhookError as error:
                # The cursor stays where it is if nobody was told anything, and the tick shows as failed. What was told
                # before the fault is not told again.
                if not told:
                    raise
                context.log.warning("%s; %d messages wait", error, len(due) - told)
                break
            state = state.told(key, now)
            told += 1
        return _said(f"messages sent: {told}", state.tidied(now))

    return run_failure


def _now() -> float:
    return time.time()


def _said(what: str, state: State) -> dg.SensorResult:
    return dg.SensorResult(skip_reason=dg.SkipReason(what), cursor=state.model_dump_json())


def _latest_failure(instance: dg.DagsterInstance) -> int:
    records = instance.fetch_run_status_changes(DagsterEventType.RUN_FAILURE, limit=1).records
    return records[0].storage_id if records else 0


def _look(context: dg.SensorEvaluationContext, before: State) -> State:
    """Return the state with the next failures of this code location in it."""
    instance = context.instance
    wanted = dg.RunStatusChangeRecordsFilter(event_type=DagsterEventType.RUN_FAILURE, after_storage_id=before.after)
    events = instance.fetch_run_status_changes(wanted, limit=FAILURES_PER_TICK, ascending=True).records
    if not events:
        return before
    runs = {run.run_id: run for run in instance.get_runs(dg.RunsFilter(run_ids=[event.run_id for event in events]))}
    origin = context.code_location_origin
    failures: list[Failure] = []
    for event in events:
        run = runs.get(event.run_id)  # None: it has been deleted since
        if run is None or not _ours(run, origin.location_name if origin else None):
            continue
        failure = failed_run(instance, run, event.timestamp)
        if failure is not None:
            failures.append(failure)
    return before.taking(failures, events[-1].storage_id)


def _ours(run: dg.DagsterRun, location: str | None) -> bool:
    """Tell whether a run is of this code location; one that the command line records has none."""
    origin: Any = run.remote_job_origin
    return origin is None or origin.repository_origin.code_location_origin.location_name == location


def _attempts(instance: dg.DagsterInstance, group: Group) -> int | None:
    """Return the failed runs of the series of a group that has one."""
    if group.waiting != 1 or not group.series:
        return None
    tags = {PARTITION_TAG: group.series[-1]}
    runs = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], tags=tags), limit=FAILURES_PER_TICK)
    return sum(_collection(run) == group.collection for run in runs)


def _collection(run: dg.DagsterRun) -> str | None:
    named = place_of(None, run.job_name).collection
    return named or next((key.path[0] for key in sorted(run.asset_selection or ())), None)
