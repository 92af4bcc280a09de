"""The table of shape features of one segmentation of a series."""

import importlib.metadata
import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from ct_assets.collection import ShapeEngine
from ct_assets.dicom.codes import feature_codes
from ct_assets.shape_features.features import measure_shape
from ct_assets.shape_features.organ_mask import OrganMask
from ct_assets.shape_features.pyradiomics_engine import measure_by_pyradiomics
from ct_assets.store.tables import SHAPE_FEATURES

NO_VOLUME = "the mesh of the organ encloses no volume"
"""Reason of the null values of what is divided by the volume of a few voxels that touch only by edges."""

_ENGINES = {"fast": ("ct-assets", measure_shape), "pyradiomics": ("pyradiomics", measure_by_pyradiomics)}


def measure_organs(
    organs: Iterable[OrganMask],
    affine: npt.NDArray[np.float64],
    *,
    series_instance_uid: str,
    model: str,
    weights_digest: str | None,
    engine: ShapeEngine = "fast",
) -> pd.DataFrame:
    """Measure the 14 shape features of every organ.

    Parameters
    ----------
    organs : iterable of OrganMask
        What to measure.
    affine : ndarray of shape (4, 4)
        Index to RAS, mm. Shape depends on the voxel size alone, not on how the image lies.
    series_instance_uid : str
        The CT series.
    model : str
        Who segmented: a configuration, or expert.
    weights_digest : str, optional
        Digest of the model's weights.
    engine : str
        fast or pyradiomics.

    Returns
    -------
    DataFrame
        Columns of `SHAPE_FEATURES`: one row per organ and feature; null with a reason where it cannot be measured.
    """
    columns, rows, slices = (float(length) for length in np.linalg.norm(affine[:3, :3], axis=0))
    name, measure = _ENGINES[engine]
    table = []
    for organ in organs:
        refusal = organ.refusal
        values = {} if refusal else measure(organ.voxels, (columns, rows, slices))
        about = {
            "SeriesInstanceUID": series_instance_uid,
            "model": model,
            "label": organ.label,
            "organ": organ.organ,
            "components": organ.components,
            "at_border": list(organ.at_border),
            "segmentation": organ.segmentation,
            "weights_digest": weights_digest,
            "software": f"{name} {importlib.metadata.version(name)}",
        }
        for feature, code in feature_codes().items():
            value = values.get(feature, math.nan)
            why = refusal or (NO_VOLUME if math.isnan(value) else None)
            coded = {"feature": feature, "value": value, "unit": code.unit.value, "code": code.quantity.value}
            table.append({**about, **coded, "reason": why})
    return pd.DataFrame(table, columns=list(SHAPE_FEATURES.columns))


def engines(features: pd.DataFrame) -> set[str]:
    """Return the engines that measured a table of shape features; an unknown one by its own name.

    Parameters
    ----------
    features : DataFrame
        Rows of `SHAPE_FEATURES`.
    """
    by_name = {name: engine for engine, (name, _) in _ENGINES.items()}
    names = {str(software).rpartition(" ")[0] for software in features["software"].unique()}
    return {by_name.get(name, name) for name in names}
