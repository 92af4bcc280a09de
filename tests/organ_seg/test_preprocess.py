"""Preprocessing is nnU-Net's own, number by number: cropping, axes, splines, every normalization scheme."""

import contextlib
import io
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from ct_assets.demo.nnunet_format import INTENSITIES
from ct_assets.organ_seg.plans import Plans
from ct_assets.organ_seg.preprocess import finite_voxels, plan_grid, preprocess
from ct_assets.organ_seg.unsuitable import UnsuitableCtError
from tests.organ_seg.examples import smooth_noise
from tests.organ_seg.random_models import RandomModel, cubic, flat

BLANK = (3, 2, 4)
"""Zeros around the CT, to be cropped: slices, rows, columns."""


def _ct(shape: tuple[int, int, int], *, hole: bool = False) -> np.ndarray:
    volume = np.rint(smooth_noise(shape, 3) * 400 - 100).astype(np.int16)
    volume[volume == 0] = 1
    if hole:
        volume[:, shape[1] // 2, shape[2] // 2 :] = 0  # a tunnel from the outside, and holes behind it
        volume[shape[0] // 2, 3:6, 3:6] = 0
    return np.pad(volume, [(width, width) for width in BLANK])


def _by_nnunet(volume: np.ndarray, spacing: tuple[float, ...], model: RandomModel, path: Path) -> np.ndarray:
    from nnunet.preprocessing.preprocessing import GenericPreprocessor, PreprocessorFor2D

    image = SimpleITK.GetImageFromArray(volume)
    image.SetSpacing([float(value) for value in spacing[::-1]])
    SimpleITK.WriteImage(image, str(path))
    kind = PreprocessorFor2D if len(model.patch) == 2 else GenericPreprocessor
    masked, scheme = OrderedDict({0: model.nonzero_only}), OrderedDict({0: model.normalization})
    preprocessor = kind(scheme, masked, list(model.transpose), {0: INTENSITIES})
    with contextlib.redirect_stdout(io.StringIO()):
        data, _, _ = preprocessor.preprocess_test_case([str(path)], np.array(model.spacing_mm))
    return data[0]


@pytest.mark.parametrize("nonzero_only", [False, True])
@pytest.mark.parametrize("scheme", ["CT", "CT2", "noNorm", "nonCT"])
def test_normalization_is_that_of_nnunet(tmp_path, scheme, nonzero_only):
    model = cubic("3d_fullres", normalization=scheme, nonzero_only=nonzero_only)
    _assert_alike(_ct((20, 30, 34), hole=True), (3.0, 2.0, 2.2), model, tmp_path)


@pytest.mark.parametrize("transpose", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize(
    "spacing",
    [
        (3.0, 2.0, 2.0),
        (0.9, 4.9, 1.1),  # every axis another way
        (5.0, 0.98, 0.98),  # the slices are resampled by themselves
        (1.2, 1.2, 4.8),  # the columns are
        (0.5, 4.0, 4.0),  # two coarse axes: none is
        (4.0, 3.6, 3.6),  # nothing to do
    ],
)
def test_resampling_is_that_of_nnunet(tmp_path, spacing, transpose):
    target = tuple((4.0, 3.6, 3.6)[axis] for axis in transpose)
    model = cubic("3d_fullres", spacing_mm=target, transpose=transpose)
    _assert_alike(_ct((21, 26, 30)), spacing, model, tmp_path)


@pytest.mark.parametrize("target", [(5.0, 1.0, 1.0), (2.0, 2.0, 2.0)])
def test_a_coarse_network_decides_where_the_ct_is_not_anisotropic(tmp_path, target):
    _assert_alike(_ct((30, 30, 24)), (1.5, 1.2, 1.2), cubic("3d_fullres", spacing_mm=target), tmp_path)


@pytest.mark.parametrize("spacing", [(5.0, 0.98, 0.98), (2.0, 1.4, 1.4), (4.0, 3.6, 3.6)])
def test_a_flat_network_keeps_the_slices(tmp_path, spacing):
    _assert_alike(_ct((9, 30, 34)), spacing, flat(), tmp_path)


def test_voxels_that_are_no_number_are_taken_as_nnunet_takes_them(tmp_path):
    volume = _ct((18, 20, 22)).astype(np.float32)
    volume[5, 6, 7], volume[0, 0, 0], volume[7, 8, 9] = np.nan, np.nan, np.inf
    finite, remark = finite_voxels(volume)
    assert remark == "3 voxels that are no finite number were taken as 0 HU"
    assert np.count_nonzero(finite != volume) == 3
    _assert_alike(volume, (3.0, 3.0, 3.0), cubic("3d_fullres"), tmp_path)


def _assert_alike(volume: np.ndarray, spacing: tuple[float, float, float], model: RandomModel, folder: Path) -> None:
    plans = model.parsed()
    finite, _ = finite_voxels(volume)
    grid = plan_grid(finite, spacing, plans)
    assert grid is not None
    ours = preprocess(finite, grid, plans, "cpu").numpy()
    theirs = _by_nnunet(volume, spacing, model, folder / "ct.nii.gz")
    assert ours.shape == grid.network_shape
    assert theirs.std() > 0
    np.testing.assert_allclose(ours, theirs, atol=2e-4 if model.normalization != "noNorm" else 2e-2)


def _plans(**changed: object) -> Plans:
    return cubic("3d_fullres").parsed().model_copy(update=changed)


def test_nothing_but_zeros_has_no_grid():
    assert plan_grid(np.zeros((5, 6, 7), dtype=np.int16), (1.0, 1.0, 1.0), _plans()) is None


@pytest.mark.parametrize("spacing", [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, np.nan), (np.inf, 1.0, 1.0)])
def test_a_spacing_that_is_none_is_refused(spacing):
    with pytest.raises(UnsuitableCtError, match="spacing must be > 0"):
        plan_grid(np.ones((5, 6, 7), dtype=np.int16), spacing, _plans())


@pytest.mark.parametrize("spacing", [(1e6, 1e6, 1.0), (1e-4, 1.0, 1.0)])
def test_a_grid_that_memory_could_not_hold_is_refused_before_it_is_made(spacing):
    with pytest.raises(UnsuitableCtError, match="check its spacing"):
        plan_grid(np.ones((500, 60, 70), dtype=np.int16), spacing, _plans())


def test_a_ct_without_contrast_is_refused_where_it_would_be_divided_by():
    volume, plans = np.full((5, 6, 7), -1000, dtype=np.int16), _plans(normalization="CT2")
    grid = plan_grid(volume, (4.0, 4.0, 4.0), plans)
    assert grid is not None
    with pytest.raises(UnsuitableCtError, match="no contrast"):
        preprocess(volume, grid, plans, "cpu")
