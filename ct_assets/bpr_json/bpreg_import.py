"""Import bpreg 1.1.0 beside today's numpy and albumentations."""

import sys
import types
from typing import Any

import numpy as np


def import_inference_model() -> Any:
    """Import `bpreg.inference.inference_model`.

    bpreg asks for two names that have gone since 2021 and that inference never uses: `numpy.lib.arraysetops.isin`
    (numpy 2) and `albumentations.Flip` (albumentations 2; an augmentation that its training settings list).

    Returns
    -------
    module
        Its `InferenceModel` and `load_model` are what we use.
    """
    import albumentations

    if "numpy.lib.arraysetops" not in sys.modules:
        stand_in = types.ModuleType("numpy.lib.arraysetops")
        stand_in.isin = np.isin  # type: ignore[attr-defined]
        sys.modules["numpy.lib.arraysetops"] = stand_in
    if not hasattr(albumentations, "Flip"):
        albumentations.Flip = albumentations.HorizontalFlip
    from bpreg.inference import inference_model

    return inference_model
