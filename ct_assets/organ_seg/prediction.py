"""What a loaded model answers: a label map, how it was made, and how long each stage took."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Prediction:
    """Answer of a segmentation model.

    Parameters
    ----------
    labels : ndarray of uint8, shape (columns, rows, slices)
        Label map on the grid of the CT.
    weights_digest : str
        Stands for the model.
    folds : tuple of int
        Folds that were averaged.
    mixed_precision : bool
        Whether half precision was used.
    software : str
        Names and versions.
    seconds : dict
        By stage.
    remark : str, optional
        What was odd about the CT.
    """

    labels: npt.NDArray[np.uint8]
    weights_digest: str
    folds: tuple[int, ...]
    mixed_precision: bool
    software: str
    seconds: dict[str, float]
    remark: str | None = None
