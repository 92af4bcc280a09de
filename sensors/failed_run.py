"""What is told of a failed run: where it failed and why, in words of our own.

A reason leaves the house, so the text of an error is told only where it is known to hold no content of a DICOM file:
libraries quote the value that they could not read, and that may be a name. Of other errors the class is told.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import dagster as dg
from dagster import DagsterEventType
from dagster._core.events import DagsterEvent
from dagster_shared.error import SerializableErrorInfo

from ct_assets.partitions import PARTITION_TAG
from ct_assets.runbooks import RUN_FAILED, runbook_for
from ct_assets.step_name import place_of

_WILL_RETRY_TAG = "dagster/will_retry"
_READ = {
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.ASSET_CHECK_EVALUATION,
    DagsterEventType.RUN_FAILURE,
}
_TELLING = (
    "ct_assets.bpr_json.", "ct_assets.ct_nifti.fetch.", "ct_assets.device.", "ct_assets.organ_seg.",
    "ct_assets.provenance.", "ct_assets.store.", "ct_assets.yaml_model.", "resources.",
)  # fmt: skip
_SYSTEM = re.compile(r"\[Errno \d+\] [A-Za-z /]+")
_LONGEST = 400


@dataclass(frozen=True)
class Failure:
    """A run that failed; `runbook` is the page that tells what to do."""

    run: str
    collection: str | None
    series: str | None
    stage: str | None
    reason: str
    runbook: str
    time: float


def failed_run(instance: dg.DagsterInstance, run: dg.DagsterRun, time: float) -> Failure | None:
    """Return what is to be told of a failed run.

    Parameters
    ----------
    instance : DagsterInstance
        It has the events of the run.
    run : DagsterRun
        The run.
    time : float
        When it failed, in seconds since 1970.

    Returns
    -------
    Failure or None
        None where the failure is expected, because the series is unfit, or is made good by Dagster, which retries.
    """
    if run.tags.get(_WILL_RETRY_TAG) == "true":
        return None
    events = [entry.get_dagster_event() for entry in instance.all_logs(run.run_id, of_type=_READ)]
    if "fit" in blocking_checks(events):
        return None
    step, reason, runbook = explain(events)
    place = place_of(step, run.job_name)
    collection = place.collection or next((key.path[0] for key in sorted(run.asset_selection or ())), None)
    return Failure(run.run_id, collection, run.tags.get(PARTITION_TAG), place.stage, reason, runbook, time)


def blocking_checks(events: Iterable[DagsterEvent]) -> list[str]:
    """Return the names of the checks that failed and kept the run from going on."""
    found = []
    for event in events:
        if event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if evaluation.blocking and not evaluation.passed and evaluation.severity is dg.AssetCheckSeverity.ERROR:
                found.append(evaluation.check_name)
    return found


def explain(events: Sequence[DagsterEvent]) -> tuple[str | None, str, str]:
    """Return the step that failed, the reason in one line, and the page that tells what to do.

    Parameters
    ----------
    events : sequence of DagsterEvent
        Failures and checks of one run.
    """
    for event in events:
        if event.is_step_failure:
            return (event.step_key, *_explained(event.step_failure_data.error, blocking_checks(events)))
    for event in events:
        if event.is_run_failure:
            error = event.job_failure_data.error if event.event_specific_data else None
            if error is not None:
                return (None, *_explained(error, []))
            message = event.message or ""
            return None, _line(message) or "the run ended before its first stage", runbook_for([], [message]).path
    return None, "the run ended before its first stage", RUN_FAILED.path


def _explained(error: SerializableErrorInfo | None, checks: list[str]) -> tuple[str, str]:
    chain = list(_chain(error))
    if not chain:
        return "unknown error", RUN_FAILED.path
    # "RayTaskError(GpuMemoryError)" is of both classes.
    classes = [name for each in chain for name in re.findall(r"\w+", each.cls_name or "")]
    runbook = runbook_for(classes, [each.message for each in chain])
    if "DagsterAssetCheckFailedError" in classes:
        names = ", ".join(checks) or "unknown"
        return f"blocking check failed: {names}", runbook.path
    for each in chain:
        name, _, text = _line(each.message).partition(": ")
        if name.startswith(_TELLING):
            return text or name.rpartition(".")[2], runbook.path
    innermost = chain[-1]
    name = innermost.cls_name or "unknown error"
    known = "" if runbook is RUN_FAILED else f": {runbook.title}"
    system = _SYSTEM.search(innermost.message)
    return f"{name}{f' {system[0].strip()}' if system else ''}{known}", runbook.path


def _chain(error: SerializableErrorInfo | None) -> Iterator[SerializableErrorInfo]:
    """Yield an error and its causes, without what Dagster wraps around it."""
    while error is not None:
        if not (error.cls_name or "").startswith("DagsterExecution"):
            yield error
        error = error.cause


def _line(text: str) -> str:
    """Return the first line of a text that is not empty, cut where it is very long."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return first if len(first) <= _LONGEST else f"{first[: _LONGEST - 1]}…"
