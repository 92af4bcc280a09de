"""bpr_record.json: which model scored the slices, and what follows for the series."""

from pathlib import Path
from typing import Literal

from ct_assets.provenance import Provenance
from ct_assets.store.record import Record

Rule = Literal["corrected", "published"]
"""How landmarks are located: `ct_assets.bpr_json.landmarks` or `ct_assets.bpr_json.published_landmarks`."""


class BodyPartRecord(Record):
    """Content of bpr_record.json.

    ``body_part_examined`` is bpreg's tag, such as CHEST-ABDOMEN; ``slope_ratio`` is the slope of the score curve
    divided by the expected one, by which ``valid_z_spacing`` is judged; ``expected_z_spacing_mm`` is the spacing that
    would explain it, negative where the scores run against the geometry. ``lung_extent_mm`` is the distance from
    lung_start to lung_end, none where one of them is not located; ``slice_scores[k]`` is the cleaned score of slice k
    of ct.nii.gz (none where bpreg cut it off), ``slice_regions[k]`` names its regions; ``reason`` says why there is
    nothing at all.
    """

    schema_version: Literal[2] = 2
    series_instance_uid: str
    source_digest: str
    provenance: Provenance
    landmark_rule: Rule
    body_part_examined: str | None
    valid_z_spacing: bool | None
    reverse_z_ordering: bool | None
    slope_ratio: float | None
    expected_z_spacing_mm: float | None
    lung_extent_mm: float | None
    slice_scores: tuple[float | None, ...]
    slice_regions: tuple[tuple[str, ...], ...]
    reason: str | None
    seconds: float


def read_body_part_record(path: Path) -> BodyPartRecord:
    """Read bpr_record.json.

    Raises
    ------
    FileNotFoundError, RecordError
        If bpr_json has not been materialized, or its record is damaged or of an earlier version.
    """
    return BodyPartRecord.read(path, "bpr_json")
