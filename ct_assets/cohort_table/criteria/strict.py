"""Profile `strict`, the default: a series is one regular stack of axial CT slices along its own normal."""

import math

import ibis
import ibis.expr.types as ir

from ct_assets.cohort_table.criteria import common
from ct_assets.cohort_table.criteria.criterion import Criterion
from ct_assets.selection_settings import StrictSelection


def identified(series: ir.Table, _: StrictSelection) -> ir.BooleanValue:
    """Whether every image has a SOPInstanceUID of its own and a StudyInstanceUID."""
    own = series["sop_instance_uids"] + series["sop_missing"] == series["instances"]
    return own & (series["sop_missing"] == 0) & (series["study_missing"] == 0)


def supported_class(series: ir.Table, _: StrictSelection) -> ir.BooleanValue:
    """Whether every image is of CT Image Storage; multi-frame CT is not supported."""
    return series["unsupported_images"] == 0


def one_series(series: ir.Table, _: StrictSelection) -> ir.BooleanValue:
    """Whether study, frame of reference and image size are one: two series may share a UID by mistake."""
    known = series["decided"] | series["differing"].notnull()
    return ibis.ifelse(known, series["differing"].isnull(), ibis.null("boolean"))


def not_localizer(series: ir.Table, _: StrictSelection) -> ir.BooleanValue:
    """Whether no ImageType says LOCALIZER; not evaluated where none does and one is missing."""
    return _none_is(series["localizers"], series)


def not_derived(series: ir.Table, _: StrictSelection) -> ir.BooleanValue:
    """Whether no ImageType begins with DERIVED, such as a reformation or a dose report (PS3.3, C.7.6.1.1.2)."""
    return _none_is(series["derived"], series)


def _none_is(images: ir.IntegerColumn, series: ir.Table) -> ir.BooleanValue:
    unknown = (images == 0) & (series["image_types_missing"] > 0)
    return ibis.ifelse(unknown, ibis.null("boolean"), images == 0)


def placed(series: ir.Table, _: StrictSelection) -> ir.BooleanValue:
    """Whether every image has ImagePositionPatient, ImageOrientationPatient and PixelSpacing."""
    return (series["positions_missing"] + series["orientations_missing"] + series["pixel_spacings_missing"]) == 0


def single_orientation(series: ir.Table, settings: StrictSelection) -> ir.BooleanValue:
    """Whether the direction cosines are equal within the tolerance, compared as numbers."""
    return series["orientation_spread"] <= settings.orientation_tolerance


def orthogonal_orientation(series: ir.Table, settings: StrictSelection) -> ir.BooleanValue:
    """Whether row and column direction, where they are one, are orthogonal unit vectors: a product of length 1."""
    orthogonal = (series["normal_length"] - 1).abs() <= settings.orthogonality_tolerance
    return ibis.ifelse(single_orientation(series, settings), orthogonal, ibis.null("boolean"))


def single_pixel_spacing(series: ir.Table, settings: StrictSelection) -> ir.BooleanValue:
    """Whether the pixel spacings are equal within the tolerance, compared as numbers."""
    return series["pixel_spacing_spread"] <= settings.pixel_spacing_tolerance_mm


def near_axial(series: ir.Table, settings: StrictSelection) -> ir.BooleanValue:
    """Whether the slice normal is near the body axis."""
    return series["obliquity_degrees"] <= settings.maximum_obliquity_degrees


def unique_positions(series: ir.Table, _: StrictSelection) -> ir.BooleanValue:
    """Whether no two slices have the same position along the normal."""
    return series["repeated_positions"] == 0


def regular_spacing(series: ir.Table, settings: StrictSelection) -> ir.BooleanValue:
    """Whether every gap along the normal is the mean gap within the relative tolerance (highdicom: 1 %)."""
    allowed = settings.spacing_tolerance * series["gap_mean"]
    widest = series["gap_largest"] - series["gap_mean"]
    narrowest = series["gap_mean"] - series["gap_smallest"]
    return (widest <= allowed) & (narrowest <= allowed)


def no_lateral_shift(series: ir.Table, settings: StrictSelection) -> ir.BooleanValue:
    """Whether the slices lie straight above each other: a tilted gantry shifts each a little (IDC: 0.1 mm in all)."""
    allowed = settings.lateral_shift_mm
    return (series["shift_along_rows"] <= allowed) & (series["shift_along_columns"] <= allowed)


def _explain_identity(row: object, _: StrictSelection) -> str:
    repeated = row.instances - row.sop_missing - row.sop_instance_uids  # type: ignore[attr-defined]
    faults = {
        "SOPInstanceUID is missing": row.sop_missing,  # type: ignore[attr-defined]
        "SOPInstanceUID is that of another image": repeated,
        "StudyInstanceUID is missing": row.study_missing,  # type: ignore[attr-defined]
    }
    return "; ".join(f"{fault} in {count:.0f} of {_all(row)} images" for fault, count in faults.items() if count)


def _explain_placement(row: object, _: StrictSelection) -> str:
    missing = {
        "ImagePositionPatient": row.positions_missing,  # type: ignore[attr-defined]
        "ImageOrientationPatient": row.orientations_missing,  # type: ignore[attr-defined]
        "PixelSpacing": row.pixel_spacings_missing,  # type: ignore[attr-defined]
    }
    return "; ".join(
        f"{key} is missing in {count:.0f} of {_all(row)} images" for key, count in missing.items() if count
    )


def _explain_spacing(row: object, _: StrictSelection) -> str:
    smallest, largest, mean = row.gap_smallest, row.gap_largest, row.gap_mean  # type: ignore[attr-defined]
    return f"slice spacing is irregular: gaps from {smallest:g} to {largest:g} mm, mean {mean:g} mm"


def _explain_shift(row: object, _: StrictSelection) -> str:
    shift = math.hypot(row.shift_along_rows, row.shift_along_columns)  # type: ignore[attr-defined]
    length = row.gap_mean * (row.instances - 1)  # type: ignore[attr-defined]
    tilt = f": gantry tilted by {math.degrees(math.atan2(shift, length)):.1f} degrees, or table moved" if length else ""
    return f"slices shift sideways along the stack by {shift:.3g} mm{tilt}"


def _differs(keyword: str, spread: float) -> str:
    return f"{keyword} differs within the series by up to {spread:g}"


def _all(row: object) -> str:
    return f"{row.instances:.0f}"  # type: ignore[attr-defined]


STRICT: tuple[Criterion, ...] = (
    common.SERIES_UID,
    Criterion(
        "identified", "has a SOPInstanceUID of its own in every image, and a study", identified, _explain_identity
    ),
    Criterion(
        "supported_class",
        "is single-frame CT Image Storage",
        supported_class,
        lambda row, _: f"SOP class is not CT Image Storage (multi-frame CT is not supported): {row.unsupported_class}",
    ),
    common.COMPLETE_FILES,
    Criterion(
        "one_series",
        "is one series under its SeriesInstanceUID",
        one_series,
        lambda row, _: (
            f"SeriesInstanceUID is shared by series of different geometry ({row.differing}); "
            "separate them and give one a new SeriesInstanceUID"
        ),
    ),
    common.CLINICAL,
    Criterion(
        "not_localizer",
        "is no localizer (ImageType)",
        not_localizer,
        lambda _row, _settings: "ImageType says LOCALIZER",
    ),
    Criterion(
        "not_derived",
        "is not derived from other images (ImageType)",
        not_derived,
        lambda row, _: f"ImageType says DERIVED in {row.derived:.0f} of {row.instances:.0f} images",
    ),
    Criterion("placed", "has position, orientation and pixel spacing in every image", placed, _explain_placement),
    Criterion(
        "single_orientation",
        "has one ImageOrientationPatient",
        single_orientation,
        lambda row, _: _differs("ImageOrientationPatient", row.orientation_spread),
    ),
    Criterion(
        "orthogonal_orientation",
        "has orthogonal rows and columns",
        orthogonal_orientation,
        lambda row, _: (
            f"row and column direction are not orthogonal unit vectors: product of length {row.normal_length:g}"
        ),
    ),
    Criterion(
        "single_pixel_spacing",
        "has one PixelSpacing",
        single_pixel_spacing,
        lambda row, _: _differs("PixelSpacing", row.pixel_spacing_spread),
    ),
    Criterion(
        "near_axial",
        "has slices near axial",
        near_axial,
        lambda row, _: f"slices are {row.obliquity_degrees:.0f} degrees off axial",
    ),
    Criterion(
        "unique_positions",
        "has no two slices in one place",
        unique_positions,
        lambda row, _: f"{row.repeated_positions:.0f} of {row.instances:.0f} slices lie where another slice is",
    ),
    Criterion("regular_spacing", "is evenly spaced along its normal", regular_spacing, _explain_spacing),
    Criterion("no_lateral_shift", "is stacked straight along its normal", no_lateral_shift, _explain_shift),
    common.SLICE_THICKNESS,
    common.MINIMUM_SLICES,
    common.ONE_PER_STUDY,
)
"""Criteria in the order of the selection flow (paper, 'Selection of images for analysis', made exact)."""
