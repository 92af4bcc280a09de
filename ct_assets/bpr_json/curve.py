"""The score curve of a series: what bpreg says of its scores, laid onto the slices of ct.nii.gz."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ct_assets.bpr_json.orientation import BpregOrientation
from ct_assets.dicom.codes import landmark_codes, region_codes


@dataclass(frozen=True)
class ScoreCurve:
    """Scores and regions by slice of ct.nii.gz.

    ``scores`` are cleaned, NaN where bpreg cut them off; ``heights_mm`` is the position along the slice axis, larger
    towards the head; ``regions[k]`` names the regions of slice k; ``lookup`` has the look-up value of each of our
    landmarks that the model knows.
    """

    scores: npt.NDArray[np.float64]
    heights_mm: npt.NDArray[np.float64]
    regions: tuple[tuple[str, ...], ...]
    lookup: dict[str, float]


def score_curve(result: dict[str, Any], slices: int, affine: npt.NDArray[np.float64]) -> ScoreCurve | None:
    """Lay bpreg's JSON onto the slices of ct.nii.gz.

    Parameters
    ----------
    result : dict
        bpreg's JSON.
    slices : int
        Slices of ct.nii.gz.
    affine : ndarray of shape (4, 4)
        Its index to RAS in mm.

    Returns
    -------
    ScoreCurve or None
        None where the slices of the series are not the slices that were scored, because they are not axial.
    """
    orientation = BpregOrientation.of(affine)
    if not orientation.axial:
        return None
    to_slice = orientation.slices_of_scores(slices)
    scores = np.full(slices, np.nan)
    scores[to_slice] = np.asarray(result["cleaned slice scores"], dtype=np.float64)
    regions: list[list[str]] = [[] for _ in range(slices)]
    for name in region_codes():
        for index in result["body part examined"].get(name, []):
            regions[int(to_slice[int(index)])].append(name)
    table = result["look-up table"]
    return ScoreCurve(
        scores,
        slice_heights(slices, affine),
        tuple(tuple(names) for names in regions),
        {name: float(table[name]["mean"]) for name in landmark_codes() if name in table},
    )


def slice_heights(slices: int, affine: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the position of each slice along the slice axis in mm, larger towards the head, shape (slices,).

    Parameters
    ----------
    slices : int
        Slices of the volume.
    affine : ndarray of shape (4, 4)
        Index to RAS in mm.
    """
    axis = affine[:3, 2] / np.linalg.norm(affine[:3, 2])
    axis = axis if axis[2] > 0 else -axis
    origins = affine[:3, 3] + np.arange(slices)[:, None] * affine[:3, 2]
    return np.asarray(origins @ axis)
