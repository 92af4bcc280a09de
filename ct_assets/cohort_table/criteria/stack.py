"""How the slices of a series are stacked: along their normal, or in z alone as the published query had it."""

import math

import ibis
import ibis.expr.types as ir

from ct_assets.selection_settings import PublishedSelection, StrictSelection

_GROUP = "SeriesInstanceUID"


def projected_stack(images: ir.Table, series: ir.Table, settings: StrictSelection) -> ir.Table:
    """Measure the stack of each series along its slice normal, the cross product of row and column direction.

    Positions are projections of ImagePositionPatient, as in highdicom's `get_volume_positions` and in IDC's
    volume_geometry_index; the gaps are compared with their mean, which is the whole length by the number of gaps.

    Parameters
    ----------
    images : ibis Table
        Images with numbers (`ct_assets.cohort_table.criteria.measures.ct_images`).
    series : ibis Table
        Measures so far: cosines, their spread, and what is missing.
    settings : StrictSelection
        Tolerances.

    Returns
    -------
    ibis Table
        Gaps and shifts in mm, `obliquity_degrees`; only series with one orientation and no position
        missing: the others have no normal to project on.
    """
    normals = _normals(
        series.filter(
            (series["positions_missing"] == 0)
            & (series["orientations_missing"] == 0)
            & (series["orientation_spread"] <= settings.orientation_tolerance)
            & (series["normal_length"] > 0)
        )
    )
    placed = images.select(_GROUP, "x", "y", "z").inner_join(normals, _GROUP)
    projected = placed.select(
        _GROUP,
        "obliquity_degrees",
        position=_dot(placed, "normal"),
        along_rows=_dot(placed, "row"),
        along_columns=_dot(placed, "column"),
    )
    in_order = ibis.window(group_by=projected[_GROUP], order_by=projected["position"])
    stepped = projected.mutate(gap=projected["position"] - projected["position"].lag().over(in_order))
    distinct = stepped["gap"] >= settings.same_position_mm
    return stepped.group_by(_GROUP).agg(
        obliquity_degrees=stepped["obliquity_degrees"].min(),
        repeated_positions=(stepped["gap"] < settings.same_position_mm).sum().fill_null(0),
        gap_smallest=stepped["gap"].min(where=distinct),
        gap_largest=stepped["gap"].max(where=distinct),
        gap_mean=(stepped["position"].max() - stepped["position"].min()) / distinct.sum().nullif(0),
        shift_along_rows=stepped["along_rows"].max() - stepped["along_rows"].min(),
        shift_along_columns=stepped["along_columns"].max() - stepped["along_columns"].min(),
    )


def truncated_stack(images: ir.Table, settings: PublishedSelection) -> ir.Table:
    """Measure the stack as the published query does: z alone, truncated towards zero, distinct differences.

    Parameters
    ----------
    images : ibis Table
        Images with numbers.
    settings : PublishedSelection
        Decimals that are kept.

    Returns
    -------
    ibis Table
        `distinct_gaps`, and the smallest and largest gap in units of the last decimal.
    """
    # The product of a decimal with ten is exact, a quotient is not: 2.3 / 0.1 is below 23.
    scaled = images["z"] * float(10**settings.position_decimals)
    truncated = images.select(_GROUP, z=(scaled.abs().floor() * scaled.sign()).cast("int64"))
    downwards = ibis.window(group_by=truncated[_GROUP], order_by=ibis.desc(truncated["z"]))
    stepped = truncated.mutate(gap=(truncated["z"].lag().over(downwards) - truncated["z"]).abs())
    unplaced = stepped["z"].isnull().any()
    return stepped.group_by(_GROUP).agg(
        distinct_gaps=stepped["gap"].nunique(),
        truncated_gap_smallest=ibis.ifelse(unplaced, ibis.null("int64"), stepped["gap"].min()),
        truncated_gap_largest=ibis.ifelse(unplaced, ibis.null("int64"), stepped["gap"].max()),
    )


def with_normal_length(series: ir.Table) -> ir.Table:
    """Add the length of the cross product of row and column direction: 1 where they are orthogonal unit vectors.

    Parameters
    ----------
    series : ibis Table
        With the six cosines.
    """
    x, y, z = _cross(series)
    return series.mutate(normal_length=(x * x + y * y + z * z).sqrt())


def _cross(series: ir.Table) -> list[ir.FloatingColumn]:
    row, column = ([series[f"{vector}_{axis}"] for axis in "xyz"] for vector in ("row", "column"))
    return [row[(i + 1) % 3] * column[(i + 2) % 3] - row[(i + 2) % 3] * column[(i + 1) % 3] for i in range(3)]


def _normals(series: ir.Table) -> ir.Table:
    """Return the unit normal of each series, and its angle to the body axis."""
    normal = {axis: cross / series["normal_length"] for axis, cross in zip("xyz", _cross(series), strict=True)}
    cosine = normal["z"].abs()
    return series.select(
        _GROUP,
        *(f"{vector}_{axis}" for vector in ("row", "column") for axis in "xyz"),
        **{f"normal_{axis}": value for axis, value in normal.items()},
        obliquity_degrees=ibis.ifelse(cosine < 1, cosine.acos() * (180 / math.pi), 0.0),
    )


def _dot(placed: ir.Table, vector: str) -> ir.FloatingColumn:
    return (
        placed["x"] * placed[f"{vector}_x"] + placed["y"] * placed[f"{vector}_y"] + placed["z"] * placed[f"{vector}_z"]
    )
