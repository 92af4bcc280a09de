"""Annotate a collection in this process: the cohort, then every series through the whole chain, then the report."""

import logging
import time
from collections.abc import Hashable
from dataclasses import dataclass, replace
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
from ct_assets.partitions import UNFINISHED, Scope, scopes, shard_of
from ct_assets.qc_report.rule import Rule
from ct_assets.run_history import reason_of, unfinished_run
from ct_assets.run_job import OnStage, check_outcome, execute, progress_logger, run_or_raise
from ct_assets.step_name import STAGES
from ct_assets.store.in_use import alone_in
from ct_assets.store.paths import CollectionFolder, SeriesFolder
from ct_assets.store.tables import COHORT
from resources.dicom_source import DicomSource
from resources.model_store import ModelStore
from resources.series_store import SeriesStore

logger = logging.getLogger(__name__)

COHORT_STAGES = ("cohort_table", "cohort_report")
"""Stages of the whole collection: before and after its series."""

_COHORT_JOB, _REPORT_JOB = "cohort_table_alone", "cohort_report_alone"
_ANNOTATE, _JUDGE = "annotate", "judge"
_BY = "ct_assets/annotated_into"


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
    FolderInUseError
        If another call works on the same results.
    """
    model_store, store, dicom_source = resources["model_store"], resources["series_store"], resources["dicom_source"]
    assert isinstance(model_store, ModelStore)
    assert isinstance(store, SeriesStore)
    assert isinstance(dicom_source, DicomSource)
    require_models(collection, model_store)
    folder = store.collection(collection.name)
    with alone_in(folder.path):
        tags = {_BY: str(folder.path)}
        _close_killed(instance, tags)
        definitions = _definitions(collection, resources, on_stage)
        run_or_raise(definitions, _COHORT_JOB, instance, tags)
        cohort = COHORT.read(folder.cohort.cohort)
        outcomes = [_excluded(row) for row in cohort[~cohort["selected"]].to_dict("records")]
        call = _Call(collection, definitions, instance, folder, dicom_source, model_store, again, tags)
        outcomes += [call.series(row) for row in cohort[cohort["selected"]].to_dict("records")]
        report, report_problem = None, None
        if any(outcome.status == "annotated" for outcome in outcomes):
            result = execute(definitions, _REPORT_JOB, instance, tags=tags)
            report = folder.cohort.report if result.success else None
            report_problem = None if result.success else str(reason_of(result.all_events))
    return CohortOutcome(
        folder=folder,
        series=tuple(outcomes),
        unreadable=unreadable_files(read_index(folder.cohort.instances)),
        report=report,
        report_problem=report_problem,
    )


@dataclass(frozen=True)
class _Call:
    """One call of `annotate`, and what became of each series."""

    collection: Collection
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    folder: CollectionFolder
    dicom_source: DicomSource
    model_store: ModelStore
    again: bool
    tags: dict[str, str]

    def series(self, row: dict[Hashable, Any]) -> SeriesOutcome:
        """Annotate one selected series, unless it is finished, or a run of the service works on it."""
        uid = str(row["SeriesInstanceUID"])
        series = self.folder.series(uid)
        at_work = unfinished_run(self.instance, Scope(self.collection, shard_of(self.collection, uid)), uid)
        if at_work is not None:
            reason = (
                f"run {at_work.run_id} of the web UI works on it or waits to ({at_work.status.value}); annotate again "
                "when it has ended, or terminate it there"
            )
            return SeriesOutcome(uid, "failed", reason, 0.0, series)
        try:
            source = self.dicom_source.folder(self.collection)
            fetch_needed(self.collection, self.folder, self.dicom_source, source, uid)
            files = [*source_files(self.folder, source, uid), *expert_files(source, row["expert_files"])]
            key = completion_key(files, self.collection, self.model_store)
        except (OSError, LookupError, FetchFailedError) as error:
            return SeriesOutcome(uid, "failed", str(error), 0.0, series)
        limits = limits_key(self.collection)
        finished = None if self.again else read_completion(series, key)
        if finished and finished.limits == limits:
            return SeriesOutcome(uid, "annotated", None, 0.0, series, finished.checks, reused=True)
        if not finished:
            series.completion.unlink(missing_ok=True)
        outcome = self._run(_JUDGE if finished else _ANNOTATE, uid, series)
        if finished:
            # A rule that has been switched off has no outcome any more.
            others = {name: said for name, said in finished.checks.items() if name not in set(Rule)}
            outcome = replace(outcome, checks={**others, **outcome.checks}, reused=True)
        if outcome.status == "annotated":
            files_now, seconds = files_made(series), outcome.seconds
            made = Completion(key=key, limits=limits, checks=outcome.checks, files=files_now, seconds=seconds)
            made.write(series.completion)
        return outcome

    def _run(self, what: str, uid: str, folder: SeriesFolder) -> SeriesOutcome:
        started = time.monotonic()
        job = _job(Scope(self.collection, shard_of(self.collection, uid)), what)
        result = execute(self.definitions, job, self.instance, partition_key=uid, tags=self.tags)
        seconds = time.monotonic() - started
        checks = {said.check_name: check_outcome(said) for said in result.get_asset_check_evaluations()}
        if result.success:
            return SeriesOutcome(uid, "annotated", None, seconds, folder, checks)
        if checks.get("fit") == "fail":
            reasons = read_ct_record(folder.ct_record, require_fit=False).reasons
            return SeriesOutcome(uid, "unfit", "; ".join(reasons), seconds, folder, checks)
        reason = reason_of(result.all_events)
        about = {"collection": self.collection.name, "series": uid, "stage": reason.stage, "run": result.run_id}
        logger.error("series %s failed: %s", uid, reason, extra=about)
        return SeriesOutcome(uid, "failed", str(reason), seconds, folder, checks)


def _close_killed(instance: dg.DagsterInstance, tags: dict[str, str]) -> None:
    """End the runs of earlier calls that were killed, which would count as unfinished for ever.

    This call holds the folder, so no earlier one is alive.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED, tags=tags)):
        instance.report_run_canceled(run, "the call of ct-assets that made this run was killed")


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


def _excluded(row: dict[Hashable, Any]) -> SeriesOutcome:
    return SeriesOutcome(str(row["SeriesInstanceUID"]), "unfit", str(row["reason"]), 0.0)
