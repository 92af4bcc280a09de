"""IDC's published indexes of geometry and CT attributes: outcomes of criteria for series that nobody downloaded yet."""

import math
from importlib.metadata import version
from pathlib import Path

import ibis
import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from ct_assets.cohort_table.criteria.criterion import Settings
from ct_assets.cohort_table.criteria.judge import VERDICT
from ct_assets.selection_settings import StrictSelection

INDEXES = ("volume_geometry_index", "ct_index")
"""Indexes that are too large for the package; each is a Parquet file beside its `.sha256`."""

_ARTIFACTS = "gs://idc-index-data-artifacts/{version}/release_artifacts/{name}.parquet"

_KEY = "SeriesInstanceUID"


def index_address(name: str) -> str:
    """Return where the Imaging Data Commons publishes an index, of the version of the installed series metadata.

    Parameters
    ----------
    name : str
        One of `INDEXES`.
    """
    return _ARTIFACTS.format(version=version("idc-index-data"), name=name)


def with_verdicts(series: ir.Table, backend: Backend, settings: Settings, indexes: dict[str, Path]) -> ir.Table:
    """Add to series what IDC's indexes say about the criteria of the strict profile.

    Only outcomes that agree in meaning are taken: IDC's tolerances are the defaults of `strict`, its text comparison is
    not stricter than the published one. The published profile has no such index.

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
    outcomes = {
        "single_orientation": index["single_orientation"],
        "orthogonal_orientation": index["orthogonal_orientation"],
        "single_pixel_spacing": index["consistent_pixel_spacing"],
        "near_axial": along_axis >= math.cos(math.radians(settings.maximum_obliquity_degrees)),
        "unique_positions": index["unique_slice_positions"],
        "regular_spacing": index["uniform_slice_spacing"],
        "no_lateral_shift": index["consistent_in_plane_row"] & index["consistent_in_plane_col"],
    }
    return {VERDICT + name: outcome for name, outcome in outcomes.items()}


def _attributes(index: ir.Table, settings: StrictSelection) -> dict[str, ir.BooleanValue]:
    lowest, highest = settings.slice_thickness_mm or (-math.inf, math.inf)
    outcomes = {
        "not_localizer": ~index["ImageType"].contains("LOCALIZER"),
        "not_derived": index["ImageType"][0] != "DERIVED",
        "slice_thickness": index["SliceThickness"].between(ibis.literal(lowest), ibis.literal(highest)),
    }
    return {VERDICT + name: outcome for name, outcome in outcomes.items()}


def _joined(series: ir.Table, verdicts: ir.Table) -> ir.Table:
    return series.left_join(verdicts, _KEY).drop(f"{_KEY}_right")
