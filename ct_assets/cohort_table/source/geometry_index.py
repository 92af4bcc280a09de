"""IDC's published indexes of geometry and CT attributes: outcomes of criteria for series that nobody downloaded yet."""

import math
from importlib.metadata import version
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend

from ct_assets.cohort_table.criteria.criterion import Settings
from ct_assets.cohort_table.criteria.judge import VERDICT
from ct_assets.selection_settings import StrictSelection

INDEXES = ("volume_geometry_index", "ct_index")
"""Indexes that are too large for the package; each is a Parquet file beside its `.sha256`."""

_ARTIFACTS = "gs://idc-index-data-artifacts/{version}/release_artifacts/{name}.parquet"

_KEY = "SeriesInstanceUID"
_FLAGS = (
    "single_orientation", "orthogonal_orientation", "consistent_pixel_spacing", "unique_slice_positions",
    "uniform_slice_spacing", "consistent_in_plane_row", "consistent_in_plane_col",
)  # fmt: skip
_COLUMNS = {
    "volume_geometry_index": {_KEY: "string", "ImageOrientationPatient": "double", **dict.fromkeys(_FLAGS, "bool")},
    "ct_index": {_KEY: "string", "ImageType": "string", "SliceThickness": "double"},
}


def index_address(name: str) -> str:
    """Return where the Imaging Data Commons publishes an index, of the version of the installed series metadata.

    Parameters
    ----------
    name : str
        One of `INDEXES`.
    """
    return _ARTIFACTS.format(version=version("idc-index-data"), name=name)


def checked_index(name: str, path: Path) -> Path:
    """Return the file of an index after checking that it has the columns that are looked at.

    Parameters
    ----------
    name : str
        One of `INDEXES`.
    path : Path
        Parquet file.

    Raises
    ------
    ValueError
        If it has not.
    """
    schema = pq.read_schema(path)
    for column, kind in _COLUMNS[name].items():
        if column not in schema.names or kind not in str(schema.field(column).type):
            message = f"{path} has no column {column} of {kind}; remove it, and update the package idc-index-data"
            raise ValueError(message)
    return path


def with_verdicts(series: ir.Table, backend: Backend, settings: Settings, indexes: dict[str, Path]) -> ir.Table:
    """Add to series what IDC's indexes say about the criteria of the strict profile, where it holds for us too.

    IDC's tolerances are the defaults of `strict`. With a wider one of the collection only what passes at IDC is known
    to pass, with a narrower one only what fails there to fail. IDC compares orientation and pixel spacing as text:
    equal texts are equal numbers, but unequal ones may be. Of CT attributes it has those of any one image, so that only
    failing is known. The published profile has no such index.

    Parameters
    ----------
    series : ibis Table
        Measures by series metadata.
    backend : Backend
        Where the indexes are opened.
    settings : StrictSelection or PublishedSelection
        Profile and thresholds.
    indexes : dict
        Name in `INDEXES` -> local Parquet file; may be empty.
    """
    if not isinstance(settings, StrictSelection):
        return series
    if "volume_geometry_index" in indexes:
        geometry = backend.read_parquet(str(indexes["volume_geometry_index"]))
        series = _joined(series, geometry.select(_KEY, **_geometry(geometry, settings)))
    if "ct_index" in indexes:
        attributes = backend.read_parquet(str(indexes["ct_index"]))
        series = _joined(series, attributes.select(_KEY, **_attributes(attributes, settings)))
    return series


def _geometry(index: ir.Table, settings: StrictSelection) -> dict[str, ir.BooleanValue]:
    row, column = ([index["ImageOrientationPatient"][place + i] for i in range(2)] for place in (0, 3))
    along_axis = (row[0] * column[1] - row[1] * column[0]).abs()
    regular = index["uniform_slice_spacing"]
    straight = index["consistent_in_plane_row"] & index["consistent_in_plane_col"]
    outcomes = {
        "single_orientation": _only(True, index["single_orientation"]),
        "orthogonal_orientation": _at(index["orthogonal_orientation"], settings, "orthogonality_tolerance"),
        "single_pixel_spacing": _only(True, index["consistent_pixel_spacing"]),
        "near_axial": along_axis >= math.cos(math.radians(settings.maximum_obliquity_degrees)),
        # Positions that are distinct but nearer than our limit are not evenly spaced.
        "unique_positions": ibis.ifelse(
            regular, index["unique_slice_positions"], _only(False, index["unique_slice_positions"])
        ),
        "regular_spacing": _at(regular, settings, "spacing_tolerance"),
        "no_lateral_shift": _at(straight, settings, "lateral_shift_mm"),
    }
    return {VERDICT + name: outcome for name, outcome in outcomes.items()}


def _attributes(index: ir.Table, settings: StrictSelection) -> dict[str, ir.BooleanValue]:
    outcomes = {
        "not_localizer": ~index["ImageType"].contains("LOCALIZER"),
        "not_derived": index["ImageType"][0] != "DERIVED",
    }
    if settings.slice_thickness_mm is not None:
        lowest, highest = settings.slice_thickness_mm
        outcomes["slice_thickness"] = (index["SliceThickness"] >= lowest) & (index["SliceThickness"] <= highest)
    return {VERDICT + name: _only(False, outcome) for name, outcome in outcomes.items()}


def _at(outcome: ir.BooleanColumn, settings: StrictSelection, threshold: str) -> ir.BooleanValue:
    """Return an outcome at IDC's tolerance as far as it holds at the collection's."""
    ours, theirs = getattr(settings, threshold), StrictSelection.model_fields[threshold].default
    return outcome if ours == theirs else _only(ours > theirs, outcome)


def _only(kept: bool, outcome: ir.BooleanColumn) -> ir.BooleanValue:
    """Return an outcome where it is the one that holds, and null where it is the other."""
    return ibis.ifelse(outcome == kept, outcome, ibis.null("boolean"))


def _joined(series: ir.Table, verdicts: ir.Table) -> ir.Table:
    return series.left_join(verdicts, _KEY).drop(f"{_KEY}_right")
