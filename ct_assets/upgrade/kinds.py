"""The kinds of files of a store that carry a schema_version, and where each of them lies."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ct_assets.bpr_json.bpreg_json import BPR_JSON_VERSION
from ct_assets.bpr_json.record import BodyPartRecord
from ct_assets.cohort_table.manifest import MANIFEST_VERSION
from ct_assets.completion import Completion
from ct_assets.ct_nifti.record import CtRecord
from ct_assets.dicom.written import ObjectsRecord
from ct_assets.dicom_sr.sign_off import SignOffs
from ct_assets.organ_seg.record import LabelMapRecord
from ct_assets.review.verdict import Verdict
from ct_assets.store import tables
from ct_assets.store.changed_series import ChangedSeries
from ct_assets.store.paths import CohortFolder, CollectionFolder, SeriesFolder
from ct_assets.store.record import Record
from ct_assets.store.table import Table
from ct_assets.store.uid import is_uid

ANNOTATE = "annotate"
"""What writes complete.json: no asset, but the command."""


@dataclass(frozen=True)
class Kind:
    """A kind of file: its name in messages, the version that is written now, and what reads it."""

    name: str
    version: int
    content: Table | type[Record] | None = None


@dataclass(frozen=True)
class StoredFile:
    """A file of a store; ``asset`` writes it, ``series_instance_uid`` is empty where it is of the whole collection."""

    path: Path
    kind: Kind
    asset: str
    series_instance_uid: str = ""


def _table(table: Table) -> Kind:
    return Kind(table.name, table.version, table)


def _record(name: str, record: type[Record]) -> Kind:
    return Kind(name, record.version(), record)


COMPLETION = _record("complete.json", Completion)
CT_RECORD = _record("ct.json", CtRecord)
LABEL_MAP_RECORD = _record("organ_seg/<model>.json", LabelMapRecord)
BPR_JSON = Kind("bpr.json", BPR_JSON_VERSION)
BODY_PART_RECORD = _record("bpr_record.json", BodyPartRecord)
OBJECTS = _record("objects.json", ObjectsRecord)
SIGN_OFFS = _record("sign_offs.json", SignOffs)
VERDICT = _record("verdict", Verdict)
CHANGED_SERIES = _record("changed_series.json", ChangedSeries)
MANIFEST = Kind("manifest.json", MANIFEST_VERSION)

TABLES = tuple(_table(table) for table in vars(tables).values() if isinstance(table, Table))
"""Every Parquet table of the store."""

KINDS = (
    *TABLES,
    *(CT_RECORD, LABEL_MAP_RECORD, BPR_JSON, BODY_PART_RECORD, OBJECTS, SIGN_OFFS, VERDICT, COMPLETION),
    *(CHANGED_SERIES, MANIFEST),
)
"""Every kind of file that carries a version."""


def stored_files(store: CollectionFolder) -> Iterator[StoredFile]:
    """Find the files of a collection that carry a version; series by UID, then verdicts, then the cohort's.

    Parameters
    ----------
    store : CollectionFolder
        The collection's folder.

    Yields
    ------
    StoredFile
        Those that there are; not what a killed process left of one.
    """
    candidates = [*_all_series(store), *_verdicts(store), *_cohort(store.cohort)]
    return (file for file in candidates if file.path.is_file())


def _all_series(store: CollectionFolder) -> Iterator[StoredFile]:
    for folder in store.all_series():
        if is_uid(folder.series_instance_uid):
            yield from _series(folder)


def _series(folder: SeriesFolder) -> Iterator[StoredFile]:
    places = [
        (folder.ct_record, CT_RECORD, "ct_nifti"),
        *((path, LABEL_MAP_RECORD, "organ_seg") for path in folder.label_map_records),
        (folder.bpr_json, BPR_JSON, "bpr_json"),
        (folder.bpr_record, BODY_PART_RECORD, "bpr_json"),
        (folder.landmarks, _table(tables.LANDMARKS), "bpr_json"),
        (folder.regions, _table(tables.REGIONS), "bpr_json"),
        (folder.shape_features, _table(tables.SHAPE_FEATURES), "shape_features"),
        (folder.seg_objects, OBJECTS, "dicom_seg"),
        (folder.sr_objects, OBJECTS, "dicom_sr"),
        (folder.sign_offs, SIGN_OFFS, "dicom_sr"),
        (folder.measurement_groups, _table(tables.MEASUREMENT_GROUPS), "dicom_sr"),
        (folder.quantitative_measurements, _table(tables.QUANTITATIVE_MEASUREMENTS), "dicom_sr"),
        (folder.qualitative_measurements, _table(tables.QUALITATIVE_MEASUREMENTS), "dicom_sr"),
        (folder.qc_table, _table(tables.QC), "qc_report"),
        (folder.completion, COMPLETION, ANNOTATE),
    ]
    for path, kind, asset in places:
        yield StoredFile(path, kind, asset, folder.series_instance_uid)


def _verdicts(store: CollectionFolder) -> Iterator[StoredFile]:
    for path in sorted(store.reviews.glob("*/*.json")):
        if not path.name.startswith("."):
            yield StoredFile(path, VERDICT, "reviews", path.parent.name)


def _cohort(folder: CohortFolder) -> Iterator[StoredFile]:
    places = [
        (folder.instances, tables.INSTANCES, "cohort_table"),
        (folder.cohort, tables.COHORT, "cohort_table"),
        (folder.selection_flow, tables.SELECTION_FLOW, "cohort_table"),
        (folder.characteristics, tables.CHARACTERISTICS, "cohort_table"),
        (folder.remote_series, tables.REMOTE_SERIES, "cohort_table"),
        (folder.qc_table, tables.QC, "cohort_report"),
        (folder.distributions, tables.DISTRIBUTIONS, "cohort_report"),
        (folder.shape_features, tables.SHAPE_FEATURES, "cohort_report"),
        (folder.sr_validation, tables.SR_VALIDATION, "sr_validation"),
    ]
    for path, table, asset in places:
        yield StoredFile(path, _table(table), asset)
    yield StoredFile(folder.changed_series, CHANGED_SERIES, "cohort_table")
    yield StoredFile(folder.manifest, MANIFEST, "cohort_table")
