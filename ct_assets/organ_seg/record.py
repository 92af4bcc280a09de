"""organ_seg/<model>.json: which model made a label map, how, and what is in it."""

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.ct_nifti.volume import load_label_map
from ct_assets.organs import Organ
from ct_assets.provenance import Provenance
from ct_assets.store.digest import file_digest
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.record import Record


class OrganFinding(BaseModel):
    """One organ in a label map; ``box`` is its bounding box in voxels, first and last index of each axis."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: int
    voxels: int
    volume_ml: float
    box: tuple[tuple[int, int], tuple[int, int], tuple[int, int]] | None


class LabelMapRecord(Record):
    """Content of organ_seg/<model>.json; `stages` divides `seconds`, `remark` says what was odd about the CT."""

    schema_version: Literal[1] = 1
    series_instance_uid: str
    source_digest: str
    label_map_digest: str
    provenance: Provenance
    organs: dict[Organ, OrganFinding]
    seconds: float
    stages: dict[str, float] = Field(default_factory=dict)
    remark: str | None = None


class StaleLabelMapError(ValueError):
    """A label map that was made from other files, or is not the one that its record describes."""


def read_label_map(folder: SeriesFolder, model: str) -> tuple[npt.NDArray[np.uint8], LabelMapRecord]:
    """Read a label map with its record, after checking that both belong to the CT as it is now.

    Parameters
    ----------
    folder : SeriesFolder
        The series.
    model : str
        Model that made the label map.

    Returns
    -------
    labels : ndarray of uint8, shape (columns, rows, slices)
        Labels on the grid of ct.nii.gz.
    record : LabelMapRecord
        What is known of it.

    Raises
    ------
    FileNotFoundError, RecordError
        If organ_seg has not been materialized, or its record is damaged.
    StaleLabelMapError
        If the CT, the label map and its record do not belong together.
    """
    record = read_label_map_record(folder.label_map_record(model))
    path = folder.label_map(model)
    same_source = record.source_digest == read_ct_record(folder.ct_record).source_digest
    if not same_source or record.label_map_digest != file_digest(path):
        message = f"{path} does not belong to the CT or to its record as they are now; materialize organ_seg again"
        raise StaleLabelMapError(message)
    return load_label_map(path), record


def read_label_map_record(path: Path) -> LabelMapRecord:
    """Read organ_seg/<model>.json.

    Raises
    ------
    FileNotFoundError, RecordError
        If organ_seg has not been materialized, or its record is damaged.
    """
    return LabelMapRecord.read(path, "organ_seg")
