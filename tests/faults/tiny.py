"""Tiny chests: a phantom thinned to 30 slices of 42 by 42 pixels, any number of patients of it."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from ct_assets.demo.collection import CASES, DEFAULT_SEED, case_phantom
from ct_assets.demo.dicom_writer import Identity, Plane, write_series
from ct_assets.demo.phantom import Phantom

_PLANES, _PIXELS = 3, 4


@lru_cache(maxsize=1)
def _phantom() -> Phantom:
    return case_phantom(CASES[0])


def write_tiny(folder: Path, patient: int, *, constant: int | None = None) -> None:
    """Write the CT of a patient; `constant`: one HU everywhere, under a header like the others'."""
    phantom = _phantom()
    hu = phantom.hu[::_PLANES, ::_PIXELS, ::_PIXELS]
    if constant is not None:
        hu = np.full_like(hu, constant)
    x, y, _ = phantom.grid.origin
    step, row, column = phantom.spacing
    planes = [
        Plane(image, (x, y, float(z)), (1, 0, 0, 0, 1, 0), (row * _PIXELS, column * _PIXELS), step * _PLANES)
        for image, z in zip(hu, phantom.grid.z[::_PLANES], strict=True)
    ]
    identity = Identity(f"TINY-{patient:03d}", patient, DEFAULT_SEED)
    write_series(folder, identity, planes, description="Tiny chest", numbers=list(range(1, len(planes) + 1)))
