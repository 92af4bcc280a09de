"""Which series of a collection are annotated: key `selection` of its YAML. Every threshold of the criteria is here."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from ct_assets.yaml_model import Range, StrictModel, expand

BIGQUERY_PREFIX = "bigquery://"
"""Prefix of a clinical table that is in BigQuery."""


class Clinical(StrictModel):
    """A clinical table that says which patients belong to the cohort."""

    table: str = Field(description="CSV or Parquet file, variables expanded, or bigquery://project.dataset.table.")
    patient_id: str = Field(description="Its column with the PatientID.")
    column: str = Field(description="Its column that decides.")
    values: tuple[bool | int | float | str, ...] = Field(min_length=1, description="Values of a patient in the cohort.")

    @property
    def location(self) -> str:
        """The table with its variables expanded."""
        return expand(self.table)


class _Common(StrictModel):
    slice_thickness_mm: Range | None = Field(
        default=None, description="Smallest and largest slice thickness in mm, both allowed; none: any."
    )
    one_series_per_study: bool = Field(default=False, description="Keep one series of each study.")
    clinical: Clinical | None = Field(default=None, description="Keep the patients that a clinical table names.")


class StrictSelection(_Common):
    """The default: geometry along the slice normal, with the tolerances of highdicom and IDC's geometry index."""

    profile: Literal["strict"] = "strict"
    minimum_slices: int = Field(default=20, ge=2, description="Fewest slices of a fit series.")
    spacing_tolerance: float = Field(
        default=0.01, gt=0, lt=0.5, description="Largest relative deviation of a slice gap from the mean gap."
    )
    lateral_shift_mm: float = Field(
        default=0.1, gt=0, description="Largest sideways shift between slices, along rows or along columns."
    )
    same_position_mm: float = Field(
        default=1e-3, gt=0, description="Two slices that lie nearer to each other are in one place."
    )
    orientation_tolerance: float = Field(
        default=1e-4, gt=0, description="Largest difference of a direction cosine within a series."
    )
    orthogonality_tolerance: float = Field(
        default=0.01, gt=0, description="Largest deviation of the cross product of row and column from length 1."
    )
    pixel_spacing_tolerance_mm: float = Field(
        default=1e-4, gt=0, description="Largest difference of a pixel spacing within a series."
    )
    maximum_obliquity_degrees: float = Field(
        default=30.0, gt=0, le=90, description="Largest angle between the slice normal and the body axis."
    )


class PublishedSelection(_Common):
    """The published query to the letter, defects included, except that one series per study is deterministic."""

    profile: Literal["published"]
    minimum_slices: int | None = Field(default=None, ge=1, description="Fewest slices; none: any number.")
    near_axial: bool = Field(default=False, description="Ask for rows and columns that run mainly along x and y.")
    position_decimals: int = Field(default=1, ge=0, le=1, description="Decimals that z is truncated to, in mm.")
    maximum_distinct_gaps: int = Field(default=2, ge=1, description="Most distinct differences of truncated z.")
    maximum_gap_ratio: float = Field(default=2.0, gt=1, description="Largest by smallest difference must be below.")


def _profile(value: Any) -> str:
    profile = value.get("profile", "strict") if isinstance(value, dict) else getattr(value, "profile", "strict")
    return str(profile)


Selection = Annotated[
    Annotated[StrictSelection, Tag("strict")] | Annotated[PublishedSelection, Tag("published")],
    Discriminator(
        _profile, custom_error_type="profile", custom_error_message="its profile must be 'strict' or 'published'"
    ),
]
"""Selection by one of two profiles; without `profile` it is strict."""
