"""postprocessing.json of nnU-Net v1: of some organs only the largest connected component is kept."""

import ast
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ct_assets.organ_seg.label_counts import count_labels
from ct_assets.provenance import ModelFormatError

FILE = "postprocessing.json"
"""Name of the file beside the folds."""

Label = int | tuple[int, ...]
"""A label, or several that are looked at as one."""


class Postprocessing(BaseModel):
    """What is removed from a label map.

    `labels` are looked at one after the other; None: all that are there. `smallest_mm3`, by label, keeps smaller
    components too, if they have at least that volume.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    labels: tuple[Label, ...] | None = Field(alias="for_which_classes")
    smallest_mm3: dict[Label, float] | None = Field(default=None, alias="min_valid_object_sizes")

    @model_validator(mode="after")
    def _sizes_of_all(self) -> "Postprocessing":
        if self.smallest_mm3 is not None and not set(self.labels or ()) <= set(self.smallest_mm3):
            message = "min_valid_object_sizes has not all of for_which_classes"
            raise ValueError(message)
        return self

    @field_validator("smallest_mm3", mode="before")
    @classmethod
    def _literal(cls, value: Any) -> Any:
        """Read what nnU-Net writes: Python's notation in a string."""
        return ast.literal_eval(value) if isinstance(value, str) else value


def read_postprocessing(folder: Path) -> Postprocessing | None:
    """Read postprocessing.json, if a model has one.

    Parameters
    ----------
    folder : Path
        Folder of the trainer.

    Raises
    ------
    ModelFormatError
        If it is not what nnU-Net v1 writes.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return Postprocessing.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        message = f"{path}: is not a postprocessing.json of nnU-Net v1 ({str(error).splitlines()[0]})"
        raise ModelFormatError(message) from error


def postprocess(labels: npt.NDArray[np.uint8], spacing_mm: tuple[float, ...], what: Postprocessing) -> None:
    """Remove components from a label map, in place.

    Parameters
    ----------
    labels : ndarray of uint8, shape (slices, rows, columns)
        Label map.
    spacing_mm : tuple of float
        Voxel size.
    what : Postprocessing
        What the model asks for.
    """
    voxel_mm3 = float(np.prod(spacing_mm, dtype=np.float64))
    chosen = what.labels
    if chosen is None:
        chosen = tuple(int(label) for label in np.flatnonzero(count_labels(labels)) if label)
    for label in chosen:
        smallest = None if what.smallest_mm3 is None else what.smallest_mm3.get(label, np.inf)
        _keep_largest(labels, label, voxel_mm3, smallest)


def _keep_largest(labels: npt.NDArray[np.uint8], label: Label, voxel_mm3: float, smallest_mm3: float | None) -> None:
    from scipy.ndimage import find_objects
    from scipy.ndimage import label as components_of

    mask = labels == label if isinstance(label, int) else np.isin(labels, label)
    boxes = find_objects(mask.view(np.uint8))
    if not boxes:
        return
    box = boxes[0]
    components, count = components_of(mask[box])
    if count == 1:
        return
    sizes = np.bincount(components.ravel(), minlength=count + 1) * voxel_mm3
    sizes[0] = np.inf
    removed = sizes != sizes[1:].max()  # several of the same largest size are all kept, as in nnU-Net
    if smallest_mm3 is not None:
        removed &= sizes < smallest_mm3
    removed[0] = False
    labels[box][removed[components]] = 0
