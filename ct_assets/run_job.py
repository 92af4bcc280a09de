"""Run one job in this process, tell what it does, and say what went wrong in it."""

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

import dagster as dg

OnStage = Callable[[str, str], None]
"""Called with a series (or an empty string) and the stage that begins."""


def progress_logger(on_stage: OnStage, stages: Collection[str]) -> dg.LoggerDefinition:
    """Return a Dagster logger that turns the start of a step into a call.

    Parameters
    ----------
    on_stage : callable
        To be called.
    stages : collection of str
        Assets that count; the steps of checks do not.
    """

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            meta: dict[str, Any] = getattr(record, "dagster_meta", {})
            event = meta.get("dagster_event")
            if event is not None and event.event_type_value == "STEP_START":
                stage = str(event.step_key).rpartition("__")[2]
                if stage in stages:
                    on_stage(meta.get("job_tags", {}).get("dagster/partition", ""), stage)

    @dg.logger
    def progress(_: dg.InitLoggerContext) -> logging.Logger:
        # An unregistered logger, so that the handler goes with the run.
        unregistered = logging.Logger("ct_assets.progress", logging.DEBUG)  # noqa: LOG001
        unregistered.addHandler(Handler())
        return unregistered

    return progress


def execute(
    definitions: dg.Definitions,
    job: str,
    instance: dg.DagsterInstance,
    partition_key: str | None = None,
    raise_on_error: bool = False,
    tags: Mapping[str, str] | None = None,
) -> dg.ExecuteInProcessResult:
    """Run a job.

    Parameters
    ----------
    definitions : Definitions
        They have the job, and the logger of `progress_logger` as ``progress``.
    job : str
        Its name.
    instance : DagsterInstance
        Where the run is recorded.
    partition_key : str, optional
        Which partition.
    raise_on_error : bool, default False
        Raise Dagster's error instead of returning a failed result.
    tags : mapping of str to str, optional
        Tags of the run.
    """
    return definitions.resolve_job_def(job).execute_in_process(
        instance=instance,
        partition_key=partition_key,
        raise_on_error=raise_on_error,
        tags=dict(tags or {}),
        run_config={"loggers": {"progress": {}}},
    )


def run_or_raise(
    definitions: dg.Definitions, job: str, instance: dg.DagsterInstance, tags: Mapping[str, str] | None = None
) -> dg.ExecuteInProcessResult:
    """Run a job and raise what went wrong in it as it was raised there.

    Parameters
    ----------
    definitions, job, instance, tags
        As in `execute`.
    """
    try:
        return execute(definitions, job, instance, raise_on_error=True, tags=tags)
    except dg.DagsterExecutionStepExecutionError as error:
        raise error.user_exception from error


def check_outcome(evaluation: dg.AssetCheckEvaluation) -> str:
    """Return pass or fail, or what the check itself calls its outcome, such as not measurable."""
    outcome = evaluation.metadata.get("outcome")
    return str(outcome.value) if outcome is not None else "pass" if evaluation.passed else "fail"
