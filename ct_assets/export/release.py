"""A release: the validated objects of a collection, their tables and a manifest, in a folder of its own."""

import importlib.metadata
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ct_assets.collection import Collection
from ct_assets.ct_nifti.record import UnfitSeriesError, read_ct_record
from ct_assets.dicom.written import WrittenObject, read_objects
from ct_assets.dicom_sr.tables import MEASUREMENT_TABLES
from ct_assets.export.errors import ExportError
from ct_assets.export.manifest import Release, ReleasedObject, ReleasedSeries, ReleasedTable
from ct_assets.export.readiness import refusals
from ct_assets.export.reviewed import ReviewedSeries, reviewed
from ct_assets.export.verdicts import ReportVerdicts
from ct_assets.provenance import DEMONSTRATION_NOTICE
from ct_assets.review.history import Reviews, collection_reviews
from ct_assets.store.atomic import write_text
from ct_assets.store.digest import file_digest
from ct_assets.store.paths import CollectionFolder, SeriesFolder
from ct_assets.store.tables import COHORT

_DOI = re.compile(r"10\.\d{4,9}/\S+")
_SOFTWARE = ("ct-assets", "highdicom", "pydicom")

_Released = tuple[SeriesFolder, ReviewedSeries]


def export(
    collection: Collection,
    store: CollectionFolder,
    source: Path,
    target: Path,
    progress: Callable[[str], None] = lambda _uid: None,
) -> Release:
    """Write a release; a series that may not be released is refused by name, and the others are written.

    The folder appears when it is complete. The same results give the same files.

    Parameters
    ----------
    collection : Collection
        The collection; it must name a licence.
    store : CollectionFolder
        Its results.
    source : Path
        Folder of its DICOM files.
    target : Path
        Folder to make.
    progress : callable, optional
        Told which series is looked at.

    Returns
    -------
    Release
        Content of manifest.json.

    Raises
    ------
    ExportError
        If the folder is not empty, the collection names no licence, or no series may be released; nothing is written.
    RecordError
        If the folder of the reviews cannot be read: it may hold rejections.
    """
    if collection.licence is None:
        message = f"collection {collection.name} names no licence; add the key licence to its YAML"
        raise ExportError(message)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        message = f"{target} is not empty; give a folder that does not exist"
        raise ExportError(message)
    reviews = collection_reviews(store)
    released, refused, unfit = _judge(collection, store, source, reviews, progress)
    if not released:
        reasons = [f"{uid}: {'; '.join(why)}" for uid, why in sorted(refused.items())]
        message = "\n".join(["no series may be released", *reasons])
        raise ExportError(message)
    scratch = target.parent / f".{target.name}.partial"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        series = tuple(_copy(folder, scratch, verdict) for folder, verdict in released)
        release = Release(
            collection=collection.name,
            title=collection.title,
            notice=DEMONSTRATION_NOTICE if collection.demonstration else None,
            licence=collection.licence,
            attribution=collection.attribution or ". ".join(filter(None, (collection.title, collection.citation))),
            source_doi=_doi(collection.citation),
            citation=collection.citation,
            software=tuple(f"{name} {importlib.metadata.version(name)}" for name in _SOFTWARE),
            series=series,
            tables=tuple(_tables(released, scratch)),
            refused=refused,
            unfit=unfit,
        )
        release.write(scratch / "manifest.json")
        write_text(
            scratch / "SHA256SUMS", "".join(f"{digest}  {file}\n" for file, digest in _digests(release, scratch))
        )
        if collection_reviews(store) != reviews:
            message = "a review was recorded while the release was written; export again"
            raise ExportError(message)
        if target.exists():
            target.rmdir()
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return release


def _judge(
    collection: Collection, store: CollectionFolder, source: Path, reviews: Reviews, progress: Callable[[str], None]
) -> tuple[list[_Released], dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Return the series that may be released, those that may not, and those that are unfit, with the reasons."""
    if not store.cohort.cohort.is_file():
        message = f"{store.cohort.cohort} is missing; materialize cohort_table first"
        raise ExportError(message)
    cohort = COHORT.read(store.cohort.cohort)
    verdicts = ReportVerdicts(store, collection.report_validation)
    released: list[_Released] = []
    refused: dict[str, tuple[str, ...]] = {}
    unfit: dict[str, tuple[str, ...]] = {}
    for uid in sorted(cohort.loc[cohort["selected"], "SeriesInstanceUID"]):
        progress(uid)
        folder = store.series(uid)
        try:
            reasons = refusals(folder, collection, store, source, verdicts.of(folder))
        except UnfitSeriesError:
            unfit[uid] = read_ct_record(folder.ct_record, require_fit=False).reasons
            continue
        verdict = reviewed(folder, reviews)
        reasons += verdict.refusals
        if not reasons and verdict.withheld and not any(name not in verdict.withheld for name, _ in _present(folder)):
            reasons += dict.fromkeys(verdict.withheld.values())
        if reasons:
            refused[uid] = tuple(reasons)
        else:
            released.append((folder, verdict))
    return released, refused, unfit


def _present(folder: SeriesFolder) -> Iterator[tuple[str, WrittenObject]]:
    """Yield the objects that a series has, by what the manifest calls them."""
    for path in (folder.seg_objects, folder.sr_objects):
        for name, written in read_objects(path).items():
            if written.absent is None:
                yield f"{path.parent.name}/{name}", written


def _copy(folder: SeriesFolder, root: Path, verdict: ReviewedSeries) -> ReleasedSeries:
    """Copy the objects of a series and describe them."""
    record = read_ct_record(folder.ct_record)
    objects: list[ReleasedObject] = []
    absent: dict[str, str] = {}
    for path in (folder.seg_objects, folder.sr_objects):
        for name, written in read_objects(path).items():
            reason = written.absent or verdict.withheld.get(f"{path.parent.name}/{name}")
            if reason is not None:
                absent[f"{path.parent.name}/{name}"] = reason
                continue
            source = path.parent / written.file
            target = root / "dicom" / folder.series_instance_uid / path.parent.name / written.file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            objects.append(_described(written, target, root))
    return ReleasedSeries(
        PatientID=record.patient_id,
        StudyInstanceUID=record.study_instance_uid,
        SeriesInstanceUID=record.series_instance_uid,
        objects=tuple(objects),
        absent=absent,
        unreviewed_findings=verdict.open_findings,
    )


def _described(written: WrittenObject, path: Path, root: Path) -> ReleasedObject:
    assert written.reference is not None
    digest = file_digest(path)
    if digest != written.sha256:
        message = f"{path.name} changed while it was copied; export again"
        raise ExportError(message)
    return ReleasedObject(
        file=path.relative_to(root).as_posix(),
        SOPClassUID=written.reference.sop_class_uid,
        SOPInstanceUID=written.reference.sop_instance_uid,
        SeriesInstanceUID=written.reference.series_instance_uid,
        bytes=path.stat().st_size,
        sha256=digest,
        replaces=written.replaces,
        verified_by=written.sign_off,
    )


def _tables(released: list[_Released], root: Path) -> Iterator[ReleasedTable]:
    """Write the tables of measurements over all released series, one series in memory at a time."""
    left_out = {
        written.reference.sop_instance_uid
        for folder, verdict in released
        if verdict.withheld
        for name, written in _present(folder)
        if name in verdict.withheld and written.reference
    }
    withheld = pa.array(sorted(left_out), pa.string())
    (root / "tables").mkdir(parents=True, exist_ok=True)
    for table, _, path_of in MEASUREMENT_TABLES:
        path = root / "tables" / f"{table.name}.parquet"
        rows = 0
        with pq.ParquetWriter(path, table.schema) as writer:
            for folder, _ in released:
                part = table.read_arrow(path_of(folder)).cast(table.schema)
                part = part.filter(pc.invert(pc.is_in(part["SOPInstanceUID"], withheld)))
                writer.write_table(part)
                rows += part.num_rows
        file = path.relative_to(root).as_posix()
        yield ReleasedTable(file=file, rows=rows, bytes=path.stat().st_size, sha256=file_digest(path))


def _digests(release: Release, root: Path) -> Iterable[tuple[str, str]]:
    yield "manifest.json", file_digest(root / "manifest.json")
    for series in release.series:
        yield from ((one.file, one.sha256) for one in series.objects)
    yield from ((table.file, table.sha256) for table in release.tables)


def _doi(citation: str | None) -> str | None:
    found = _DOI.search(citation or "")
    return found.group(0) if found else None
