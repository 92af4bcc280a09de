"""Whether a series may be released: made from what is there now, read back without a difference, and validated."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pyarrow as pa

from ct_assets.bpr_json.record import BodyPartRecord, read_body_part_record
from ct_assets.collection import Collection
from ct_assets.ct_nifti.convert import source_digest
from ct_assets.ct_nifti.expert import load_expert, series_expert_files
from ct_assets.ct_nifti.record import CtRecord, UnfitSeriesError, read_ct_record
from ct_assets.ct_nifti.source import source_files, source_series
from ct_assets.dicom.validate_written import validate_written
from ct_assets.dicom.validators import ValidationOutcome
from ct_assets.dicom.written import outdated
from ct_assets.dicom_seg import compare as seg_compare
from ct_assets.dicom_seg.writer import plan_segs
from ct_assets.dicom_sr import compare as sr_compare
from ct_assets.dicom_sr.reports import plan_reports
from ct_assets.dicom_sr.sign_off import read_sign_offs
from ct_assets.organ_seg.record import read_label_map_record
from ct_assets.organs import EXPERT
from ct_assets.provenance import Provenance
from ct_assets.shape_features.measure import engines
from ct_assets.store.paths import CollectionFolder, SeriesFolder
from ct_assets.store.tables import SHAPE_FEATURES


def refusals(
    folder: SeriesFolder,
    collection: Collection,
    store: CollectionFolder,
    source: Path,
    report_verdicts: Mapping[str, ValidationOutcome | None],
) -> list[str]:
    """Return why a series may not be released, one sentence each; none if it may.

    Parameters
    ----------
    folder : SeriesFolder
        The series.
    collection : Collection
        What it should be made by.
    store : CollectionFolder
        The collection's results.
    source : Path
        Folder of its DICOM files; where they are no longer, nobody can tell whether they have changed.
    report_verdicts : mapping of str to ValidationOutcome or None
        What DicomSRValidator says of each file below sr/, by its name; none: not asked of it by the sample.

    Raises
    ------
    UnfitSeriesError
        If the series is unfit, so that there is nothing to release.
    """
    try:
        record = read_ct_record(folder.ct_record)
        stale = list(_stale(folder, collection, store, source, record))
        if stale:
            return [f"stale: {reason}" for reason in stale]
        return [*_rejected(folder, collection, store, source), *_unvalidated(folder, report_verdicts)]
    except UnfitSeriesError:
        raise
    except (OSError, LookupError, ValueError, pa.ArrowException) as error:
        return [f"not complete: {error}"]


def _stale(
    folder: SeriesFolder, collection: Collection, store: CollectionFolder, source: Path, record: CtRecord
) -> Iterator[str]:
    if _source_changed(folder, store, source, record):
        yield "its DICOM files have changed since ct_nifti"
    settings = collection.organ_segmentation
    for model in collection.models:
        made = read_label_map_record(folder.label_map_record(model)).provenance
        wanted = (settings.model, settings.tta, settings.step_size, settings.folds or made.folds)
        finer = settings.precision == "float32" and made.mixed_precision
        if finer or (made.name, made.tta, made.step_size, made.folds) != wanted:
            yield f"the label map of {model} was made with other settings than the collection has"
    body_part = read_body_part_record(folder.bpr_record)
    if not _body_part_is_current(body_part, collection, record):
        yield "bpr_json was made with other settings or files than there are now"
    engine, measured_by = collection.shape_features.engine, engines(SHAPE_FEATURES.read(folder.shape_features))
    if measured_by != {engine}:
        names = ", ".join(sorted(measured_by))
        yield f"the shape features were measured by {names}, and the collection has the engine {engine}"
    expert = load_expert(collection, store, record, source)
    series = partial(source_series, store, source, record.series_instance_uid)
    yield from outdated(plan_segs(series, folder, collection), folder.seg_objects)
    yield from outdated(
        plan_reports(series, folder, collection, expert), folder.sr_objects, read_sign_offs(folder.sign_offs)
    )


def _source_changed(folder: SeriesFolder, store: CollectionFolder, source: Path, record: CtRecord) -> bool:
    """Compare the files with ct.json, and read them only if one is younger or they are others."""
    try:
        files = source_files(store, source, record.series_instance_uid)
    except (FileNotFoundError, LookupError):
        return False
    made = folder.ct_record.stat().st_mtime
    same = sorted(path.name for path in files) == sorted(entry.file for entry in record.slices)
    if same and all(path.stat().st_mtime <= made for path in files):
        return False
    return source_digest(files) != record.source_digest


def _body_part_is_current(made: BodyPartRecord, collection: Collection, record: CtRecord) -> bool:
    provenance: Provenance = made.provenance
    return (
        made.source_digest == record.source_digest
        and made.landmark_rule == collection.compatibility
        and provenance.name == collection.body_part_regression.model
    )


def _rejected(folder: SeriesFolder, collection: Collection, store: CollectionFolder, source: Path) -> Iterator[str]:
    experts = {EXPERT: series_expert_files(collection, store, folder.series_instance_uid, source)}
    for difference in (
        *seg_compare.differences(folder, collection.models),
        *sr_compare.differences(folder, collection.models, experts),
    ):
        yield f"rejected: {difference}"


def _unvalidated(folder: SeriesFolder, report_verdicts: Mapping[str, ValidationOutcome | None]) -> Iterator[str]:
    for record in (folder.seg_objects, folder.sr_objects):
        for file, verdict in validate_written(record).items():
            if verdict.outcome is ValidationOutcome.REJECTED:
                yield f"rejected: {file}: dciodvfy: {'; '.join(verdict.errors)}"
            elif verdict.outcome is ValidationOutcome.NOT_INSTALLED:
                yield f"not validated: {file}: dciodvfy is not installed; install dicom3tools (Debian)"
    unseen = [path.name for path in folder.reports if path.name not in report_verdicts]
    if unseen:
        yield (
            f"not validated: DicomSRValidator has not judged {', '.join(unseen)}; run: ct-assets validate (a sample "
            "speaks for the others once all of it is accepted; report_validation.all_up_to validates more)"
        )
    for file, said in report_verdicts.items():
        if said is ValidationOutcome.REJECTED:
            yield f"rejected: {file}: DicomSRValidator does not accept it; see cohort/sr_validation.parquet"
