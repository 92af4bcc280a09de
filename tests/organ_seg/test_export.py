"""The way back is nnU-Net's: probabilities resampled to the CT, the largest taken, small components removed."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import torch

from ct_assets.organ_seg.export import export
from ct_assets.organ_seg.plans import Plans
from ct_assets.organ_seg.postprocess import postprocess, read_postprocessing
from ct_assets.organ_seg.preprocess import plan_grid
from ct_assets.organ_seg.sliding_window import Probabilities
from ct_assets.provenance import ModelFormatError
from tests.organ_seg.examples import smooth_noise
from tests.organ_seg.random_models import cubic


def _probabilities(shape: tuple[int, ...], classes: int = 5) -> np.ndarray:
    """Organs in one corner only, so that there is a box to find."""
    logits = np.stack([smooth_noise(shape, seed) for seed in range(classes)]) * 3
    logits[0] += 1
    logits[0, : shape[0] // 3] += 50
    logits[0, :, :, shape[2] // 2 :] += 50
    exponential = np.exp(logits - logits.max(0))
    return (exponential / exponential.sum(0)).astype(np.float32)


def _by_nnunet(softmax: np.ndarray, grid: object, plans: Plans, path: Path) -> np.ndarray:
    from nnunet.inference.segmentation_export import save_segmentation_nifti_from_softmax

    properties = {
        "original_size_of_raw_data": np.array(grid.shape),
        "original_spacing": np.array(grid.spacing_mm),
        "spacing_after_resampling": np.array(grid.network_spacing_mm),
        "size_after_cropping": grid.cropped_shape,
        "crop_bbox": [[part.start, part.stop] for part in grid.box],
        "itk_spacing": grid.spacing_mm[::-1],
        "itk_origin": (0.0, 0.0, 0.0),
        "itk_direction": tuple(np.eye(3).ravel()),
    }
    backward = [0] + [axis + 1 for axis in plans.transpose_backward]
    orders = plans.export
    with contextlib.redirect_stdout(io.StringIO()):
        save_segmentation_nifti_from_softmax(
            softmax.transpose(backward),
            str(path),
            properties,
            order=orders.interpolation_order,
            force_separate_z=orders.force_separate_z,
            interpolation_order_z=orders.interpolation_order_z,
        )
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))


@pytest.mark.parametrize(
    "orders",
    [
        None,
        {"force_separate_z": None, "interpolation_order": 3, "interpolation_order_z": 1},
        {"force_separate_z": True, "interpolation_order": 1, "interpolation_order_z": 1},
        {"force_separate_z": False, "interpolation_order": 1, "interpolation_order_z": 0},
        {"force_separate_z": None, "interpolation_order": 0, "interpolation_order_z": 0},
    ],
    ids=["default", "cubic", "separate", "together", "nearest"],
)
@pytest.mark.parametrize("transpose", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("spacing", [(3.0, 2.0, 2.0), (5.0, 1.4, 1.4), (6.0, 5.0, 5.0), (4.0, 3.6, 3.6)])
def test_labels_are_those_of_nnunet(tmp_path, spacing, transpose, orders):
    target = tuple((4.0, 3.6, 3.6)[axis] for axis in transpose)
    plans = cubic("3d_fullres", spacing_mm=target, transpose=transpose, export=orders).parsed()
    volume = np.pad(np.ones((24, 36, 40), dtype=np.int16), [(2, 1), (0, 3), (4, 0)])
    grid = plan_grid(volume, spacing, plans)
    assert grid is not None
    softmax = _probabilities(grid.network_shape)
    theirs = _by_nnunet(softmax, grid, plans, tmp_path / "labels.nii.gz")
    weights = np.linspace(1, 2, softmax[0].size, dtype=np.float32).reshape(grid.network_shape)
    sums = torch.from_numpy(softmax * weights)
    ours = export(Probabilities(sums, torch.from_numpy(weights)), grid, plans)
    assert set(np.unique(theirs)) == {0, 1, 2, 3, 4}
    assert np.count_nonzero(ours != theirs) <= 2


def test_an_organ_in_a_slice_of_the_network_that_no_slice_of_the_ct_is_near_is_lost_as_in_nnunet(tmp_path):
    """A CT of 5 mm slices takes every second slice of a network of 2.5 mm."""
    plans = cubic("3d_fullres", spacing_mm=(2.5, 0.98, 0.98)).parsed()
    grid = plan_grid(np.ones((10, 20, 20), dtype=np.int16), (5.0, 0.98, 0.98), plans)
    assert grid is not None
    found = []
    for index in range(grid.network_shape[0]):
        softmax = np.zeros((5, *grid.network_shape), dtype=np.float32)
        softmax[0] = 1
        softmax[:, index, 5:9, 5:9] = np.array([0, 1, 0, 0, 0], dtype=np.float32)[:, None, None]
        theirs = _by_nnunet(softmax.copy(), grid, plans, tmp_path / "labels.nii.gz")
        ours = export(Probabilities(torch.from_numpy(softmax), torch.ones(grid.network_shape)), grid, plans)
        np.testing.assert_array_equal(ours, theirs)
        found.append(bool(ours.any()))
    assert sum(found) == 10


def test_no_organ_anywhere_gives_no_label():
    plans = cubic("3d_fullres").parsed()
    grid = plan_grid(np.ones((20, 30, 30), dtype=np.int16), (2.0, 2.0, 2.0), plans)
    assert grid is not None
    sums = torch.zeros(5, *grid.network_shape)
    sums[0] = 1
    assert not export(Probabilities(sums, torch.ones(grid.network_shape)), grid, plans).any()


@pytest.mark.parametrize(
    "content",
    [
        '{"for_which_classes": [1, 3], "min_valid_object_sizes": "None"}',
        '{"for_which_classes": [1, [2, 3], 4], "min_valid_object_sizes": "{1: 60.0, (2, 3): 300.0, 4: 1000000.0}"}',
        '{"for_which_classes": [[1, 2, 3, 4], 2]}',
        '{"for_which_classes": null}',
        '{"for_which_classes": []}',
    ],
)
def test_postprocessing_is_that_of_nnunet(tmp_path, content):
    from nnunet.postprocessing import connected_components as theirs

    (tmp_path / "postprocessing.json").write_text(content)
    labels = (smooth_noise((30, 40, 44), 5) * 2).clip(0, 4).astype(np.uint8)
    labels[0, 0, :3], labels[29, 39, :3] = 1, 1
    what = read_postprocessing(tmp_path)
    assert what is not None
    classes, sizes = theirs.load_postprocessing(str(tmp_path / "postprocessing.json"))
    expected, _, _ = theirs.remove_all_but_the_largest_connected_component(labels.copy(), classes, 7.5, sizes)
    ours = labels.copy()
    postprocess(ours, (3.0, 2.5, 1.0), what)
    np.testing.assert_array_equal(ours, expected)
    assert (ours != labels).any() == (content != '{"for_which_classes": []}')


@pytest.mark.parametrize("content", ["", "[1]", '{"for_which_classes": "all"}', '{"min_valid_object_sizes": "open()"}'])
def test_a_postprocessing_that_is_none_is_named(tmp_path, content):
    (tmp_path / "postprocessing.json").write_text(content)
    with pytest.raises(ModelFormatError, match=r"postprocessing\.json: is not"):
        read_postprocessing(tmp_path)
