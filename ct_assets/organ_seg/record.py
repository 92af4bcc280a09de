"""organ_seg/<model>.json: which model made a label map, how, and what is in it."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ct_assets.collection import Organ
from ct_assets.provenance import Provenance
from ct_assets.store.record import Record


class OrganFinding(BaseModel):
    """One organ in a label map; ``box`` is its bounding box in voxels, first and last index of each axis."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: int
    voxels: int
    volume_ml: float
    box: tuple[tuple[int, int], tuple[int, int], tuple[int, int]] | None


class LabelMapRecord(Record):
    """Content of organ_seg/<model>.json."""

    schema_version: Literal[1] = 1
    series_instance_uid: str
    source_digest: str
    label_map_digest: str
    provenance: Provenance
    organs: dict[Organ, OrganFinding]
    seconds: float


def read_label_map_record(path: Path) -> LabelMapRecord:
    """Read organ_seg/<model>.json.

    Raises
    ------
    FileNotFoundError, RecordError
        If organ_seg has not been materialized, or its record is damaged.
    """
    return LabelMapRecord.read(path, "organ_seg")
