"""A cohort report from a table alone, such as the published per-series values: QC rows and shape features from it.

The form of the published tables: one row per series, segmentation (`SeriesDescription`) and organ (`region`), and a
column for each value, named like a shape feature (`Sphericity`) or a metric of the QC table (`dice`).
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ct_assets.cohort_report.distributions import distributions
from ct_assets.cohort_report.value_columns import ValueColumn, value_columns
from ct_assets.collection import Collection
from ct_assets.dicom.codes import feature_codes
from ct_assets.organs import EXPERT, ORGANS
from ct_assets.qc_report.judge import judged
from ct_assets.qc_report.limits import LimitsInForce
from ct_assets.qc_report.rule import Outcome
from ct_assets.store.tables import QC, SHAPE_FEATURES
from ct_assets.store.uid import is_uid

KEYS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesDescription", "region")
"""Columns that every table must have."""

_OTHER_NAMES = {"model": "SeriesDescription", "structure_name": "region"}
_MODEL = re.compile(r"^(2d|3d_lowres|3d_fullres)(?![a-z0-9])|^(manual|expert)(?![a-z0-9])", re.IGNORECASE)
_LABELS = {organ: label for label, organ in ORGANS.items()}
_ROWS_NAMED = 5


class TableError(ValueError):
    """A table that cannot be reported on; the message names columns, rows and what is expected."""


@dataclass(frozen=True)
class TableContent:
    """Judged QC rows and shape features of a table, with the columns that were left out."""

    qc: pd.DataFrame
    features: pd.DataFrame
    left_out: tuple[str, ...]


def read_table(path: Path, collection: Collection) -> TableContent:
    """Read a table, and judge it by the limits of a collection and the fences of the table itself.

    Parameters
    ----------
    path : Path
        CSV, or Parquet where the name ends so.
    collection : Collection
        Whose series these are.

    Returns
    -------
    TableContent
        Tables as the store has them.

    Raises
    ------
    TableError
        If the file cannot be read, a column is missing, or a row has a bad or a repeated value.
    """
    rows = _Rows(path)
    columns = value_columns(rows.table.columns)
    if not columns:
        message = f"{path}: no column of values; there may be: {', '.join([*feature_codes(), 'dice', '…'])}"
        raise TableError(message)
    rows.check_keys()
    values = {column: rows.numbers(column.name) for column in columns}
    qc = pd.concat([_qc_rows(rows.table, column, found, collection.name) for column, found in values.items()])
    features = pd.concat(
        [
            SHAPE_FEATURES.empty(),
            *(_features(rows.table, column.feature, found) for column, found in values.items() if column.feature),
        ]
    )
    qc = qc.astype({"value": float, "lower": float, "upper": float}).reset_index(drop=True)
    limits = LimitsInForce(collection.qc, distributions(qc, features))
    return TableContent(
        judged(qc, limits, collection.qc.largest_region),
        features.reset_index(drop=True),
        tuple(
            str(name) for name in rows.table if name not in {*KEYS, "_subject", "_model"} | {c.name for c in columns}
        ),
    )


def reported(collection: Collection, content: TableContent) -> Collection:
    """Return the collection with the models that a table has.

    Parameters
    ----------
    collection : Collection
        The collection.
    content : TableContent
        What was read.
    """
    models = [model for model in ("2d", "3d_lowres", "3d_fullres") if (content.qc["model"] == model).any()]
    segmentation = collection.organ_segmentation.model_copy(
        update={"configurations": tuple(models) or collection.models}
    )
    return collection.model_copy(update={"organ_segmentation": segmentation})


class _Rows:
    """The rows of a file as text, and how messages name them: as a spreadsheet does, whose row 1 is a CSV's head."""

    def __init__(self, path: Path) -> None:
        self._path = path
        parquet = path.suffix.lower() in {".parquet", ".pq"}
        self._first = 1 if parquet else 2
        try:
            table = pd.read_parquet(path).reset_index(drop=True) if parquet else _read_csv(path)
        except (ValueError, pa.ArrowException) as error:  # pandas' own errors are ValueErrors
            message = f"{path}: cannot be read as a table: {error}"
            raise TableError(message) from error
        text = table.astype("string").fillna("").astype(object).apply(lambda column: column.str.strip())
        text = text[(text != "").any(axis=1)]  # blank lines count as rows and say nothing
        self.table = text.rename(columns={old: new for old, new in _OTHER_NAMES.items() if new not in text})
        missing = [name for name in KEYS if name not in self.table]
        if missing:
            message = (
                f"{path}: columns are missing: {', '.join(missing)}; there are: {', '.join(map(str, table.columns))}"
            )
            raise TableError(message)
        if self.table.empty:
            message = f"{path}: has no rows"
            raise TableError(message)

    def check_keys(self) -> None:
        """Refuse rows that cannot be told apart or assigned, and add what the QC table calls model and subject."""
        table = self.table
        self._refuse(table["PatientID"] == "", "PatientID is empty", "PatientID")
        for name in ("StudyInstanceUID", "SeriesInstanceUID"):
            self._refuse(~table[name].map(is_uid).astype(bool), f"{name} is no DICOM UID", name)
        table["_subject"] = table["region"].str.lower()
        self._refuse(
            ~table["_subject"].isin(list(_LABELS)), f"region is none of {', '.join(ORGANS.values())}", "region"
        )
        table["_model"] = table["SeriesDescription"].map(_model_of)
        expected = "SeriesDescription begins with none of 2d, 3d_lowres, 3d_fullres, Manual"
        self._refuse(table["_model"] == "", expected, "SeriesDescription")
        identity = ["SeriesInstanceUID", "_model", "_subject"]
        self._refuse(table.duplicated(identity), "series, segmentation and region are those of a row before", "region")
        for name in ("PatientID", "StudyInstanceUID"):
            first = table.groupby("SeriesInstanceUID")[name].transform("first")
            self._refuse(table[name] != first, f"{name} differs from that of the same series in a row before", name)

    def numbers(self, name: str) -> "pd.Series[float]":
        """Return a column as numbers, NaN where it is empty."""
        text = self.table[name]
        found = text.map(_number)
        self._refuse(found.isna() & (text != ""), f"{name} is no finite number", name)
        return pd.Series(found.to_numpy(dtype=float), index=found.index)

    def _refuse(self, wrong: "pd.Series[bool]", problem: str, column: str) -> None:
        places = np.flatnonzero(wrong.to_numpy(dtype=bool))
        if not len(places):
            return
        shown = ", ".join(
            f"{self.table.index[place] + self._first} ({self.table[column].iloc[place]!r})"
            for place in places[:_ROWS_NAMED]
        )
        more = f" and {len(places) - _ROWS_NAMED:,} more" if len(places) > _ROWS_NAMED else ""
        message = f"{self._path}: {problem}: row{'s' if len(places) > 1 else ''} {shown}{more}"
        raise TableError(message)


def _read_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)


def _model_of(description: str) -> str:
    found = _MODEL.match(description)
    return "" if found is None else EXPERT if found[2] else found[1].lower()


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return np.nan
    return value if np.isfinite(value) else np.nan


def _qc_rows(table: pd.DataFrame, column: ValueColumn, values: "pd.Series[float]", collection: str) -> pd.DataFrame:
    if column.metric is None:
        return QC.empty()
    metric, unit, factor = column.metric
    missing = values.isna()
    rows = pd.DataFrame(
        {
            "collection": collection,
            **{name: table[name] for name in KEYS[:3]},
            "model": table["_model"],
            "subject": table["_subject"],
            "metric": metric,
            "value": values * factor,
            "unit": unit,
            "outcome": np.where(missing, str(Outcome.NOT_EVALUATED), ""),
            "explanation": np.where(missing, "the table has no value", ""),
        }
    )
    rows[["rule", "limits_from"]] = ""
    rows[["lower", "upper"]] = np.nan
    # An expert is compared with, never judged, and no table has a value of every expert.
    return rows.loc[~(missing & (rows["model"] == EXPERT)), list(QC.columns)]


def _features(table: pd.DataFrame, feature: str, values: "pd.Series[float]") -> pd.DataFrame:
    code = feature_codes()[feature]
    rows = pd.DataFrame(
        {
            "SeriesInstanceUID": table["SeriesInstanceUID"],
            "model": table["_model"],
            "label": table["_subject"].map(_LABELS).astype(int),
            "organ": table["_subject"],
            "feature": feature,
            "value": values,
            "unit": code.unit.value,
            "code": code.quantity.value,
            "reason": values.isna().map({True: "the table has no value", False: None}),
        }
    )
    rows[["components", "at_border", "segmentation", "weights_digest", "software"]] = None
    return rows[list(SHAPE_FEATURES.columns)]
