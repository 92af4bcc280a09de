"""bpr_record.json: which model scored the slices, and what follows for the series."""

from pathlib import Path
from typing import Literal

from ct_assets.provenance import Provenance
from ct_assets.store.record import Record


class BodyPartRecord(Record):
    """Content of bpr_record.json.

    ``lung_extent_mm`` is the distance from lung_start to lung_end, none where one of them is not located; ``reason``
    says why nothing was located at all; ``slice_scores[k]`` is the cleaned score of slice k of ct.nii.gz (none where
    bpreg cut it off), ``slice_regions[k]`` names its regions.
    """

    schema_version: Literal[1] = 1
    series_instance_uid: str
    source_digest: str
    provenance: Provenance
    valid_z_spacing: bool | None
    reverse_z_ordering: bool | None
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
        If bpr_json has not been materialized, or its record is damaged.
    """
    return BodyPartRecord.read(path, "bpr_json")
