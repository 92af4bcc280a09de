"""Files as earlier versions wrote them: their schemas, kept here as data, with a row or an object each."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ct_assets.store.paths import CollectionFolder

UID = "1.2.826.0.1.7"

_TEXT, _REAL, _WHOLE, _FLAG, _LIST = pa.string(), pa.float64(), pa.int64(), pa.bool_(), pa.list_(pa.string())
_NUMBERS = pa.list_(pa.float64())
_SERIES = {"collection": _TEXT, "PatientID": _TEXT, "StudyInstanceUID": _TEXT, "SeriesInstanceUID": _TEXT}
_IDENTITY = dict.fromkeys(list(_SERIES)[1:], _TEXT) | {
    "SOPInstanceUID": _TEXT,
    "SOPClassUID": _TEXT,
    "Modality": _TEXT,
    "SeriesDescription": _TEXT,
}
_FEATURES = {"SeriesInstanceUID": _TEXT, "model": _TEXT, "label": _WHOLE, "organ": _TEXT, "feature": _TEXT}
_VALUE = {"value": _REAL, "unit": _TEXT, "code": _TEXT, "reason": _TEXT}

OLD_TABLES: dict[tuple[str, int], dict[str, pa.DataType]] = {
    ("instances", 1): {
        **_IDENTITY,
        "ImageType": _LIST,
        "ImagePositionPatient": _NUMBERS,
        "ImageOrientationPatient": _NUMBERS,
        "PixelSpacing": _NUMBERS,
        "SliceThickness": _REAL,
        **dict.fromkeys(("Rows", "Columns", "NumberOfFrames"), _WHOLE),
        **dict.fromkeys(("FrameOfReferenceUID", "ReferencedSeriesInstanceUID", "file"), _TEXT),
        "file_size": _WHOLE,
        "problem": _TEXT,
    },
    ("instances", 2): {
        **_IDENTITY,
        **dict.fromkeys(("ImageType", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"), _LIST),
        "SliceThickness": _TEXT,
        **dict.fromkeys(("Rows", "Columns", "NumberOfFrames"), _WHOLE),
        **dict.fromkeys(("FrameOfReferenceUID", "ReferencedSeriesInstanceUID"), _TEXT),
        "instance_size": _WHOLE,
        "file": _TEXT,
        "file_mtime_ns": _WHOLE,
        "problem": _TEXT,
        "copy_of": _TEXT,
    },
    ("cohort", 1): {
        **_SERIES,
        **dict.fromkeys(("SeriesDescription", "Modality"), _TEXT),
        "instances": _WHOLE,
        **dict.fromkeys(("slice_spacing_mm", "slice_thickness_mm"), _REAL),
        "selected": _FLAG,
        "failed_criteria": _LIST,
        "reason": _TEXT,
        "expert_files": _LIST,
    },
    ("selection_flow", 1): {"step": _WHOLE, "criterion": _TEXT, "description": _TEXT, "series_left": _WHOLE},
    ("shape_features", 1): {**_FEATURES, **_VALUE, "weights_digest": _TEXT, "software": _TEXT},
    ("shape_features", 2): {
        **_FEATURES, **_VALUE, "segmentation": _TEXT, "weights_digest": _TEXT, "software": _TEXT
    },
    ("qc", 1): {
        **_SERIES,
        **dict.fromkeys(("rule", "model", "subject", "metric"), _TEXT),
        "value": _REAL,
        "unit": _TEXT,
        **dict.fromkeys(("lower", "upper"), _REAL),
        **dict.fromkeys(("outcome", "explanation"), _TEXT),
    },
}  # fmt: skip
"""Schemas of tables as they were: name and version -> columns."""

OLD_RECORDS: dict[tuple[str, int], dict[str, Any]] = {
    ("bpr_record.json", 1): {
        "schema_version": 1,
        "series_instance_uid": UID,
        "source_digest": "ab",
        "provenance": {"name": "demo", "configuration": "bpreg", "weights_digest": "cd", "software": "bpreg 1"},
        "valid_z_spacing": True,
        "reverse_z_ordering": False,
        "lung_extent_mm": 250.0,
        "slice_scores": [1.0, None],
        "slice_regions": [["chest"], []],
        "reason": None,
        "seconds": 1.0,
    },
    ("manifest.json", 1): {"schema_version": 1, "collection": "demo", "series": []},
    ("complete.json", 1): {"schema_version": 1, "key": "ab", "checks": {"fit": "pass"}, "files": {}, "seconds": 1.0},
    ("complete.json", 2): {
        "schema_version": 2,
        "key": "ab",
        "limits": "cd",
        "checks": {"fit": "pass"},
        "files": {"ct.nii.gz": 1024},
        "seconds": 1.0,
    },
}
"""Records as they were: name and version -> content."""


def place_of(store: CollectionFolder, name: str) -> Path:
    """Return where a file of a kind lies."""
    series, cohort = store.series(UID), store.cohort
    return {
        "instances": cohort.instances,
        "cohort": cohort.cohort,
        "selection_flow": cohort.selection_flow,
        "shape_features": series.shape_features,
        "qc": series.qc_table,
        "bpr_record.json": series.bpr_record,
        "manifest.json": cohort.manifest,
        "complete.json": series.completion,
    }[name]


def write_old(store: CollectionFolder, name: str, version: int, rows: list[dict[str, Any]] | None = None) -> Path:
    """Write a file of an earlier version: a table with rows, or a record."""
    path = place_of(store, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if (name, version) in OLD_RECORDS:
        path.write_text(json.dumps(OLD_RECORDS[name, version]))
        return path
    about = {"table": name, "schema_version": str(version), "folder_digest": "of a folder"}
    schema = pa.schema(list(OLD_TABLES[name, version].items()), metadata=about)
    pq.write_table(pa.Table.from_pylist(rows or [], schema=schema), path)
    return path


def ct_rows(count: int) -> list[dict[str, Any]]:
    """Return rows of a header index that has CT images alone."""
    return [
        {"SeriesInstanceUID": UID, "SOPInstanceUID": f"{UID}.{k}", "Modality": "CT", "file": f"{k}.dcm",
         "ImagePositionPatient": ["-1.50", "2", f"{k}.0"], "file_mtime_ns": 1_700_000_000_123_456_789 + k}
        for k in range(count)
    ]  # fmt: skip
