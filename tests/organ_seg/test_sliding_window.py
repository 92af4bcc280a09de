"""The sliding window is nnU-Net's, and a GPU's lack of memory ends in smaller batches or a clear error."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch

from ct_assets.device import GpuMemoryError
from ct_assets.organ_seg.network import build_network, load_network, logits
from ct_assets.organ_seg.sliding_window import SlidingWindow, gaussian, mirrored_axes, tile_starts
from ct_assets.organ_seg.unsuitable import NotFiniteError
from tests.organ_seg.examples import smooth_noise
from tests.organ_seg.random_models import RandomModel, cubic, flat


def _window(
    model: RandomModel, *, tta: bool = False, step_size: float = 0.5, batch: int = 4, folds: int = 1
) -> SlidingWindow:
    networks = [load_network(model.parsed(), model.checkpoint(fold)["state_dict"], "cpu") for fold in range(folds)]
    return SlidingWindow(
        plans=model.parsed(),
        folds=[lambda images, network=network: logits(network, images) for network in networks],
        device="cpu",
        tta=tta,
        step_size=step_size,
        mixed=False,
        batch=batch,
    )


def _by_nnunet(model: RandomModel, data: np.ndarray, *, tta: bool, step_size: float) -> np.ndarray:
    network = build_network(model.parsed())
    network.load_state_dict(model.checkpoint(0)["state_dict"])
    network.inference_apply_nonlin = lambda values: torch.softmax(values, 1)
    return network.eval().predict_3D(
        data[None],
        do_mirroring=tta,
        mirror_axes=tuple(range(len(model.patch))),
        use_sliding_window=True,
        step_size=step_size,
        patch_size=model.patch,
        use_gaussian=True,
        verbose=False,
        mixed_precision=False,
    )[1]


@pytest.mark.parametrize("tta", [False, True])
@pytest.mark.parametrize(
    ("model", "shape", "step_size"),
    [
        (cubic("3d_fullres"), (21, 50, 47), 0.5),
        (cubic("3d_fullres"), (16, 32, 32), 0.5),  # one tile, without weights
        (cubic("3d_fullres"), (1, 30, 60), 0.5),  # a single slice
        (cubic("3d_fullres"), (40, 32, 33), 0.75),
        (flat(), (4, 60, 47), 0.5),
        (flat(), (3, 48, 48), 1.0),
        (flat(), (1, 10, 9), 0.3),
    ],
)
def test_probabilities_are_those_of_nnunet(model, shape, step_size, tta):
    data = smooth_noise(shape, 11)
    ours = _window(model, tta=tta, step_size=step_size).predict(torch.from_numpy(data))
    theirs = _by_nnunet(model, data, tta=tta, step_size=step_size)
    assert ours.sums.shape == (5, *shape)
    np.testing.assert_allclose((ours.sums / ours.weights).numpy(), theirs, atol=2e-5)


def test_the_batch_does_not_change_the_result():
    data = torch.from_numpy(smooth_noise((20, 40, 34), 11))
    results = [_window(cubic("3d_fullres"), tta=True, batch=batch, folds=2).predict(data) for batch in (1, 3, 100)]
    for result in results[1:]:
        torch.testing.assert_close(result.sums, results[0].sums, atol=1e-5, rtol=0)


def test_folds_are_averaged():
    data = torch.from_numpy(smooth_noise((20, 40, 40), 3))
    both = _window(cubic("3d_fullres"), folds=2).predict(data)
    window = _window(cubic("3d_fullres"), folds=2)
    first, second = (
        SlidingWindow(window.plans, [fold], "cpu", tta=False, step_size=0.5, mixed=False, batch=4).predict(data)
        for fold in window.folds
    )
    torch.testing.assert_close(
        both.sums / both.weights, (first.sums / first.weights + second.sums / second.weights) / 2
    )


def _short_of_memory(window: SlidingWindow, largest: int) -> list[int]:
    """Let the networks run out of memory above a batch, as torch says it of a GPU; also return the batches seen."""
    seen: list[int] = []

    def limited(forward: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
        def run(images: torch.Tensor) -> torch.Tensor:
            seen.append(len(images))
            if len(images) > largest:
                message = "CUDA out of memory"
                raise torch.OutOfMemoryError(message)
            return forward(images)

        return run

    window.folds = [limited(fold) for fold in window.folds]
    return seen


@pytest.mark.parametrize("tta", [False, True])
def test_too_little_memory_for_a_batch_makes_it_smaller_for_that_volume(tta):
    data = torch.from_numpy(smooth_noise((40, 50, 47), 11))
    expected = _window(cubic("3d_fullres"), tta=tta).predict(data)
    window = _window(cubic("3d_fullres"), tta=tta, batch=16)
    seen = _short_of_memory(window, largest=3)
    for _ in range(2):  # the next volume finds another GPU: of the same batch it has the same numbers
        torch.testing.assert_close(window.predict(data).sums, expected.sums, atol=1e-5, rtol=0)
        assert [size for size in seen if size > 3] == [16, 8, 4]
        seen.clear()


def test_too_little_memory_for_one_patch_says_what_to_do():
    window = _window(cubic("3d_fullres"), batch=4)
    _short_of_memory(window, largest=0)
    with pytest.raises(GpuMemoryError, match=r"one patch of \(16, 32, 32\).*3d_lowres.*CT_ASSETS_DEVICE=cpu"):
        window.predict(torch.from_numpy(smooth_noise((40, 50, 47), 11)))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_network_that_gives_no_numbers_is_no_label_map(value):
    window = _window(cubic("3d_fullres"))
    window.folds = [lambda images: torch.full((len(images), 5, *images.shape[2:]), value)]
    with pytest.raises(NotFiniteError, match="not finite"):
        window.predict(torch.zeros(20, 40, 40))


def test_tiles_reach_from_end_to_end_and_are_at_most_a_step_apart():
    for size in range(32, 140):
        starts = tile_starts(size, 32, 0.5)
        assert (starts[0], starts[-1]) == (0, size - 32)
        assert all(0 < after - before <= 16 for before, after in itertools.pairwise(starts))


def test_the_weights_of_a_tile_are_largest_in_its_middle_and_nowhere_nought():
    weights = gaussian((16, 32, 32))
    assert weights.max() == weights[8, 16, 16] == 1
    assert weights.min() > 0


def test_three_axes_have_eight_mirrors():
    assert mirrored_axes(3) == [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]
