"""Metrics against analytic truth."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.distance import cdist

from ct_assets.qc_report.metrics import MaskComparison, compare_masks

SPACING = (0.7, 1.3, 2.5)
UNIT = (1.0, 1.0, 1.0)


def compared(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_], spacing: tuple[float, ...]) -> MaskComparison:
    found = compare_masks(first, second, spacing)
    assert found is not None
    return found


def cube(*start: int, size: int = 10, shape: tuple[int, int, int] = (40, 40, 40)) -> npt.NDArray[np.bool_]:
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(first, first + size) for first in start)] = True
    return mask


def sphere(radius: float, *, centre: float = 24.0, side: int = 49) -> npt.NDArray[np.bool_]:
    return np.asarray(((np.indices((side,) * 3) - centre) ** 2).sum(axis=0) <= radius**2)


def test_equal_masks() -> None:
    comparison = compare_masks(cube(5, 5, 5), cube(5, 5, 5), SPACING)
    assert comparison is not None
    assert (comparison.dice, comparison.hausdorff) == (1.0, 0.0)
    assert (comparison.hd95_volumetric, comparison.hd95_surface) == (0.0, 0.0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_shifted_cube(axis: int) -> None:
    start = [8, 8, 8]
    start[axis] += 4
    comparison = compare_masks(cube(8, 8, 8), cube(*start), SPACING)
    assert comparison is not None
    assert comparison.dice == pytest.approx(0.6)
    assert comparison.hausdorff == pytest.approx(4 * SPACING[axis])
    # 40 % of the voxels are outside, in four equal layers at 1 to 4 voxels: the 95th percentile is in the outermost.
    assert comparison.hd95_volumetric == pytest.approx(4 * SPACING[axis])


def test_cubes_apart_have_no_overlap() -> None:
    comparison = compare_masks(cube(0, 0, 0), cube(30, 30, 30), SPACING)
    assert comparison is not None
    assert comparison.dice == 0.0
    # The corner of each cube that is furthest from the other: 30 voxels away along every axis.
    assert comparison.hausdorff == pytest.approx(float(np.linalg.norm(np.multiply(30, SPACING))))


def test_one_voxel_each() -> None:
    first, second = np.zeros((2, 9, 9, 9), dtype=bool)
    first[1, 2, 3] = second[4, 6, 5] = True
    comparison = compare_masks(first, second, SPACING)
    distance = float(np.linalg.norm(np.multiply((3, 4, 2), SPACING)))
    assert comparison is not None
    assert comparison.hausdorff == pytest.approx(distance)
    assert comparison.hd95_volumetric == pytest.approx(distance)
    assert comparison.hd95_surface == pytest.approx(distance)


def test_concentric_spheres() -> None:
    comparison = compare_masks(sphere(10), sphere(20), UNIT)
    assert comparison is not None
    assert comparison.hausdorff == pytest.approx(10, abs=0.8)
    assert comparison.hd95_surface == pytest.approx(10, abs=0.8)
    assert comparison.dice == pytest.approx(2 * 10**3 / (10**3 + 20**3), rel=0.03)
    # Inside to outside is 0; outside to inside, 95 % of the volume lie within 20 * 0.95 ** (1 / 3).
    assert comparison.hd95_volumetric == pytest.approx((20 * 0.95 ** (1 / 3) - 10) / 2, abs=0.4)


def test_volumetric_is_zero_where_few_voxels_stick_out() -> None:
    first = cube(5, 5, 5)
    second = first.copy()
    second[25, 5, 5] = True
    assert compared(first, second, UNIT).hd95_volumetric == 0.0
    assert compared(first, second, UNIT).hausdorff == 11.0


def test_volumetric_ordinal() -> None:
    """Twenty distances 1 to 20 on a line: index floor(0.95 * 20) - 1 = 18, which is 19; the other way 0."""
    first, second = np.zeros((2, 21, 1, 1), dtype=bool)
    first[0] = True
    second[1:] = True
    assert compared(first, second, UNIT).hd95_volumetric == (1 + 19) / 2


@pytest.mark.parametrize("seed", range(8))
def test_random_masks_against_all_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.random((2, 9, 8, 7)) < rng.uniform(0.02, 0.4)
    pairs = cdist(np.argwhere(first) * SPACING, np.argwhere(second) * SPACING)
    forward, backward = np.sort(pairs.min(axis=1)), np.sort(pairs.min(axis=0))
    expected = np.mean(
        [values[max(int(np.floor(round(0.95 * len(values), 6))) - 1, 0)] for values in (forward, backward)]
    )
    assert compared(first, second, SPACING).hausdorff == pytest.approx(max(forward[-1], backward[-1]))
    assert compared(first, second, SPACING).hd95_volumetric == pytest.approx(expected)


def test_surface_reaches_the_edge_of_the_grid() -> None:
    """A mask that fills the grid has the grid's faces as its surface."""
    full = np.ones((11, 11, 11), dtype=bool)
    centre = np.zeros_like(full)
    centre[5, 5, 5] = True
    assert compared(full, centre, UNIT).hd95_surface == pytest.approx(np.sqrt(75), abs=1.6)
    assert compared(full, full, UNIT).hd95_surface == 0.0


def test_farthest_voxel_may_lie_below_the_surface() -> None:
    """The middle of a ball is farther from a hollow sphere around it than the ball's surface is."""
    hollow = sphere(20) & ~sphere(18)
    comparison = compare_masks(sphere(12), hollow, UNIT)
    assert comparison is not None
    # The hollow sphere begins just beyond 18 voxels from the middle; it ends 20 - 12 from the ball.
    assert comparison.hausdorff == pytest.approx(18, abs=0.5)
    assert comparison.hd95_surface == pytest.approx(8, abs=1)


def test_a_hole_is_a_surface() -> None:
    """Volumetric distances do not see how deep a mask lies in the other; surface distances do."""
    whole = cube(5, 5, 5, size=21)
    hole = whole.copy()
    hole[15, 15, 15] = False
    assert compared(hole, whole, SPACING).hausdorff == min(SPACING)
    assert compared(hole, whole, SPACING).hd95_volumetric == 0.0
    assert compared(hole, whole, SPACING).hd95_surface == 0.0


@pytest.mark.parametrize("corner", [0, 30])
def test_masks_that_touch_the_border(corner: int) -> None:
    first, second = cube(corner, corner, corner), cube(10, corner, corner)
    comparison = compare_masks(first, second, SPACING)
    assert comparison is not None
    steps = abs(corner - 10)
    assert comparison.hausdorff == pytest.approx(steps * SPACING[0])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("step", [1, -1])
def test_memory_layout_changes_nothing(order: str, step: int) -> None:
    first, second = cube(2, 2, 2), cube(4, 5, 3, size=7)
    laid_out = [np.array(mask[::step], order=order)[::step] for mask in (first, second)]
    assert compare_masks(*laid_out, SPACING) == compare_masks(first, second, SPACING)


def test_place_in_the_grid_changes_nothing() -> None:
    first, second = cube(2, 2, 2), cube(4, 5, 3, size=7)
    shifted = [np.roll(mask, (20, 18, 21), axis=(0, 1, 2)) for mask in (first, second)]
    assert compare_masks(first, second, SPACING) == compare_masks(shifted[0], shifted[1], SPACING)


def test_symmetry() -> None:
    first, second = cube(2, 2, 2), cube(4, 5, 3, size=7)
    assert compare_masks(first, second, SPACING) == compare_masks(second, first, SPACING)


def test_empty_masks_have_no_distance() -> None:
    empty = np.zeros((40, 40, 40), dtype=bool)
    for pair in ((empty, cube(1, 1, 1)), (cube(1, 1, 1), empty), (empty, empty)):
        assert compare_masks(*pair, SPACING) is None


def test_masks_on_different_grids_are_refused() -> None:
    with pytest.raises(ValueError, match="not on one grid"):
        compare_masks(cube(1, 1, 1), cube(1, 1, 1, shape=(40, 40, 41)), SPACING)
    with pytest.raises(ValueError, match="spacing"):
        compare_masks(cube(1, 1, 1), cube(1, 1, 1), (1.0, 0.0, 1.0))
