"""Tables parsed back from the three reports, ours or those of the published pipeline."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pydicom
from pydicom.errors import InvalidDicomError

from ct_assets.dicom.codes import feature_codes, landmark_codes, organ_codes, region_codes

FEATURE_COLUMNS = (
    "ReportSOPInstanceUID",
    "group",
    "tracking_identifier",
    "tracking_uid",
    "SegmentationSOPInstanceUID",
    "SegmentNumber",
    "SeriesInstanceUID",
    "organ",
    "site_code",
    "feature",
    "code",
    "value",
    "unit",
)
"""Columns of `read_features`; ``SeriesInstanceUID`` is that of the segmented series."""

LANDMARK_COLUMNS = (
    "ReportSOPInstanceUID",
    "group",
    "tracking_identifier",
    "tracking_uid",
    "SOPInstanceUID",
    "landmark",
    "code",
    "meaning",
    "modifier_code",
    "modifier_meaning",
)
"""Columns of `read_landmarks`; ``SOPInstanceUID`` is the CT instance, as in the table LANDMARKS."""

REGION_COLUMNS = (*LANDMARK_COLUMNS[:5], "region", "code", "meaning")
"""Columns of `read_regions`."""

_IMAGING_MEASUREMENTS = "126010"
_MEASUREMENT_GROUP = "125007"
_TRACKING_IDENTIFIER = "112039"
_TRACKING_UID = "112040"
_REFERENCED_SEGMENT = "121191"
_SOURCE_SERIES = "121232"
_FINDING_SITE = ("363698007", "G-C0E3")
_MODIFIER = ("106233006", "G-A1F8")


class UnusableReportError(ValueError):
    """A file that is no measurement report; the message names it."""


def read_features(path: Path) -> pd.DataFrame:
    """Read the measurements of a report, one row each.

    Parameters
    ----------
    path : Path
        TID 1500 report.

    Returns
    -------
    DataFrame
        `FEATURE_COLUMNS`; ``organ`` and ``feature`` are our names, null for codes that we do not use.

    Raises
    ------
    UnusableReportError
        If the file is no measurement report.
    """
    organs = {organ.site.value: organ.name for organ in organ_codes().values()}
    names = {feature.quantity.value: feature.name for feature in feature_codes().values()}
    rows = []
    for row, items in _groups(path):
        segment = next((item for item in items if _name(item) == _REFERENCED_SEGMENT), None)
        reference = None if segment is None else segment.ReferencedSOPSequence[0]
        site = next((_code(item).CodeValue for item in items if _name(item) in _FINDING_SITE), None)
        context = {
            **row,
            "SegmentationSOPInstanceUID": None if reference is None else str(reference.ReferencedSOPInstanceUID),
            "SegmentNumber": None if reference is None else int(reference.ReferencedSegmentNumber),
            "SeriesInstanceUID": next((str(item.UID) for item in items if _name(item) == _SOURCE_SERIES), None),
            "organ": organs.get(str(site)),
            "site_code": site,
        }
        for item in items:
            if item.ValueType == "NUM" and item.get("MeasuredValueSequence"):
                measured = item.MeasuredValueSequence[0]
                precise = measured.get("FloatingPointValue")
                rows.append(
                    {
                        **context,
                        "feature": names.get(_name(item)),
                        "code": _name(item),
                        "value": float(measured.NumericValue if precise is None else precise),
                        "unit": str(measured.MeasurementUnitsCodeSequence[0].CodeValue),
                    }
                )
    return pd.DataFrame(rows, columns=list(FEATURE_COLUMNS))


def read_landmarks(path: Path) -> pd.DataFrame:
    """Read the landmarks of a report, one row each.

    Parameters
    ----------
    path : Path
        TID 1500 report.

    Returns
    -------
    DataFrame
        `LANDMARK_COLUMNS`; ``landmark`` is bpreg's name, null for codes that we do not use.

    Raises
    ------
    UnusableReportError
        If the file is no measurement report.
    """
    names = {
        (site.value, modifier.value if modifier else None): landmark.name
        for landmark in landmark_codes().values()
        for site, modifier in (
            (landmark.published_site, landmark.published_modifier),
            (landmark.site, landmark.modifier),
        )
    }
    rows = [
        {
            **row,
            "landmark": names.get((str(row["code"]), None if modifier is None else str(modifier.CodeValue))),
            "modifier_code": None if modifier is None else str(modifier.CodeValue),
            "modifier_meaning": None if modifier is None else str(modifier.CodeMeaning),
        }
        for row, modifier in _finding_sites(path)
    ]
    return pd.DataFrame(rows, columns=list(LANDMARK_COLUMNS))


def read_regions(path: Path) -> pd.DataFrame:
    """Read the regions of a report, one row per slice and region.

    Parameters
    ----------
    path : Path
        TID 1500 report.

    Returns
    -------
    DataFrame
        `REGION_COLUMNS`; ``region`` is bpreg's name by present or published code, null for codes that we do not use.

    Raises
    ------
    UnusableReportError
        If the file is no measurement report.
    """
    names = {region.published.value: region.name for region in region_codes().values()}
    names.update({region.site.value: region.name for region in region_codes().values()})
    rows = [{**row, "region": names.get(str(row["code"]))} for row, _ in _finding_sites(path)]
    return pd.DataFrame(rows, columns=list(REGION_COLUMNS))


def _finding_sites(path: Path) -> Iterator[tuple[dict[str, object], pydicom.Dataset | None]]:
    """Yield every Finding Site of groups that refer to an image, with its modifier's code."""
    for row, items in _groups(path):
        images = [item.ReferencedSOPSequence[0] for item in items if item.ValueType == "IMAGE"]
        image = str(images[0].ReferencedSOPInstanceUID) if images else None
        for item in items:
            if _name(item) in _FINDING_SITE:
                code = _code(item)
                nested = (child for child in item.get("ContentSequence", []) if _name(child) in _MODIFIER)
                modifier = next((_code(child) for child in nested), None)
                site = {"code": str(code.CodeValue), "meaning": str(code.CodeMeaning)}
                yield {**row, "SOPInstanceUID": image, **site}, modifier


def _groups(path: Path) -> Iterator[tuple[dict[str, object], list[pydicom.Dataset]]]:
    """Yield the measurement groups, numbered from 1: what identifies them, and their content items."""
    try:
        document = pydicom.dcmread(path)
        for _ in document.iterall():  # pydicom parses sequences when they are looked at
            pass
    except (InvalidDicomError, EOFError, OSError, struct.error) as error:
        message = f"{path}: is not a complete DICOM file ({error})"
        raise UnusableReportError(message) from error
    containers = [item for item in document.get("ContentSequence", []) if _name(item) == _IMAGING_MEASUREMENTS]
    if document.get("Modality") != "SR" or not containers:
        message = f"{path}: is no measurement report (TID 1500)"
        raise UnusableReportError(message)
    groups = [item for item in containers[0].get("ContentSequence", []) if _name(item) == _MEASUREMENT_GROUP]
    for number, group in enumerate(groups, start=1):
        items = list(group.get("ContentSequence", []))
        yield (
            {
                "ReportSOPInstanceUID": str(document.SOPInstanceUID),
                "group": number,
                "tracking_identifier": next(
                    (str(item.TextValue) for item in items if _name(item) == _TRACKING_IDENTIFIER), None
                ),
                "tracking_uid": next((str(item.UID) for item in items if _name(item) == _TRACKING_UID), None),
            },
            items,
        )


def _name(item: pydicom.Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return str(names[0].get("CodeValue", "")) if names else ""


def _code(item: pydicom.Dataset) -> pydicom.Dataset:
    code: pydicom.Dataset = item.ConceptCodeSequence[0]
    return code
