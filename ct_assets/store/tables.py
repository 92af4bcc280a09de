"""Parquet tables: one schema each, checked on writing, with its version in the file."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ct_assets.store.atomic import atomic_path

_TEXT = pa.string()
_REAL = pa.float64()
_WHOLE = pa.int64()


@dataclass(frozen=True)
class Table:
    """Name, version and columns of a kind of table."""

    name: str
    version: int
    columns: dict[str, pa.DataType]

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema with name and version in its metadata."""
        fields = [pa.field(name, kind) for name, kind in self.columns.items()]
        return pa.schema(fields, metadata={"table": self.name, "schema_version": str(self.version)})

    def write(self, frame: pd.DataFrame, path: Path) -> None:
        """Write rows atomically; the frame must have exactly this table's columns, in any order.

        Parameters
        ----------
        frame : DataFrame
            Rows.
        path : Path
            File to write.

        Raises
        ------
        pyarrow.ArrowInvalid
            If a value does not fit its column.
        KeyError
            If a column is missing or unknown.
        """
        if set(frame.columns) != set(self.columns):
            difference = sorted(set(frame.columns) ^ set(self.columns))
            message = f"{path.name}: columns missing or unknown: {', '.join(difference)}"
            raise KeyError(message)
        table = pa.Table.from_pandas(frame[list(self.columns)], schema=self.schema, preserve_index=False)
        table = table.replace_schema_metadata(self.schema.metadata)
        with atomic_path(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")

    def read(self, path: Path) -> pd.DataFrame:
        """Read rows.

        Parameters
        ----------
        path : Path
            File that `write` made.

        Returns
        -------
        DataFrame
            The rows.

        Raises
        ------
        ValueError
            If the file is another table or another version.
        """
        table = pq.read_table(path)
        metadata = table.schema.metadata or {}
        found = (metadata.get(b"table", b"").decode(), metadata.get(b"schema_version", b"").decode())
        if found != (self.name, str(self.version)):
            message = (
                f"{path}: is table {found[0] or 'unknown'} version {found[1] or 'unknown'}, expected {self.name} "
                f"version {self.version}; materialize the asset again"
            )
            raise ValueError(message)
        frame: pd.DataFrame = table.to_pandas()
        return frame

    def empty(self) -> pd.DataFrame:
        """Return a frame with this table's columns and no rows."""
        frame: pd.DataFrame = self.schema.empty_table().to_pandas()
        return frame


_SERIES = {"collection": _TEXT, "PatientID": _TEXT, "StudyInstanceUID": _TEXT, "SeriesInstanceUID": _TEXT}

INSTANCES = Table(
    "instances",
    1,
    {
        "PatientID": _TEXT,
        "StudyInstanceUID": _TEXT,
        "SeriesInstanceUID": _TEXT,
        "SOPInstanceUID": _TEXT,
        "SOPClassUID": _TEXT,
        "Modality": _TEXT,
        "SeriesDescription": _TEXT,
        "ImageType": pa.list_(_TEXT),
        "ImagePositionPatient": pa.list_(_REAL),
        "ImageOrientationPatient": pa.list_(_REAL),
        "PixelSpacing": pa.list_(_REAL),
        "SliceThickness": _REAL,
        "Rows": _WHOLE,
        "Columns": _WHOLE,
        "NumberOfFrames": _WHOLE,
        "FrameOfReferenceUID": _TEXT,
        "ReferencedSeriesInstanceUID": _TEXT,
        "file": _TEXT,
        "file_size": _WHOLE,
        "problem": _TEXT,
    },
)
"""Header index, one row per file: columns of IDC's `dicom_all`, then `file` (relative to the source), its size in
bytes and, for a file that cannot be used, the problem."""

COHORT = Table(
    "cohort",
    1,
    {
        **_SERIES,
        "SeriesDescription": _TEXT,
        "Modality": _TEXT,
        "instances": _WHOLE,
        "slice_spacing_mm": _REAL,
        "slice_thickness_mm": _REAL,
        "selected": pa.bool_(),
        "failed_criteria": pa.list_(_TEXT),
        "reason": _TEXT,
        "expert_files": pa.list_(_TEXT),
    },
)
"""One row per series: whether it is selected, every criterion it failed, and the reasons in words."""

SELECTION_FLOW = Table(
    "selection_flow", 1, {"step": _WHOLE, "criterion": _TEXT, "description": _TEXT, "series_left": _WHOLE}
)
"""Series left after each criterion, in order."""

LANDMARKS = Table(
    "landmarks",
    1,
    {
        "SeriesInstanceUID": _TEXT,
        "landmark": _TEXT,
        "code": _TEXT,
        "score": _REAL,
        "located": pa.bool_(),
        "position_mm": _REAL,
        "slice_index": _WHOLE,
        "SOPInstanceUID": _TEXT,
        "reason": _TEXT,
    },
)
"""One row per landmark. `position_mm`: interpolated position along the slice normal, in the patient's frame;
`slice_index`: nearest slice of ct.nii.gz; `score`: the look-up value searched for; `reason`: why not located."""

REGIONS = Table(
    "regions",
    1,
    {
        "SeriesInstanceUID": _TEXT,
        "region": _TEXT,
        "code": _TEXT,
        "first_slice": _WHOLE,
        "last_slice": _WHOLE,
        "slices": _WHOLE,
        "ratio": _REAL,
    },
)
"""One row per region that has slices. `ratio`: its slices divided by the slices that have any region."""

SHAPE_FEATURES = Table(
    "shape_features",
    1,
    {
        "SeriesInstanceUID": _TEXT,
        "model": _TEXT,
        "label": _WHOLE,
        "organ": _TEXT,
        "feature": _TEXT,
        "value": _REAL,
        "unit": _TEXT,
        "code": _TEXT,
        "reason": _TEXT,
        "weights_digest": _TEXT,
        "software": _TEXT,
    },
)
"""One row per model, organ and feature. `value` is null with a `reason` where the organ cannot be measured.
`code`: IBSI; `unit`: UCUM; `software`: what measured it."""

QC = Table(
    "qc",
    1,
    {
        **_SERIES,
        "rule": _TEXT,
        "model": _TEXT,
        "subject": _TEXT,
        "metric": _TEXT,
        "value": _REAL,
        "unit": _TEXT,
        "lower": _REAL,
        "upper": _REAL,
        "outcome": _TEXT,
        "explanation": _TEXT,
    },
)
"""One row per metric. `subject`: organ, landmark, region or object; `outcome`: pass, fail, not evaluated or not
measurable, or empty where the metric has no rule; `lower`/`upper`: limits in force."""
