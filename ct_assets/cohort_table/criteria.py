"""What makes a CT series fit: one documented predicate per criterion, on the header rows of one series."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ct_assets.collection import Selection
from ct_assets.dicom.series import CT_IMAGE_STORAGE, slice_normal
from ct_assets.store.uid import InvalidUidError, checked_uid

_DISTINCT_POSITION_MM = 1e-3
_TILT_TOLERANCE_DEGREES = 1.0
_NEAR_AXIAL_COSINE = float(np.cos(np.radians(30.0)))

Predicate = Callable[[pd.DataFrame, Selection], str | None]


@dataclass(frozen=True)
class Criterion:
    """A named criterion; `judge` returns the reason why a series fails it, or None."""

    name: str
    description: str
    judge: Predicate


def _series_uid(rows: pd.DataFrame, _: Selection) -> str | None:
    value = rows["SeriesInstanceUID"].iloc[0]
    try:
        checked_uid(value or "")
    except InvalidUidError as error:
        return f"SeriesInstanceUID {'is missing' if not value else error}"
    return None


def _identified(rows: pd.DataFrame, _: Selection) -> str | None:
    uids = rows["SOPInstanceUID"]
    faults = {
        "SOPInstanceUID is missing": int(uids.isna().sum()),
        "SOPInstanceUID is that of another image": int((uids.notna() & uids.duplicated(keep=False)).sum()),
        "StudyInstanceUID is missing": int(rows["StudyInstanceUID"].isna().sum()),
    }
    found = [f"{fault} in {count} of {len(rows)} images" for fault, count in faults.items() if count]
    return "; ".join(found) or None


def _supported_class(rows: pd.DataFrame, _: Selection) -> str | None:
    others = sorted(set(rows["SOPClassUID"].fillna("missing")) - {CT_IMAGE_STORAGE})
    return (
        f"SOP class is not CT Image Storage (multi-frame CT is not supported): {', '.join(others)}" if others else None
    )


def _complete_files(rows: pd.DataFrame, _: Selection) -> str | None:
    bad = rows[rows["problem"].notna()]
    if bad.empty:
        return None
    more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    return f"{bad['file'].iloc[0]} {bad['problem'].iloc[0]}{more}"


def _one_series(rows: pd.DataFrame, _: Selection) -> str | None:
    """Find two series under one SeriesInstanceUID by what may not vary within one."""
    images = rows[rows["SOPClassUID"] == CT_IMAGE_STORAGE]
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "Rows", "Columns"):
        groups = images.groupby(images[keyword].astype(str))["file"].first()
        if len(groups) > 1:
            files = " and ".join(groups.head(2))
            return (
                f"SeriesInstanceUID is shared by series of different geometry ({keyword} differs: {files}); "
                "separate them and give one a new SeriesInstanceUID"
            )
    return None


def _not_localizer(rows: pd.DataFrame, _: Selection) -> str | None:
    parts = {part.upper() for types in rows["ImageType"].dropna() for part in types}
    return "ImageType says LOCALIZER" if "LOCALIZER" in parts else None


def _not_derived(rows: pd.DataFrame, _: Selection) -> str | None:
    derived = rows["ImageType"].map(
        lambda types: types is not None and len(types) > 0 and types[0].upper() == "DERIVED"
    )
    return f"ImageType says DERIVED in {int(derived.sum())} of {len(rows)} images" if derived.any() else None


def _placed(rows: pd.DataFrame, _: Selection) -> str | None:
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        missing = int(rows[keyword].isna().sum())
        if missing:
            return f"{keyword} is missing in {missing} of {len(rows)} images"
    return None


def _single_orientation(rows: pd.DataFrame, _: Selection) -> str | None:
    return _single(rows, "ImageOrientationPatient", 1e-4)


def _single_pixel_spacing(rows: pd.DataFrame, _: Selection) -> str | None:
    return _single(rows, "PixelSpacing", 1e-4)


def _minimum_slices(rows: pd.DataFrame, selection: Selection) -> str | None:
    if len(rows) >= selection.minimum_slices:
        return None
    return f"{len(rows)} slices, fewer than {selection.minimum_slices}"


def _slice_thickness(rows: pd.DataFrame, selection: Selection) -> str | None:
    if selection.slice_thickness_mm is None:
        return None
    lowest, highest = selection.slice_thickness_mm
    values = rows["SliceThickness"]
    if values.isna().any():
        return "not evaluated: SliceThickness is missing"
    if values.min() >= lowest and values.max() <= highest:
        return None
    return f"SliceThickness {values.min():g} to {values.max():g} mm is outside {lowest:g} to {highest:g} mm"


def _near_axial(rows: pd.DataFrame, _: Selection) -> str | None:
    if _placed(rows, _):
        return "not evaluated: placement attributes are missing"
    normal = slice_normal(rows["ImageOrientationPatient"].iloc[0])
    angle = np.degrees(np.arccos(min(abs(normal[2]), 1.0)))
    return f"slices are {angle:.0f} degrees off axial" if abs(normal[2]) < _NEAR_AXIAL_COSINE else None


def _unique_positions(rows: pd.DataFrame, _: Selection) -> str | None:
    positions = _positions(rows)
    if positions is None:
        return "not evaluated: placement attributes are missing or differ"
    repeated = int((np.diff(np.sort(positions)) < _DISTINCT_POSITION_MM).sum())
    return f"{repeated} of {len(rows)} slices lie where another slice is" if repeated else None


def _regular_spacing(rows: pd.DataFrame, selection: Selection) -> str | None:
    positions = _positions(rows)
    if positions is None or len(positions) < 2:
        return "not evaluated: no slice positions to compare"
    gaps = np.diff(np.sort(positions))
    gaps = gaps[gaps >= _DISTINCT_POSITION_MM]
    if not len(gaps):
        return "all slices lie in one place"
    median = float(np.median(gaps))
    if np.all(np.abs(gaps - median) <= selection.spacing_tolerance * median):
        return None
    odd = gaps[np.abs(gaps - median) > selection.spacing_tolerance * median]
    return f"slice spacing is irregular: {median:g} mm, but {len(odd)} gaps from {odd.min():g} to {odd.max():g} mm"


def _no_gantry_tilt(rows: pd.DataFrame, _: Selection) -> str | None:
    if _positions(rows) is None or len(rows) < 2:
        return "not evaluated: no slice positions to compare"
    origins = np.stack(rows["ImagePositionPatient"].to_list()).astype(float)
    normal = slice_normal(rows["ImageOrientationPatient"].iloc[0])
    order = np.argsort(origins @ normal)
    step = origins[order[-1]] - origins[order[0]]
    along = float(step @ normal)
    shift = float(np.linalg.norm(step - along * normal))
    angle = float(np.degrees(np.arctan2(shift, abs(along))))
    if angle <= _TILT_TOLERANCE_DEGREES:
        return None
    return f"slices shift sideways along the stack: gantry tilted by {angle:.1f} degrees"


CRITERIA: tuple[Criterion, ...] = (
    Criterion("series_uid", "has a valid SeriesInstanceUID", _series_uid),
    Criterion("identified", "every image has a SOPInstanceUID of its own and a StudyInstanceUID", _identified),
    Criterion("supported_class", "is single-frame CT Image Storage", _supported_class),
    Criterion("complete_files", "every file is complete and well-formed", _complete_files),
    Criterion("one_series", "the SeriesInstanceUID names one series", _one_series),
    Criterion("not_localizer", "is no localizer (ImageType)", _not_localizer),
    Criterion("not_derived", "is not derived from other images (ImageType)", _not_derived),
    Criterion("placed", "every image has position, orientation and pixel spacing", _placed),
    Criterion("single_orientation", "one ImageOrientationPatient", _single_orientation),
    Criterion("single_pixel_spacing", "one PixelSpacing", _single_pixel_spacing),
    Criterion("near_axial", "slices are within 30 degrees of axial", _near_axial),
    Criterion("unique_positions", "no two slices in one place", _unique_positions),
    Criterion("regular_spacing", "even spacing along the slice normal", _regular_spacing),
    Criterion("no_gantry_tilt", "slices are stacked along their normal", _no_gantry_tilt),
    Criterion("slice_thickness", "SliceThickness within the collection's range", _slice_thickness),
    Criterion("minimum_slices", "enough slices", _minimum_slices),
)
"""Criteria in the order of the selection flow (paper, 'Selection of images for analysis', made exact)."""


def _single(rows: pd.DataFrame, keyword: str, tolerance: float) -> str | None:
    values = rows[keyword].dropna()
    if values.empty:
        return f"not evaluated: {keyword} is missing"
    if len({len(value) for value in values}) > 1:
        return f"{keyword} differs in length"
    stacked = np.stack(values.to_list()).astype(float)
    spread = float(np.ptp(stacked, axis=0).max())
    return f"{keyword} differs within the series by up to {spread:g}" if spread > tolerance else None


def _positions(rows: pd.DataFrame) -> npt.NDArray[np.float64] | None:
    """Positions along the slice normal in mm, in row order, or None where they cannot be had."""
    if rows[["ImagePositionPatient", "ImageOrientationPatient"]].isna().any(axis=None):
        return None
    origins = np.stack(rows["ImagePositionPatient"].to_list()).astype(float)
    return np.asarray(origins @ slice_normal(rows["ImageOrientationPatient"].iloc[0]))
