"""Random pairs of masks of many shapes, for comparison with other implementations."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Mask = npt.NDArray[np.bool_]

KINDS = ("overlapping", "several", "disjoint", "one voxel", "inside", "border", "scattered", "shell")
SIDE = 40


@dataclass(frozen=True)
class Pair:
    kind: str
    first: Mask
    second: Mask
    spacing_mm: tuple[float, float, float]


def random_pair(seed: int) -> Pair:
    """Each kind in turn, on a grid of 40 voxels a side or a little less, with a spacing of 0.6 to 3 mm per axis."""
    rng = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    shape = rng.integers(SIDE - 10, SIDE + 1, 3)
    low, high = 0.35 * shape, 0.65 * shape
    centre = rng.uniform(low, high)

    def blob(place: npt.NDArray[np.float64], radius: float) -> Mask:
        return _blob(rng, tuple(shape), place, radius)

    match kind:
        case "overlapping":
            pair = blob(centre, 10), blob(centre + rng.uniform(-3, 3, 3), 9)
        case "several":
            pair = (
                np.logical_or.reduce([blob(rng.uniform(5, shape - 5), 5) for _ in range(3)]),
                np.logical_or.reduce([blob(rng.uniform(5, shape - 5), 5) for _ in range(4)]),
            )
        case "disjoint":
            pair = blob(0.25 * shape, 5), blob(0.75 * shape, 6)
        case "one voxel":
            pair = np.zeros(shape, dtype=bool), blob(centre, 8)
            pair[0][tuple(rng.integers(0, shape))] = True
        case "inside":
            pair = blob(centre, 11), blob(centre, 4)
        case "border":
            pair = blob(np.array([1.0, shape[1] - 2, centre[2]]), 9), blob(np.array([3.0, shape[1] - 4, centre[2]]), 9)
        case "scattered":
            pair = rng.random(shape) < 0.002, rng.random(shape) < 0.002
        case _:
            ball = blob(centre, 11)
            pair = blob(centre, 4), ball & ~ndimage.binary_erosion(ball, iterations=2)
    spacing = tuple(float(step) for step in rng.uniform(0.6, 3, 3).round(3))
    return Pair(kind, *pair, spacing)


def _blob(rng: np.random.Generator, shape: tuple[int, ...], centre: npt.NDArray[np.float64], radius: float) -> Mask:
    """A bumpy ellipsoid; never empty, because its middle voxel is always in it."""
    offsets = np.indices(shape) - np.reshape(centre, (3, 1, 1, 1))
    radii = radius * rng.uniform(0.7, 1.2, 3).reshape(3, 1, 1, 1)
    noise = ndimage.gaussian_filter(rng.normal(size=shape), 2.5)
    mask = np.asarray(((offsets / radii) ** 2).sum(axis=0) < (1 + 0.15 * noise / noise.std()) ** 2)
    mask[tuple(centre.astype(int))] = True
    return mask
