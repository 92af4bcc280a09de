"""bpr.json: the file that bpreg writes, with the same keys, also for a volume that it cannot take."""

import json
import math
from pathlib import Path
from typing import Any

from ct_assets.bpr_json.prediction import Prediction
from ct_assets.dicom.codes import region_codes
from ct_assets.store.atomic import write_text

BPR_JSON_VERSION = 1
"""schema_version that is added to bpreg's keys."""


def write_bpr_json(prediction: Prediction, slices: int, path: Path) -> None:
    """Write bpr.json atomically.

    It keeps bpreg's NaN literals, which are not strict JSON, so that bpreg's own helpers read it.

    Parameters
    ----------
    prediction : Prediction
        What the model says.
    slices : int
        Slices of ct.nii.gz.
    path : Path
        File to write.
    """
    content = {"schema_version": BPR_JSON_VERSION, **(prediction.result or _rejected(str(prediction.reason), slices))}
    write_text(path, json.dumps(content, indent=1) + "\n")


def _rejected(reason: str, slices: int) -> dict[str, Any]:
    """Return bpreg's keys with nothing in them, so that a reader finds no score instead of no key."""
    numbers = ("reverse z-ordering", "valid z-spacing", "expected slope", "observed slope", "slope ratio")
    return {
        "cleaned slice scores": [math.nan] * slices,
        "z": [math.nan] * slices,
        "unprocessed slice scores": [math.nan] * slices,
        "body part examined": {name: [] for name in region_codes()},
        "body part examined tag": "NONE",
        "look-up table": {},
        **dict.fromkeys((*numbers, "expected z-spacing", "z-spacing"), math.nan),
        "settings": {},
        "reason": reason,
    }
