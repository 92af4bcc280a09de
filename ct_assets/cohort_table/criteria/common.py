"""Criteria that every profile has: what the platform needs of a series, and what a collection may ask of it."""

import ibis
import ibis.expr.types as ir

from ct_assets.cohort_table.criteria.criterion import ONE_SERIES_PER_STUDY, Criterion, Settings
from ct_assets.store.uid import MAXIMUM_UID_LENGTH


def series_uid(series: ir.Table, _: Settings) -> ir.BooleanValue:
    """Whether the SeriesInstanceUID is one: digits and single dots, at most 64 characters (PS3.5, 9.1)."""
    uid = series["SeriesInstanceUID"]
    return uid.re_search(r"^[0-9]+(\.[0-9]+)*$") & (uid.length() <= MAXIMUM_UID_LENGTH)


def complete_files(series: ir.Table, _: Settings) -> ir.BooleanValue:
    """Whether no file of the series is cut off, malformed or unreadable."""
    return series["problems"] == 0


def minimum_slices(series: ir.Table, settings: Settings) -> ir.BooleanValue:
    """Whether there are enough images; the paper asked for more than 100 in NLST."""
    return series["instances"] >= (settings.minimum_slices or 0)


def slice_thickness(series: ir.Table, settings: Settings) -> ir.BooleanValue:
    """Whether every SliceThickness lies in the range, limits included; not evaluated where one is missing."""
    lowest, highest = settings.slice_thickness_mm or (float("-inf"), float("inf"))
    inside = (series["thickness_smallest"] >= lowest) & (series["thickness_largest"] <= highest)
    return ibis.ifelse(series["thickness_missing"] > 0, ibis.null("boolean"), inside)


def clinical(series: ir.Table, _: Settings) -> ir.BooleanValue:
    """Whether the clinical table has the patient in the cohort; not evaluated for a patient whom it does not know."""
    return series["clinical"]


def one_series_per_study(series: ir.Table, _: Settings) -> ir.BooleanValue:
    """Whether the series is the chosen one of its study (`ct_assets.cohort_table.criteria.judge` chooses)."""
    return series["chosen"]


def _explain_uid(row: object, _: Settings) -> str:
    uid = str(getattr(row, "SeriesInstanceUID", ""))
    return f"SeriesInstanceUID is not a DICOM UID: {uid[:80]!r}" if uid else "SeriesInstanceUID is missing"


def _range(smallest: float, largest: float) -> str:
    return f"{smallest:g}" if smallest == largest else f"{smallest:g} to {largest:g}"


SERIES_UID = Criterion("series_uid", "has a valid SeriesInstanceUID", series_uid, _explain_uid)

COMPLETE_FILES = Criterion(
    "complete_files",
    "has only complete and well-formed files",
    complete_files,
    lambda row, _: f"{row.first_problem}" + (f" and {row.problems - 1:.0f} more" if row.problems > 1 else ""),
)

MINIMUM_SLICES = Criterion(
    "minimum_slices",
    "has enough slices",
    minimum_slices,
    lambda row, settings: (
        f"{row.instances:.0f} slice{'s' * (row.instances != 1)}, fewer than {settings.minimum_slices}"
    ),
    applies=lambda settings: settings.minimum_slices is not None,
)

SLICE_THICKNESS = Criterion(
    "slice_thickness",
    "has SliceThickness within the collection's range",
    slice_thickness,
    lambda row, settings: (
        f"SliceThickness {_range(row.thickness_smallest, row.thickness_largest)} mm is outside "
        f"{settings.slice_thickness_mm[0]:g} to {settings.slice_thickness_mm[1]:g} mm"
    ),
    applies=lambda settings: settings.slice_thickness_mm is not None,
)

CLINICAL = Criterion(
    "clinical",
    "is of a patient whom the clinical table puts into the cohort",
    clinical,
    lambda _, settings: (
        f"the patient's {settings.clinical.column} is not {' or '.join(map(str, settings.clinical.values))}"
    ),
    applies=lambda settings: settings.clinical is not None,
    on_headers=False,
)

ONE_PER_STUDY = Criterion(
    ONE_SERIES_PER_STUDY,
    "is the one chosen of its study",
    one_series_per_study,
    lambda _row, _settings: "another series of the same study is annotated",
    applies=lambda settings: settings.one_series_per_study,
)
