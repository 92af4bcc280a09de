"""What a loaded body part regression model answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Prediction:
    """Answer of a model for one volume.

    ``result`` has the keys of bpreg's JSON; it is none where body part regression cannot take the volume, and
    ``reason`` says why.
    """

    result: dict[str, Any] | None
    reason: str | None
    weights_digest: str
    software: str


Predict = Callable[[npt.NDArray[Any], npt.NDArray[np.float64]], Prediction]
"""A loaded model: CT in HU, shape (columns, rows, slices), and affine in; `BpregModel.__call__`."""
