"""Annotate a collection in this process: the cohort, then every series through the whole chain, then the report."""

import logging
import time
from collections.abc import Callable, Hashable
from typing import Any

import dagster as dg

from ct_assets.cohort_table.index.header_index import unreadable_files
from ct_assets.cohort_table.index.kept import read_index
from ct_assets.collection import Collection
from ct_assets.completion import Completion, completion_key, files_made, read_completion
from ct_assets.ct_nifti.expert import expert_files
from ct_assets.ct_nifti.fetch import FetchFailedError, fetch_needed
from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.ct_nifti.source import source_files
from ct_assets.definitions import collection_definitions
from ct_assets.outcome import CohortOutcome, SeriesOutcome
from ct_assets.partitions import Scope, scopes, shard_of
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.tables import COHORT
from resources.dicom_source import DicomSource
from resources.model_store import ModelStore
from resources.series_store import SeriesStore

logger = logging.getLogger(__name__)

STAGES = ("ct_nifti", "organ_seg", "bpr_json", "shape_features", "dicom_seg", "dicom_sr", "qc_report")
"""Stages of a series, in order."""

COHORT_STAGES = ("cohort_table", "cohort_report")
"""Stages of the whole collection: before and after its series."""

OnStage = Callable[[str, str], None]
"""Called with a series (or an empty string) and the stage that begins."""

_COHORT_JOB, _REPORT_JOB = "cohort_table_alone", "cohort_report_alone"


def annotate(
    collection: Collection,
    *,
    instance: dg.DagsterInstance,
    resources: dict[str, dg.ConfigurableResource],
    on_stage: OnStage = lambda _uid, _stage: None,
    again: bool = False,
) -> CohortOutcome:
    """Annotate every fit series of a collection, one after the other; one bad series never stops the others.

    A series that was finished from the same files, settings and models is not made again.

    Parameters
    ----------
    collection : Collection
        The collection.
    instance : DagsterInstance
        Where runs are recorded.
    resources : dict
        Resources of the assets.
    on_stage : callable, optional
        Told about progress.
    again : bool, default False
        Make finished series again too.

    Returns
    -------
    CohortOutcome
        Every CT series of the source is in it.

    Raises
    ------
    ModelMissingError
        If weights are not installed; nothing has been done then.
    EmptySourceError, NoCtError
        If there is nothing to annotate.
    """
    model_store, store, dicom_source = resources["model_store"], resources["series_store"], resources["dicom_source"]
    assert isinstance(model_store, ModelStore)
    assert isinstance(store, SeriesStore)
    assert isinstance(dicom_source, DicomSource)
    require_models(collection, model_store)
    definitions = _definitions(collection, resources, on_stage)
    _run_or_raise(definitions, _COHORT_JOB, instance)
    folder = store.collection(collection.name)
    cohort = COHORT.read(folder.cohort.cohort)
    outcomes = [_excluded(row) for row in cohort[~cohort["selected"]].to_dict("records")]
    for row in cohort[cohort["selected"]].to_dict("records"):
        uid, source = str(row["SeriesInstanceUID"]), dicom_source.folder(collection)
        series = folder.series(uid)
        try:
            fetch_needed(collection, folder, dicom_source, source, uid)
            files = [*source_files(folder, source, uid), *expert_files(source, row["expert_files"])]
            key = completion_key(files, collection, model_store)
        except (OSError, LookupError, FetchFailedError) as error:
            outcomes.append(SeriesOutcome(uid, "failed", str(error), 0.0, series))
            continue
        finished = None if again else read_completion(series, key)
        if finished:
            outcomes.append(SeriesOutcome(uid, "annotated", None, 0.0, series, finished.checks, reused=True))
            continue
        series.completion.unlink(missing_ok=True)
        outcome = _annotate_series(definitions, Scope(collection, shard_of(collection, uid)), uid, instance, series)
        if outcome.status == "annotated":
            done = Completion(key=key, checks=outcome.checks, files=files_made(series), seconds=outcome.seconds)
            done.write(series.completion)
        outcomes.append(outcome)
    report, report_problem = None, None
    if any(outcome.status == "annotated" for outcome in outcomes):
        result = _execute(definitions, _REPORT_JOB, instance)
        report = folder.cohort.report if result.success else None
        report_problem = None if result.success else _failure(result)
    return CohortOutcome(
        folder=folder,
        series=tuple(outcomes),
        unreadable=unreadable_files(read_index(folder.cohort.instances)),
        report=report,
        report_problem=report_problem,
    )


def select_cohort(
    collection: Collection, *, instance: dg.DagsterInstance, resources: dict[str, dg.ConfigurableResource]
) -> dict[str, Any]:
    """Materialize the cohort table of a collection, and nothing else.

    Parameters
    ----------
    collection : Collection
        The collection.
    instance : DagsterInstance
        Where the run is recorded and partitions are registered.
    resources : dict
        Resources of the assets.

    Returns
    -------
    dict
        Metadata of the materialization, by name.

    Raises
    ------
    Exception
        What went wrong, as it was raised in the asset.
    """
    definitions = _definitions(collection, resources, lambda _uid, _stage: None)
    result = _run_or_raise(definitions, _COHORT_JOB, instance)
    (event,) = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def require_models(collection: Collection, model_store: ModelStore) -> None:
    """Check that the models of a collection are installed.

    Raises
    ------
    ModelMissingError
        If one is not; the message names the folder and the remedy.
    """
    for configuration in collection.models:
        model_store.nnunet(collection.organ_segmentation.model, configuration)
    model_store.bpreg(collection.body_part_regression.model)


def _definitions(
    collection: Collection, resources: dict[str, dg.ConfigurableResource], on_stage: OnStage
) -> dg.Definitions:
    scope = scopes(collection)[0]
    jobs = [
        dg.define_asset_job(_COHORT_JOB, selection=[scope.cohort_key("cohort_table")]),
        dg.define_asset_job(_REPORT_JOB, selection=[scope.cohort_key("cohort_report")]),
    ]
    return dg.Definitions.merge(
        collection_definitions(collection),
        dg.Definitions(
            jobs=jobs,
            resources=resources,
            executor=dg.in_process_executor,
            loggers={"progress": _progress_logger(on_stage)},
        ),
    )


def _progress_logger(on_stage: OnStage) -> dg.LoggerDefinition:
    """Return a Dagster logger that turns the start of a step into a call."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            meta: dict[str, Any] = getattr(record, "dagster_meta", {})
            event = meta.get("dagster_event")
            if event is not None and event.event_type_value == "STEP_START":
                stage = str(event.step_key).rpartition("__")[2]
                if stage in (*STAGES, *COHORT_STAGES):
                    on_stage(meta.get("job_tags", {}).get("dagster/partition", ""), stage)

    @dg.logger
    def progress(_: dg.InitLoggerContext) -> logging.Logger:
        # An unregistered logger, so that the handler goes with the run.
        unregistered = logging.Logger("ct_assets.progress", logging.DEBUG)  # noqa: LOG001
        unregistered.addHandler(Handler())
        return unregistered

    return progress


def _execute(
    definitions: dg.Definitions,
    job: str,
    instance: dg.DagsterInstance,
    partition_key: str | None = None,
    raise_on_error: bool = False,
) -> dg.ExecuteInProcessResult:
    return definitions.resolve_job_def(job).execute_in_process(
        instance=instance,
        partition_key=partition_key,
        raise_on_error=raise_on_error,
        run_config={"loggers": {"progress": {}}},
    )


def _run_or_raise(definitions: dg.Definitions, job: str, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Run a job and raise what went wrong in it as it was raised there."""
    try:
        return _execute(definitions, job, instance, raise_on_error=True)
    except dg.DagsterExecutionStepExecutionError as error:
        raise error.user_exception from error


def _annotate_series(
    definitions: dg.Definitions, scope: Scope, uid: str, instance: dg.DagsterInstance, folder: SeriesFolder
) -> SeriesOutcome:
    started = time.monotonic()
    job = f"{scope.partitions.name}_annotate"
    result = _execute(definitions, job, instance, partition_key=uid)
    seconds = time.monotonic() - started
    checks = {evaluation.check_name: _verdict(evaluation) for evaluation in result.get_asset_check_evaluations()}
    if result.success:
        return SeriesOutcome(uid, "annotated", None, seconds, folder, checks)
    if checks.get("fit") == "fail":
        reasons = read_ct_record(folder.ct_record, require_fit=False).reasons
        return SeriesOutcome(uid, "unfit", "; ".join(reasons), seconds, folder, checks)
    reason = _failure(result)
    logger.error("series %s failed: %s", uid, reason)
    return SeriesOutcome(uid, "failed", reason, seconds, folder, checks)


def _verdict(evaluation: dg.AssetCheckEvaluation) -> str:
    """Return pass or fail, or what the check itself calls its outcome, such as not measurable."""
    outcome = evaluation.metadata.get("outcome")
    return str(outcome.value) if outcome is not None else "pass" if evaluation.passed else "fail"


def _failure(result: dg.ExecuteInProcessResult) -> str:
    """Say in one line which stage failed and why."""
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            text = error.message.strip().splitlines()[0] if error else "unknown error"
            return f"{str(event.step_key).rpartition('__')[2]}: {text}"
    return "the run ended before its first stage"


def _excluded(row: dict[Hashable, Any]) -> SeriesOutcome:
    return SeriesOutcome(str(row["SeriesInstanceUID"]), "unfit", str(row["reason"]), 0.0)
