"""Preprocessing is bpreg's, by matrices; what cannot be a CT is refused with the reason."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ct_assets.bpr_json.bpreg_import import import_inference_model
from ct_assets.bpr_json.preprocess import SIZE, preprocess
from ct_assets.bpr_json.unsuitable import UnsuitableVolumeError


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-2000, 3000, shape, dtype=np.int16)


def bpreg_slices(volume: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    converter = import_inference_model().Nifti2Npy(target_pixel_spacing=3.5, min_hu=-1000, max_hu=1500, size=SIZE)
    scaled = converter.rescale_xy(volume.astype(np.float32))
    return converter.resize_volume(scaled, np.asarray(spacing, dtype=np.float32)).transpose(2, 0, 1)


ROUNDING = 5e-6
"""Of a range of 2, hence 0.006 HU: OpenCV and scipy round to 32 bits between their steps, the matrices do not."""

TWO_CHANNELS = 1e-4
"""OpenCV resizes images of exactly two channels, here slices, by another code with coarser weights (measured: 3e-5)."""


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(st.integers(4, 300), st.integers(4, 300), st.integers(3, 7)),
    st.tuples(st.floats(0.4, 6.0), st.floats(0.4, 6.0)),
    st.integers(0, 9),
)
def test_any_size_and_spacing(shape, pixel, seed):
    """Smaller and larger than the frame, odd and even, enlarged and shrunk, in each direction by itself."""
    if min(n * step for n, step in zip(shape, pixel, strict=False)) < 7:
        return
    volume = noise(shape, seed)
    found = preprocess(volume, np.diag([*pixel, 2.0, 1.0]))
    np.testing.assert_allclose(found, bpreg_slices(volume, (*pixel, 2.0)), atol=ROUNDING, rtol=0)


def test_two_slices():
    volume = noise((4, 131, 2), 1)
    expected = bpreg_slices(volume, (3.0, 3.0, 2.0))
    np.testing.assert_allclose(preprocess(volume, np.diag([3.0, 3.0, 2.0, 1.0])), expected, atol=TWO_CHANNELS, rtol=0)


def test_fractions_of_hu_are_kept():
    volume = noise((40, 50, 3)) + np.float32(0.37)
    np.testing.assert_allclose(
        preprocess(volume, np.diag([3.0, 2.0, 2.0, 1.0])), bpreg_slices(volume, (3.0, 2.0, 2.0)), atol=ROUNDING, rtol=0
    )


@pytest.mark.parametrize(
    ("shape", "diagonal", "reason"),
    [
        ((40, 40, 1), (2, 2, 2), "one slice"),
        ((40, 40, 0), (2, 2, 2), "no voxels: 40 x 40 x 0"),
        ((0, 40, 9), (2, 2, 2), "no voxels: 0 x 40 x 9"),
        ((40, 40, 9), (0, 2, 2), "voxels of 0 x 2 x 2 mm"),
        ((40, 40, 9), (2, 2, 1e-5), "voxels of 2 x 2 x 1e-05 mm"),
        ((40, 40, 9), (np.nan, 2, 2), "geometry of the volume is not finite"),
        ((40, 40, 9), (2000, 2, 2), "a slice of 80000 mm cannot be that of a CT"),
        ((40, 40, 9), (0.05, 2, 2), "a slice of 2 mm cannot be that of a CT"),
        ((9000, 20, 2), (0.1, 2, 2), "a slice of 9000 voxels across"),
    ],
)
def test_refusals_name_the_reason(shape, diagonal, reason):
    with pytest.raises(UnsuitableVolumeError, match=reason):
        preprocess(noise(shape), np.diag([*diagonal, 1.0]))


@pytest.mark.parametrize("value", [-2000, -1000, 40, 3000])
def test_an_empty_volume_is_refused(value):
    with pytest.raises(UnsuitableVolumeError, match="the volume is empty"):
        preprocess(np.full((60, 70, 5), value, dtype=np.int16), np.diag([2.0, 2.0, 2.0, 1.0]))


def test_a_voxel_that_is_no_number_is_named():
    volume = noise((40, 40, 5)).astype(np.float32)
    volume[20, 20, 2] = np.nan
    with pytest.raises(UnsuitableVolumeError, match="no number"):
        preprocess(volume, np.diag([3.0, 3.0, 2.0, 1.0]))


@pytest.mark.parametrize("two_upward", [True, False])
def test_a_volume_without_one_axis_along_the_body_is_refused(two_upward):
    affine = np.eye(4)
    affine[:3, :3] = [[1, 0, 0], [0, 0.5, 0.5], [0, 1, 1]] if two_upward else [[1, 0, 0], [0, 1, 1], [0, 0.5, 0.5]]
    with pytest.raises(UnsuitableVolumeError, match="obliquely"):
        preprocess(noise((40, 40, 5)), affine)
