"""Measures: what a source knows of each CT series, one row per series, from which the criteria decide.

Written once as Ibis expressions; they run on DuckDB over the header index and on BigQuery over IDC's `dicom_all`.
"""

from typing import Any

import ibis
import ibis.expr.types as ir

from ct_assets.cohort_table.criteria.stack import projected_stack, truncated_stack, with_normal_length
from ct_assets.dicom.series import CT_IMAGE_STORAGE
from ct_assets.selection_settings import PublishedSelection, StrictSelection

AXES = ("x", "y", "z")
COSINES = tuple(f"{vector}_{axis}" for vector in ("row", "column") for axis in AXES)
"""Columns of the six direction cosines, in the order of ImageOrientationPatient."""

MEASURES: dict[str, str] = {
    "SeriesInstanceUID": "string",
    "PatientID": "string",
    "StudyInstanceUID": "string",
    "SeriesDescription": "string",
    "decided": "boolean",
    "instances": "int64",
    "series_size": "int64",
    # identity
    "sop_instance_uids": "int64",
    "sop_missing": "int64",
    "study_missing": "int64",
    "unsupported_images": "int64",
    "unsupported_class": "string",
    "problems": "int64",
    "first_problem": "string",
    "differing": "string",
    # kind of image
    "image_types_missing": "int64",
    "localizers": "int64",
    "derived": "int64",
    # placement
    "positions_missing": "int64",
    "orientations_missing": "int64",
    "pixel_spacings_missing": "int64",
    "orientation_spread": "float64",
    "pixel_spacing_spread": "float64",
    "thickness_missing": "int64",
    "thickness_smallest": "float64",
    "thickness_largest": "float64",
    "positions_as_text": "int64",
    "orientations_as_text": "int64",
    "pixel_spacings_as_text": "int64",
    **dict.fromkeys(COSINES, "float64"),
    "normal_length": "float64",
    # stack along the normal (strict)
    "obliquity_degrees": "float64",
    "repeated_positions": "int64",
    "gap_smallest": "float64",
    "gap_largest": "float64",
    "gap_mean": "float64",
    "shift_along_rows": "float64",
    "shift_along_columns": "float64",
    # stack in truncated z (published)
    "distinct_gaps": "int64",
    "truncated_gap_smallest": "int64",
    "truncated_gap_largest": "int64",
}
"""Columns and types of the measures; what a source cannot know is null."""

_GROUP = "SeriesInstanceUID"
_LARGEST_NUMBER = 1e9


def header_measures(instances: ir.Table, settings: StrictSelection | PublishedSelection) -> ir.Table:
    """Return the measures of every CT series of a table of image headers.

    Parameters
    ----------
    instances : ibis Table
        Columns of IDC's `dicom_all`; a header index also has `problem`, `file` and `copy_of`.
    settings : StrictSelection or PublishedSelection
        The profile says which stack is measured.

    Returns
    -------
    ibis Table
        Columns of `MEASURES`, in that order.
    """
    images = ct_images(instances)
    series = with_normal_length(_series(images, settings))
    if isinstance(settings, PublishedSelection):
        stack = truncated_stack(images, settings)
    else:
        stack = projected_stack(images, series, settings)
    return complete(series.left_join(stack, _GROUP).drop(f"{_GROUP}_right"))


def complete(series: ir.Table) -> ir.Table:
    """Add the measures that a source cannot know as nulls, and put all in order.

    Parameters
    ----------
    series : ibis Table
        Some of the columns of `MEASURES`; others are dropped.
    """
    return series.select(
        **{
            name: series[name].cast(kind) if name in series.columns else ibis.null(kind)
            for name, kind in MEASURES.items()
        }
    )


def ct_images(instances: ir.Table) -> ir.Table:
    """Return the CT images with their decimal strings as numbers; further copies of an instance are left out.

    Parameters
    ----------
    instances : ibis Table
        Columns of IDC's `dicom_all`.

    Returns
    -------
    ibis Table
        One row per image: the columns of the input, numbers `x`, `y`, `z` (mm), the six cosines, `row_spacing`,
        `column_spacing` and `thickness` (mm), null where missing or no number.
    """
    images = instances.filter(instances["Modality"] == "CT")
    if "copy_of" in images.columns:
        images = images.filter(images["copy_of"].isnull())
    return images.mutate(
        SeriesInstanceUID=images[_GROUP].fill_null(""),
        **{axis: _number(images["ImagePositionPatient"][place]) for place, axis in enumerate(AXES)},
        **{cosine: _number(images["ImageOrientationPatient"][place]) for place, cosine in enumerate(COSINES)},
        row_spacing=_number(images["PixelSpacing"][0]),
        column_spacing=_number(images["PixelSpacing"][1]),
        thickness=_number(images["SliceThickness"]),
    )


def _number(decimal: ir.StringColumn) -> ir.FloatingColumn:
    """Return the number of a decimal string; null where it is none, or none that a place could have.

    Engines compare NaN differently, and BigQuery ends a query at an overflow, for one bad header among millions.
    """
    number = decimal.try_cast("float64")
    return ibis.ifelse(number.between(-_LARGEST_NUMBER, _LARGEST_NUMBER), number, ibis.null("float64"))


def _series(images: ir.Table, settings: StrictSelection | PublishedSelection) -> ir.Table:
    """Aggregate what needs no order of the slices."""
    published = isinstance(settings, PublishedSelection)
    image_type = images["ImageType"].join("\\").upper()
    unsupported = images["SOPClassUID"].fill_null("missing") != CT_IMAGE_STORAGE
    measured: dict[str, Any] = {
        "PatientID": images["PatientID"].min(),
        "StudyInstanceUID": images["StudyInstanceUID"].min(),
        "SeriesDescription": images["SeriesDescription"].min(),
        "decided": ibis.literal(True),
        "instances": images.count(),
        "series_size": images["instance_size"].sum(),
        "sop_instance_uids": images["SOPInstanceUID"].nunique(),
        "sop_missing": _count(images["SOPInstanceUID"].isnull()),
        "study_missing": _count(images["StudyInstanceUID"].isnull()),
        "unsupported_images": _count(unsupported),
        "unsupported_class": images["SOPClassUID"].fill_null("missing").min(where=unsupported),
        "differing": _differing(images),
        "image_types_missing": _count(image_type.fill_null("") == ""),
        "localizers": _count(image_type.contains("LOCALIZER")),
        "derived": _count(image_type.startswith("DERIVED")),
        "positions_missing": _count(_any_null(images, AXES)),
        "orientations_missing": _count(_any_null(images, COSINES)),
        "pixel_spacings_missing": _count(_any_null(images, ("row_spacing", "column_spacing"))),
        "orientation_spread": _spread(images, COSINES),
        "pixel_spacing_spread": _spread(images, ("row_spacing", "column_spacing")),
        "thickness_missing": _count(images["thickness"].isnull()),
        "thickness_smallest": images["thickness"].min(),
        "thickness_largest": images["thickness"].max(),
        # The least of each cosine stands for all: it does not depend on any order, and is equal where they are.
        **{cosine: images[cosine].min() for cosine in COSINES},
    }
    if "problem" in images.columns:
        measured["problems"] = _count(images["problem"].notnull())
        measured["first_problem"] = (images["file"] + " " + images["problem"]).min()
    if published:
        for name, keyword in _AS_TEXT.items():
            measured[name] = images[keyword].join("/").nunique()
    return images.group_by(_GROUP).agg(**measured)


_AS_TEXT = {
    "positions_as_text": "ImagePositionPatient",
    "orientations_as_text": "ImageOrientationPatient",
    "pixel_spacings_as_text": "PixelSpacing",
}


def _differing(images: ir.Table) -> ir.StringValue:
    """Return the first attribute that may not vary within a series and does, with two of its values."""
    supported = images["SOPClassUID"] == CT_IMAGE_STORAGE
    found = ibis.null("string")
    for keyword in ("Columns", "Rows", "FrameOfReferenceUID", "StudyInstanceUID"):
        value = images[keyword].cast("string").fill_null("missing")
        least, greatest = value.min(where=supported), value.max(where=supported)
        told = ibis.literal(f"{keyword} differs: ") + least + " and " + greatest
        found = ibis.ifelse(least != greatest, told, found)
    return found


def _count(condition: ir.BooleanColumn) -> ir.IntegerScalar:
    return condition.fill_null(False).sum()


def _any_null(images: ir.Table, columns: tuple[str, ...]) -> ir.BooleanColumn:
    return ibis.or_(*(images[column].isnull() for column in columns))


def _spread(images: ir.Table, columns: tuple[str, ...]) -> ir.FloatingScalar:
    """Return the largest difference that any of the columns has; null where one has no value at all."""
    spreads = [images[column].max() - images[column].min() for column in columns]
    return ibis.ifelse(ibis.or_(*(s.isnull() for s in spreads)), ibis.null("float64"), ibis.greatest(*spreads))
