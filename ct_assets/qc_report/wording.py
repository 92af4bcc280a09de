"""How pages name rules, metrics and limits, and write numbers."""

import math

from ct_assets.qc_report.rule import Rule

RULE_TITLES: dict[Rule, str] = {
    Rule.DICE: "Dice against expert",
    Rule.HAUSDORFF: "HD95 against expert",
    Rule.SPHERICITY: "Sphericity",
    Rule.VOLUME: "Organ volume",
    Rule.ORGAN_MISSING: "Organs present",
    Rule.LUNG_EXTENT: "Lung extent",
    Rule.LUNG_ENDS: "Lung ends against expert",
    Rule.REGIONS: "Body regions",
    Rule.Z_SPACING: "Slice spacing",
}
"""Name of each rule."""

RULE_DESCRIPTIONS: dict[Rule, str] = {
    Rule.DICE: "Dice against the expert is at least the collection's minimum.",
    Rule.HAUSDORFF: "95 % Hausdorff distance to the expert (volumetric, as published) is at most the maximum.",
    Rule.SPHERICITY: "Sphericity of every organ is in its range.",
    Rule.VOLUME: "Volume of every organ is in its range.",
    Rule.ORGAN_MISSING: "Every model found every organ.",
    Rule.LUNG_EXTENT: "lung_start to lung_end is in the range of adult lungs; not measurable is no failure.",
    Rule.LUNG_ENDS: "lung_start and lung_end are near the ends of the expert's lungs.",
    Rule.REGIONS: "More slices show the region that the collection is of than any other.",
    Rule.Z_SPACING: "The slice scores rise about as fast as the slice spacing makes expect.",
}
"""What passes each rule."""

METRIC_TITLES: dict[str, str] = {
    "dice": "Dice",
    "hausdorff": "Hausdorff distance",
    "hd95_volumetric": "HD95, volumetric (as published)",
    "hd95_surface": "HD95, surface",
    "sphericity": "Sphericity",
    "volume": "Volume",
    "voxels": "Voxels",
    "lung_extent": "Lung extent",
    "expert_difference": "Distance to expert's lung end",
    "region_ratio": "Share of slices",
    "slope_ratio": "Slope over expected slope",
}
"""Name of each metric, in the order of the tables."""

_MISSING = "\u2013"
_UNITS = {"1": "", "{voxels}": "", "mm3": "mm\u00b3", "mm2": "mm\u00b2", "/mm": "1/mm"}


def unit_text(unit: str) -> str:
    """Return a UCUM unit for readers; the unit of plain numbers is empty."""
    return _UNITS.get(unit, unit)


def number(value: float | None, unit: str = "1") -> str:
    """Write a value with as many digits as mean something in its unit.

    Parameters
    ----------
    value : float or None
        Value; None or NaN give a dash.
    unit : str
        UCUM unit.
    """
    if value is None or math.isnan(value):
        return _MISSING
    if unit in {"mm", "mL"}:
        return f"{value:,.1f}"
    if unit in {"mm2", "mm3", "{voxels}"}:
        return f"{value:,.0f}"
    return f"{value:.3f}"


def limits(lower: float | None, upper: float | None) -> str:
    """Write the limits of a rule; empty where there are none."""
    low, high = (None if bound is None or math.isnan(bound) else bound for bound in (lower, upper))
    if low is not None and high is not None:
        return f"{low:.5g}\u2013{high:.5g}"
    if low is not None:
        return f"\u2265 {low:.5g}"
    return f"\u2264 {high:.5g}" if high is not None else ""


def file_size(size: int) -> str:
    """Write a number of bytes."""
    value = float(size)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
