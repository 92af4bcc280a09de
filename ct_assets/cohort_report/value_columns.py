"""Which columns of a table hold values, and which metric or shape feature each of them is."""

from collections.abc import Iterable
from dataclasses import dataclass

from ct_assets.dicom.codes import feature_codes

Metric = tuple[str, str, float]
"""Metric of the QC table, its UCUM unit, and the factor from the column to that unit."""

_METRICS: dict[str, Metric] = {
    "dice": ("dice", "1", 1.0),
    "hausdorff": ("hausdorff", "mm", 1.0),
    "hd95_volumetric": ("hd95_volumetric", "mm", 1.0),
    "hd95_surface": ("hd95_surface", "mm", 1.0),
    "sphericity": ("sphericity", "1", 1.0),
    "volume": ("volume", "mL", 1.0),
    "voxels": ("voxels", "{voxels}", 1.0),
    # Names of the published segmentation_metrics_expert_vs_ai.csv.
    "dice_score": ("dice", "1", 1.0),
    "hausdorff_distance": ("hausdorff", "mm", 1.0),
    "hausdorff_distance_95": ("hd95_volumetric", "mm", 1.0),
}

_OF_FEATURES: dict[str, Metric] = {
    "Sphericity": ("sphericity", "1", 1.0),
    "VoxelVolume": ("volume", "mL", 0.001),
}
"""Shape features that rules judge."""


@dataclass(frozen=True)
class ValueColumn:
    """A column with values: of a shape feature, of a metric of the QC table, or of both."""

    name: str
    feature: str | None
    metric: Metric | None


def value_columns(names: Iterable[str]) -> list[ValueColumn]:
    """Return the columns that hold values.

    Parameters
    ----------
    names : iterable of str
        Columns of a table.

    Returns
    -------
    list of ValueColumn
        In the order of `names`. Where two columns are the same metric, as Sphericity and sphericity, the first counts.
    """
    found: list[ValueColumn] = []
    metrics: set[str] = set()
    for name in names:
        feature = name if name in feature_codes() else None
        metric = _OF_FEATURES.get(name) if feature else _METRICS.get(name)
        if metric and metric[0] in metrics:
            metric = None
        if metric:
            metrics.add(metric[0])
        if feature or metric:
            found.append(ValueColumn(name, feature, metric))
    return found
