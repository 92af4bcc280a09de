"""What a report says, in the names of the tables that it was made from."""

from pathlib import Path
from typing import Any

import pandas as pd

from ct_assets.dicom.codes import feature_codes, landmark_names, organ_codes, region_names
from ct_assets.dicom_sr.read import read_report
from ct_assets.dicom_sr.rows import qualitative_rows, quantitative_rows


def read_features(path: Path) -> pd.DataFrame:
    """Measurements by organ and feature."""
    organs = {organ.site.value: organ.name for organ in organ_codes().values()}
    names = {feature.quantity.value: feature.name for feature in feature_codes().values()}
    return pd.DataFrame(
        {
            "organ": organs.get(_code(row["findingSite"])),
            "feature": names.get(_code(row["Quantity"])),
            "value": row["Value"],
            "unit": _code(row["Units"]),
            "code": _code(row["Quantity"]),
            "SegmentNumber": row["segmentationSegmentNumber"],
            "SegmentationSOPInstanceUID": row["segmentationInstanceUID"],
            "SeriesInstanceUID": row["sourceSegmentedSeriesUID"],
        }
        for row in quantitative_rows(read_report(path))
    )


def read_landmarks(path: Path) -> pd.DataFrame:
    """Landmarks by bpreg's name, whether by present or by published code."""
    names = landmark_names()
    return pd.DataFrame(
        {
            **_statement(row),
            "landmark": names.get(
                (_code(row["ConceptCodeSequence"]) or "", _code(row["topographical_modifier"]) or "")
            ),
            "modifier_code": _code(row["topographical_modifier"]),
        }
        for row in qualitative_rows(read_report(path))
    )


def read_regions(path: Path) -> pd.DataFrame:
    """Regions by bpreg's name, whether by present or by published code."""
    names, rows = region_names(), qualitative_rows(read_report(path))
    return pd.DataFrame({**_statement(row), "region": names.get(_code(row["ConceptCodeSequence"]))} for row in rows)


def _statement(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "group": row["measurementGroup_number"],
        "tracking_identifier": row["trackingIdentifier"],
        "tracking_uid": row["trackingUniqueIdentifier"],
        "SOPInstanceUID": row["ReferencedSOPInstanceUID"],
        "code": _code(row["ConceptCodeSequence"]),
    }


def _code(struct: dict[str, str] | None) -> str | None:
    return struct and struct["CodeValue"]
