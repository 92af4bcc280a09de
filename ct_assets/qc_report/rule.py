"""The rules that judge a series, and what they can say."""

from enum import StrEnum


class Outcome(StrEnum):
    """What a rule says about a metric."""

    PASS = "pass"  # noqa: S105
    NOT_EVALUATED = "not evaluated"
    NOT_MEASURABLE = "not measurable"
    FAIL = "fail"


class Rule(StrEnum):
    """Rules that judge a series: `ct_assets.qc_report.rules`."""

    DICE = "dice"
    HAUSDORFF = "hausdorff"
    SPHERICITY = "sphericity"
    VOLUME = "volume"
    ORGAN_MISSING = "organ_missing"
    LUNG_EXTENT = "lung_extent"
    LUNG_ENDS = "lung_ends"
    REGIONS = "regions"
    Z_SPACING = "z_spacing"
