"""Shape features of the organs of a label map, by pyradiomics."""

import contextlib
import importlib.metadata
import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ct_assets.dicom.codes import feature_codes
from ct_assets.organs import Organ
from ct_assets.store.tables import SHAPE_FEATURES

logger = logging.getLogger(__name__)

_MINIMUM_DIMENSIONS = 3

ORGAN_MISSING = "no voxel has this label"
"""Reason of the null values of an organ that was not found."""


@dataclass(frozen=True)
class OrganMask:
    """Voxels of an organ, shape (columns, rows, slices), its label, and what identifies the segmentation it is from."""

    label: int
    mask: npt.NDArray[np.bool_]
    segmentation: str


def measure_organs(
    masks: Mapping[Organ, OrganMask],
    affine: npt.NDArray[np.float64],
    *,
    series_instance_uid: str,
    model: str,
    weights_digest: str | None,
) -> pd.DataFrame:
    """Measure the 14 shape features of every organ.

    Parameters
    ----------
    masks : mapping of organ to OrganMask
        What to measure.
    affine : ndarray of shape (4, 4)
        Index to RAS, mm.
    series_instance_uid : str
        The CT series.
    model : str
        Who segmented: a configuration, or expert.
    weights_digest : str, optional
        Digest of the model's weights.

    Returns
    -------
    DataFrame
        Columns of `SHAPE_FEATURES`: one row per organ and feature; null with a reason where it cannot be measured.
    """
    software = f"pyradiomics {importlib.metadata.version('pyradiomics')}"
    rows = []
    for organ, drawn in masks.items():
        values, reason = _measure(drawn.mask, affine)
        for name, code in feature_codes().items():
            rows.append(
                {
                    "SeriesInstanceUID": series_instance_uid,
                    "model": model,
                    "label": drawn.label,
                    "organ": organ,
                    "feature": name,
                    "value": values.get(name, np.nan),
                    "unit": code.unit.value,
                    "code": code.quantity.value,
                    "reason": reason,
                    "segmentation": drawn.segmentation,
                    "weights_digest": weights_digest,
                    "software": software,
                }
            )
    return pd.DataFrame(rows, columns=list(SHAPE_FEATURES.columns))


def _measure(mask: npt.NDArray[np.bool_], affine: npt.NDArray[np.float64]) -> tuple[dict[str, float], str | None]:
    """Return the features of one mask, or the reason why there are none."""
    if not mask.any():
        return {}, ORGAN_MISSING
    import SimpleITK

    with _quiet():
        from radiomics.shape import RadiomicsShape

        box = tuple(slice(low, high + 1) for low, high in _bounds(mask))
        extents = [part.stop - part.start for part in box]
        if sum(extent > 1 for extent in extents) < _MINIMUM_DIMENSIONS:
            return {}, f"organ is flat ({' x '.join(map(str, extents))} voxels), shape needs three dimensions"
        # Shape depends on voxel size alone, not on where the mask lies; a rim of one voxel keeps the mesh closed.
        image = SimpleITK.GetImageFromArray(np.pad(mask[box], 1).transpose(2, 1, 0).astype(np.uint8))
        image.SetSpacing([float(np.linalg.norm(affine[:3, axis])) for axis in range(3)])
        shape = RadiomicsShape(image, image, label=1)
        for name in feature_codes():
            shape.enableFeatureByName(name)
        result = shape.execute()
    return {name: float(result[name]) for name in feature_codes()}, None


def _bounds(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    bounds = []
    for axis in range(3):
        hit = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        bounds.append((int(hit[0]), int(hit[-1])))
    return bounds


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide pyradiomics' notes on deprecated features, three of which the paper's table has."""
    import radiomics

    radiomics.setVerbosity(logging.CRITICAL)
    radiomics.logger.setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
