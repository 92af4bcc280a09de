"""organ_seg/<model>.json: which model made a label map, how, and what is in it."""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ct_assets.collection import Organ
from ct_assets.provenance import Provenance
from ct_assets.store.atomic import write_json


class OrganFinding(BaseModel):
    """One organ in a label map; ``box`` is its bounding box in voxels, first and last index of each axis."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: int
    voxels: int
    volume_ml: float
    box: tuple[tuple[int, int], tuple[int, int], tuple[int, int]] | None


class LabelMapRecord(BaseModel):
    """Content of organ_seg/<model>.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    series_instance_uid: str
    source_digest: str
    label_map_digest: str
    provenance: Provenance
    organs: dict[Organ, OrganFinding]
    seconds: float

    def write(self, path: Path) -> None:
        """Write the record atomically."""
        write_json(path, self.model_dump(mode="json"))


def read_label_map_record(path: Path) -> LabelMapRecord:
    """Read organ_seg/<model>.json.

    Raises
    ------
    FileNotFoundError
        If organ_seg has not been materialized.
    """
    if not path.is_file():
        message = f"{path} is missing; materialize organ_seg for this series first"
        raise FileNotFoundError(message)
    return LabelMapRecord.model_validate(json.loads(path.read_text(encoding="utf-8")))
