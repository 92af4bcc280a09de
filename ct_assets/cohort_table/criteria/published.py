"""Profile `published`: the semantics of the published queries, known defects included, so that results can be compared.

Text is compared as text, z alone is looked at and truncated, and one series of each study is taken before the spacing
is judged. Where the query was not deterministic (ANY_VALUE), the lowest SeriesInstanceUID is taken.
"""

from dataclasses import replace

import ibis.expr.types as ir

from ct_assets.cohort_table.criteria import common
from ct_assets.cohort_table.criteria.criterion import Criterion
from ct_assets.selection_settings import PublishedSelection


def unique_positions(series: ir.Table, _: PublishedSelection) -> ir.BooleanValue:
    """Whether there are as many texts of ImagePositionPatient as SOPInstanceUIDs."""
    return series["positions_as_text"] == series["sop_instance_uids"]


def single_pixel_spacing(series: ir.Table, _: PublishedSelection) -> ir.BooleanValue:
    """Whether PixelSpacing has exactly one text."""
    return series["pixel_spacings_as_text"] == 1


def single_orientation(series: ir.Table, _: PublishedSelection) -> ir.BooleanValue:
    """Whether ImageOrientationPatient has exactly one text."""
    return series["orientations_as_text"] == 1


def not_localizer(series: ir.Table, _: PublishedSelection) -> ir.BooleanValue:
    """Whether no ImageType says LOCALIZER."""
    return series["localizers"] == 0


def minimum_slices(series: ir.Table, settings: PublishedSelection) -> ir.BooleanValue:
    """Whether there are enough distinct SOPInstanceUIDs; NLST: more than 100."""
    return series["sop_instance_uids"].coalesce(series["instances"]) >= (settings.minimum_slices or 0)


def slice_thickness(series: ir.Table, settings: PublishedSelection) -> ir.BooleanValue:
    """Whether the SliceThickness values that there are lie in the range, limits included; NLST: 1.5 to 3.5 mm."""
    lowest, highest = settings.slice_thickness_mm or (float("-inf"), float("inf"))
    return (series["thickness_smallest"] >= lowest) & (series["thickness_largest"] <= highest)


def near_axial(series: ir.Table, _: PublishedSelection) -> ir.BooleanValue:
    """Whether rows run mainly along x and columns mainly along y."""
    row, column = ([series[f"{vector}_{axis}"].abs() for axis in "xyz"] for vector in ("row", "column"))
    return (row[0] > row[1]) & (row[0] > row[2]) & (column[1] > column[0]) & (column[1] > column[2])


def regular_spacing(series: ir.Table, settings: PublishedSelection) -> ir.BooleanValue:
    """Whether truncated z has few distinct differences, the largest less than twice the smallest.

    The query divides the two; slices that share a truncated z would be a division by zero there and fail here.
    """
    few = series["distinct_gaps"] <= settings.maximum_distinct_gaps
    smallest = series["truncated_gap_smallest"]
    alike = series["truncated_gap_largest"] < settings.maximum_gap_ratio * smallest
    return few & alike & (smallest > 0)


def _explain_axial(row: object, _: PublishedSelection) -> str:
    cosines = "\\".join(f"{getattr(row, f'{vector}_{axis}'):g}" for vector in ("row", "column") for axis in "xyz")
    return f"rows and columns do not run mainly along x and y: ImageOrientationPatient {cosines}"


def _explain_spacing(row: object, settings: PublishedSelection) -> str:
    scale = 10**settings.position_decimals
    smallest = row.truncated_gap_smallest / scale  # type: ignore[attr-defined]
    largest = row.truncated_gap_largest / scale  # type: ignore[attr-defined]
    count = row.distinct_gaps  # type: ignore[attr-defined]
    return (
        f"slice spacing is irregular: {count:.0f} distinct differences of truncated z, {smallest:g} to {largest:g} mm"
    )


PUBLISHED: tuple[Criterion, ...] = (
    common.SERIES_UID,
    common.COMPLETE_FILES,
    common.CLINICAL,
    Criterion(
        "unique_positions",
        "has an ImagePositionPatient of its own for each instance",
        unique_positions,
        lambda row, _: f"{row.positions_as_text:.0f} positions of {row.sop_instance_uids:.0f} instances",
    ),
    Criterion(
        "single_pixel_spacing",
        "has one PixelSpacing",
        single_pixel_spacing,
        lambda row, _: f"PixelSpacing has {row.pixel_spacings_as_text:.0f} texts, not 1",
    ),
    Criterion(
        "single_orientation",
        "has one ImageOrientationPatient",
        single_orientation,
        lambda row, _: f"ImageOrientationPatient has {row.orientations_as_text:.0f} texts, not 1",
    ),
    Criterion(
        "not_localizer",
        "is no localizer (ImageType)",
        not_localizer,
        lambda _row, _settings: "ImageType says LOCALIZER",
    ),
    replace(common.MINIMUM_SLICES, passes=minimum_slices),
    replace(common.SLICE_THICKNESS, passes=slice_thickness),
    Criterion(
        "near_axial",
        "has rows along x and columns along y",
        near_axial,
        _explain_axial,
        applies=lambda settings: settings.near_axial,
    ),
    common.ONE_PER_STUDY,
    Criterion("regular_spacing", "has few, similar differences of truncated z", regular_spacing, _explain_spacing),
)
"""Criteria in the order of the published NLST query; those that the collection does not ask for are left out."""
