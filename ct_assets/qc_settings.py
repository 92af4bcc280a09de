"""The key qc of a collection YAML: the limits of every rule, per organ and model."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from ct_assets.organs import ORGANS, Configuration, Organ
from ct_assets.yaml_model import Range, StrictModel

LungEnd = Literal["lung_start", "lung_end"]
Region = Literal["legs", "pelvis", "abdomen", "chest", "shoulder-neck", "head"]

Derived = Literal["auto", "cohort", "reference"]
"""A range that follows from data: Tukey fences of the cohort, of the published reference, or of the cohort once it is
large enough and of the reference until then."""


def _kind(value: Any) -> str:
    """Tell the alternatives of a limit apart, so that an error is about the one that was meant."""
    if isinstance(value, bool):  # what YAML makes of on, off, yes and no
        return "(bool)"
    if value is None or isinstance(value, dict):
        return "(off)" if value is None else "(by model)"
    if isinstance(value, str):
        return "(word)"
    return "(range)" if isinstance(value, list | tuple) else "(number)"


def _told_apart(allowed: str) -> Discriminator:
    return Discriminator(_kind, custom_error_type="limit", custom_error_message=f"give {allowed}")


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
_Off = Annotated[None, Tag("(off)")]

ShareBound = Annotated[
    Annotated[Share, Tag("(number)")] | _Off | Annotated[dict[Configuration, Share | None], Tag("(by model)")],
    _told_apart("a number, null, or either of them for each model"),
]
PositiveBound = Annotated[
    Annotated[Positive, Tag("(number)")] | _Off | Annotated[dict[Configuration, Positive | None], Tag("(by model)")],
    _told_apart("a number, null, or either of them for each model"),
]
Bound = float | None | dict[Configuration, float | None]
"""One limit, for all models or for each; null: no rule."""

Span = Annotated[
    Annotated[Range, Tag("(range)")] | Annotated[Derived, Tag("(word)")] | _Off,
    _told_apart("[low, high], auto, cohort, reference or null"),
]
Spans = Annotated[
    Annotated[Range, Tag("(range)")]
    | Annotated[Derived, Tag("(word)")]
    | _Off
    | Annotated[dict[Configuration, Span], Tag("(by model)")],
    _told_apart("[low, high], auto, cohort, reference or null, or one of them for each model"),
]
"""One range, for all models or for each; null: no rule."""

MOST_SERIES = 2000
"""Series, of a shard, up to which checks of every series are usable.

Dagster's view of a partitioned check reads its partitions one by one: about 6 s for 1,000 of them, minutes for 100,000.
"""

PLAUSIBLE_VOLUME_ML: dict[Organ, tuple[float, float]] = {
    "esophagus": (5.0, 120.0),
    "heart": (200.0, 1600.0),
    "trachea": (10.0, 120.0),
    "aorta": (40.0, 700.0),
}
"""Volumes in mL that a SegTHOR organ of an adult has. Nothing is published for volumes: these are wide ranges that this
project chose to catch fragments and leaks, and they hold until the cohort is large enough for fences of its own."""


class QualityControl(StrictModel):
    """Limits of the rules; outside them a check asks for review. An organ that is not named keeps its default."""

    dice_minimum: dict[Organ, ShareBound] = Field(
        default={
            "heart": {"2d": 0.78, "3d_lowres": 0.76, "3d_fullres": 0.78},
            "esophagus": {"2d": 0.55, "3d_lowres": 0.58, "3d_fullres": 0.60},
        },
        description="Smallest Dice against the expert; default: published 5th percentile of the model.",
    )
    hd95_maximum_mm: dict[Organ, PositiveBound] = Field(
        default={
            "heart": {"2d": 12.1, "3d_lowres": 13.0, "3d_fullres": 12.0},
            "esophagus": {"2d": 16.8, "3d_lowres": 17.2, "3d_fullres": 17.1},
        },
        description="Largest hd95_volumetric against the expert; default: published 95th percentile of the model.",
    )
    sphericity: dict[Organ, Spans] = Field(
        default=dict.fromkeys(ORGANS.values(), "auto"), description="Plausible sphericity: [low, high] or where from."
    )
    volume_ml: dict[Organ, Spans] = Field(
        default=dict.fromkeys(ORGANS.values(), "auto"), description="Plausible volume: [low, high] or where from."
    )
    voxels_minimum: dict[Organ, PositiveBound] = Field(
        default=dict.fromkeys(ORGANS.values(), 1.0), description="Fewest voxels of an organ that is not missing."
    )
    lung_extent_mm: Span = Field(
        default=(217.0, 328.0), description="Plausible distance lung_start to lung_end; default: NLST's range."
    )
    lung_end_difference_mm: dict[LungEnd, Positive | None] = Field(
        default={"lung_start": 33.6, "lung_end": 15.0},
        description="Largest distance to the end of the expert's lungs; default: published 95th percentile.",
    )
    largest_region: Region | None = Field(
        default="chest", description="Region that more slices belong to than to any other; null: no rule."
    )
    slope_ratio: Range | None = Field(
        default=(0.72, 1.28), description="Plausible slope of the slice scores over the expected one; default: bpreg's."
    )
    cohort_minimum: Annotated[int, Field(ge=10)] = Field(
        default=100, description="Fewest series from which a cohort's own fences are used where a range is auto."
    )
    series_checks: bool = Field(
        default=True, description="Whether every series has checks of its own; the UI shows up to 2,000 of a shard."
    )

    @field_validator(
        "dice_minimum", "hd95_maximum_mm", "sphericity", "volume_ml", "voxels_minimum", "lung_end_difference_mm",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _over_the_defaults(cls, value: Any, info: Any) -> Any:
        defaults = cls.model_fields[info.field_name].default
        return {**defaults, **value} if isinstance(value, dict) else value
