"""Annotate a collection in this process: the cohort, then every series through the whole chain, then the report."""

import logging
import time
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import dagster as dg

from ct_assets.cohort_table.index.header_index import unreadable_files
from ct_assets.cohort_table.index.kept import read_index
from ct_assets.collection import Collection
from ct_assets.completion import Completion, completion_key, files_made, limits_key, read_completion
from ct_assets.ct_nifti.expert import expert_files
from ct_assets.ct_nifti.fetch import FetchFailedError, fetch_needed
from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.ct_nifti.source import source_files
from ct_assets.definitions import collection_definitions
from ct_assets.outcome import CohortOutcome, SeriesOutcome
from ct_assets.partitions import STAGES, Scope, scopes, shard_of
from ct_assets.qc_report.rule import Rule
from ct_assets.run_job import OnStage, check_outcome, execute, failure, progress_logger, run_or_raise
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.tables import COHORT
from resources.dicom_source import DicomSource
from resources.model_store import ModelStore
from resources.series_store import SeriesStore

logger = logging.getLogger(__name__)

COHORT_STAGES = ("cohort_table", "cohort_report")
"""Stages of the whole collection: before and after its series."""

_COHORT_JOB, _REPORT_JOB = "cohort_table_alone", "cohort_report_alone"
_ANNOTATE, _JUDGE = "annotate", "judge"


def annotate(
    collection: Collection,
    *,
    instance: dg.DagsterInstance,
    resources: dict[str, dg.ConfigurableResource],
    on_stage: OnStage = lambda _uid, _stage: None,
    again: bool = False,
) -> CohortOutcome:
    """Annotate every fit series of a collection, one after the other; one bad series never stops the others.

    A series that was finished from the same files, settings and models is not made again; where only limits of the
    rules have changed, it is judged again.

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
    run_or_raise(definitions, _COHORT_JOB, instance)
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
        if finished and finished.limits == limits_key(collection):
            outcomes.append(SeriesOutcome(uid, "annotated", None, 0.0, series, finished.checks, reused=True))
            continue
        if not finished:
            series.completion.unlink(missing_ok=True)
        scope = Scope(collection, shard_of(collection, uid))
        outcome = _run_series(definitions, _JUDGE if finished else _ANNOTATE, scope, uid, instance, series)
        if finished:
            # A rule that has been switched off has no outcome any more.
            others = {name: said for name, said in finished.checks.items() if name not in set(Rule)}
            outcome = replace(outcome, checks={**others, **outcome.checks}, reused=True)
        if outcome.status == "annotated":
            Completion(
                key=key,
                limits=limits_key(collection),
                checks=outcome.checks,
                files=files_made(series),
                seconds=outcome.seconds,
            ).write(series.completion)
        outcomes.append(outcome)
    report, report_problem = None, None
    if any(outcome.status == "annotated" for outcome in outcomes):
        result = execute(definitions, _REPORT_JOB, instance)
        report = folder.cohort.report if result.success else None
        report_problem = None if result.success else failure(result)
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
    result = run_or_raise(definitions, _COHORT_JOB, instance)
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
    parts = scopes(collection)
    scope = parts[0]
    jobs = [
        *(dg.define_asset_job(_job(part, _JUDGE), selection=[part.key("qc_report")]) for part in parts),
        dg.define_asset_job(_COHORT_JOB, selection=[scope.cohort_key("cohort_table")]),
        dg.define_asset_job(_REPORT_JOB, selection=[scope.cohort_key("cohort_report")]),
    ]
    return dg.Definitions.merge(
        collection_definitions(collection),
        dg.Definitions(
            jobs=jobs,
            resources=resources,
            executor=dg.in_process_executor,
            loggers={"progress": progress_logger(on_stage, (*STAGES, *COHORT_STAGES))},
        ),
    )


def _job(scope: Scope, what: str) -> str:
    return f"{scope.partitions.name}_{what}"


def _run_series(
    definitions: dg.Definitions, what: str, scope: Scope, uid: str, instance: dg.DagsterInstance, folder: SeriesFolder
) -> SeriesOutcome:
    started = time.monotonic()
    result = execute(definitions, _job(scope, what), instance, partition_key=uid)
    seconds = time.monotonic() - started
    checks = {evaluation.check_name: check_outcome(evaluation) for evaluation in result.get_asset_check_evaluations()}
    if result.success:
        return SeriesOutcome(uid, "annotated", None, seconds, folder, checks)
    if checks.get("fit") == "fail":
        reasons = read_ct_record(folder.ct_record, require_fit=False).reasons
        return SeriesOutcome(uid, "unfit", "; ".join(reasons), seconds, folder, checks)
    reason = failure(result)
    logger.error("series %s failed: %s", uid, reason)
    return SeriesOutcome(uid, "failed", reason, seconds, folder, checks)


def _excluded(row: dict[Hashable, Any]) -> SeriesOutcome:
    return SeriesOutcome(str(row["SeriesInstanceUID"]), "unfit", str(row["reason"]), 0.0)
