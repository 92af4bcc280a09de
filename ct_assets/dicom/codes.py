"""Coded concepts of the annotations: organs, landmarks, regions and shape features, as in the paper's tables."""

import csv
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Code:
    """A coded concept: value, scheme and meaning."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class OrganCode:
    """A segmented organ: its label, finding, finding site and recommended colour (RGB, 0 to 255)."""

    label: int
    name: str
    finding: Code
    site: Code
    rgb: tuple[int, int, int]


@dataclass(frozen=True)
class LandmarkCode:
    """A landmark of body part regression: its anatomy and which part of it (none for the kidney).

    ``published_site`` and ``published_modifier`` are what the published objects carry; some are no valid SNOMED CT
    codes.
    """

    name: str
    site: Code
    modifier: Code | None
    published_site: Code
    published_modifier: Code | None


@dataclass(frozen=True)
class RegionCode:
    """A body region, with the code that the published objects carry where it differs from DICOM's present one."""

    name: str
    site: Code
    published: Code


@dataclass(frozen=True)
class FeatureCode:
    """A shape feature: its IBSI code and UCUM unit."""

    name: str
    quantity: Code
    unit: Code


@lru_cache
def organ_codes() -> dict[int, OrganCode]:
    """Return the organs by label (paper, table 2)."""
    return {
        int(row["label"]): OrganCode(
            label=int(row["label"]),
            name=row["name"].lower(),
            finding=Code(row["finding_code"], row["finding_scheme"], row["finding_meaning"]),
            site=Code(row["site_code"], row["site_scheme"], row["site_meaning"]),
            rgb=_rgb(row["rgb"]),
        )
        for row in _rows("segments.csv")
    }


@lru_cache
def landmark_codes() -> dict[str, LandmarkCode]:
    """Return the 35 landmarks by bpreg's name (paper, table S1, with invalid codes corrected)."""
    return {row["landmark"]: _landmark(row) for row in _rows("landmarks.csv")}


@lru_cache
def region_codes() -> dict[str, RegionCode]:
    """Return the six regions by bpreg's name, from the feet up (paper, table 4)."""
    return {
        row["bpr_region"]: RegionCode(
            name=row["bpr_region"],
            site=Code(row["code"], row["scheme"], row["meaning"]),
            published=Code(row["published_code"], row["scheme"], row["published_meaning"]),
        )
        for row in _rows("regions.csv")
    }


@lru_cache
def feature_codes() -> dict[str, FeatureCode]:
    """Return the 14 shape features by pyradiomics' name (paper, table 3)."""
    return {
        row["feature"]: FeatureCode(
            name=row["feature"],
            quantity=Code(row["code"], row["scheme"], row["meaning"]),
            unit=Code(row["unit_code"], row["unit_scheme"], row["unit_meaning"]),
        )
        for row in _rows("shape_features.csv")
    }


@lru_cache
def landmark_names() -> dict[tuple[str, str], str]:
    """Return the landmarks by the values of their codes, present and published; without a modifier it is empty."""
    names = {}
    for code in landmark_codes().values():
        names[code.published_site.value, code.published_modifier.value if code.published_modifier else ""] = code.name
        names[code.site.value, code.modifier.value if code.modifier else ""] = code.name
    return names


@lru_cache
def region_names() -> dict[str, str]:
    """Return the regions by the values of their codes, present and published."""
    names = {code.published.value: code.name for code in region_codes().values()}
    return {**names, **{code.site.value: code.name for code in region_codes().values()}}


def _landmark(row: dict[str, str]) -> LandmarkCode:
    site = Code(row["code"], row["scheme"], row["meaning"])
    modifier = Code(row["modifier_code"], row["modifier_scheme"], row["modifier_meaning"])
    return LandmarkCode(
        name=row["landmark"],
        site=site,
        modifier=modifier if modifier.value else None,
        published_site=replace(site, value=row["published_code"] or site.value),
        published_modifier=replace(modifier, value=row["published_modifier_code"] or modifier.value)
        if modifier.value
        else None,
    )


def _rows(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _rgb(text: str) -> tuple[int, int, int]:
    red, green, blue = (int(part) for part in text.split("/"))
    return red, green, blue
