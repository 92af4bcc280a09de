"""Surface distances against MONAI, and all distances against every pair of voxels.

MONAI's `compute_hausdorff_distance` takes the surface voxels of both masks (those that an erosion by the face
neighbours removes), the distances from each to the nearest of the other, their percentile per direction with linear
interpolation, and the larger of the two.
"""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance
from scipy import ndimage
from scipy.spatial.distance import cdist

from ct_assets.qc_report.distance import directed_distances
from ct_assets.qc_report.metrics import compare_masks
from tests.qc_report.mask_pairs import Mask, Pair, random_pair

SINGLE = 1e-4
"""MONAI works in single precision, with distances of up to 150 mm here."""


def tensors(pair: Pair) -> tuple[torch.Tensor, torch.Tensor]:
    first, second = (torch.from_numpy(mask[None, None].astype(np.uint8)) for mask in (pair.first, pair.second))
    return first, second


@pytest.mark.parametrize("seed", range(40))
def test_hd95_surface_is_monai(seed: int) -> None:
    pair = random_pair(seed)
    expected = compute_hausdorff_distance(
        *tensors(pair), include_background=True, percentile=95, spacing=pair.spacing_mm
    )
    found = compare_masks(pair.first, pair.second, pair.spacing_mm)
    assert found is not None
    assert found.hd95_surface == pytest.approx(float(expected), abs=SINGLE)


@pytest.mark.parametrize("seed", range(16))
def test_surface_distances_are_monais(seed: int) -> None:
    pair = random_pair(seed)
    forward, backward = directed_distances(pair.first, pair.second, pair.spacing_mm, (0, 0))
    settings = {"include_background": True, "spacing": pair.spacing_mm}
    mean = compute_average_surface_distance(*tensors(pair), symmetric=True, **settings)
    every = np.concatenate([forward.surface, backward.surface])
    assert every.mean() == pytest.approx(float(mean), abs=SINGLE)
    longest = compute_hausdorff_distance(*tensors(pair), **settings)
    assert every.max() == pytest.approx(float(longest), abs=SINGLE)


@pytest.mark.parametrize("seed", range(40))
def test_against_every_pair_of_voxels(seed: int) -> None:
    """The definitions word by word: no box, no neighbourhood, no tree."""
    pair = random_pair(seed)
    comparison = compare_masks(pair.first, pair.second, pair.spacing_mm)
    assert comparison is not None
    forward, backward = both_ways(pair.first, pair.second, pair.spacing_mm)
    exactly = {"rel": 0, "abs": 1e-9}
    assert comparison.hausdorff == pytest.approx(max(forward[-1], backward[-1]), **exactly)
    ordinals = [values[max(95 * len(values) // 100 - 1, 0)] for values in (forward, backward)]
    assert comparison.hd95_volumetric == pytest.approx(np.mean(ordinals), **exactly)
    surfaces = [mask & ~ndimage.binary_erosion(mask) for mask in (pair.first, pair.second)]
    percentiles = [np.percentile(values, 95) for values in both_ways(*surfaces, pair.spacing_mm)]
    assert comparison.hd95_surface == pytest.approx(max(percentiles), **exactly)
    overlap = 2 * np.sum(pair.first & pair.second) / (np.sum(pair.first) + np.sum(pair.second))
    assert comparison.dice == pytest.approx(overlap, **exactly)


def both_ways(first: Mask, second: Mask, spacing_mm: tuple[float, float, float]) -> list[npt.NDArray[np.float64]]:
    """Sorted distances of all voxels of one mask to the nearest of the other, and the other way."""
    places = [np.argwhere(mask) * spacing_mm for mask in (first, second)]
    pairs = cdist(*places)
    return [np.sort(pairs.min(axis=1)), np.sort(pairs.min(axis=0))]
