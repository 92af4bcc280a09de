"""A GPU whose memory does not suffice: the error names the model and what to do, and the next series completes."""

import logging
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import ct_assets.bpr_json.bpreg_model
import ct_assets.organ_seg.nnunet_model
from ct_assets.device import GpuMemoryError
from ct_assets.organ_seg.nnunet_model import NnunetModel
from tests.faults.chain import MODEL, Chain
from tests.faults.tiny import write_tiny
from tests.organ_seg.examples import phantom_hu
from tests.organ_seg.random_models import cubic, segthor

logger = logging.getLogger(__name__)

SPACING = (2.0, 2.0, 3.0)
SAID = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB"
PLACES = {
    "organ_seg": (ct_assets.organ_seg.nnunet_model, "preprocess", f"demo/nnUNet/{MODEL}"),
    "bpr_json": (ct_assets.bpr_json.bpreg_model, "predict", "demo/bpreg"),
}
"""Each asset with a model: a function in which its first series will lack memory, and the folder of the model."""


def _memory_lacks_once(stage: str) -> None:
    module, name, _ = PLACES[stage]
    function: Any = getattr(module, name)
    calls = []

    def lacking(*arguments: Any) -> Any:
        calls.append(name)
        if len(calls) == 1:
            raise torch.OutOfMemoryError(SAID)
        return function(*arguments)

    setattr(module, name, lacking)
    torch.cuda.empty_cache = lambda: logger.info("the cache is emptied")


@pytest.mark.parametrize("stage", PLACES)
def test_a_series_for_which_memory_lacks_fails_alone(undisturbed, tmp_path, stage):
    for patient in (1, 2):
        write_tiny(tmp_path / "dicom" / str(patient), patient)
    chain = Chain(tmp_path / "dicom", tmp_path / "out", undisturbed.home)
    done = chain.annotate(partial(_memory_lacks_once, stage))
    first, second = done.answer.series
    assert (first.status, second.status) == ("failed", "annotated")
    assert first.reason.startswith(f"{stage}: model {chain.home}/models/{PLACES[stage][2]}")
    assert f"the GPU has too little memory ({SAID}); free it of other processes" in first.reason
    assert "CT_ASSETS_DEVICE=cpu" in first.reason
    assert done.log.count("the cache is emptied") == 1
    assert done.log.count("loading NnunetModel") == 1, "the model stays loaded"
    assert chain.annotate().answer.complete


@pytest.mark.cuda
def test_a_gpu_that_others_have_filled_is_named_and_serves_again_when_it_is_free(tmp_path):
    """All of the memory is taken, but for what the loaded model has; then it is given back."""
    folder, volume = cubic(MODEL, folds=1).write(tmp_path), phantom_hu()
    model = NnunetModel(folder, None, tta=False, step_size=0.5, precision="mixed", device="cuda")
    expected = model(volume, SPACING).labels
    torch.cuda.empty_cache()
    taken = _take_all()
    with pytest.raises(GpuMemoryError, match=rf"model {folder}: .*too little memory.*CT_ASSETS_DEVICE=cpu"):
        model(volume, SPACING)
    held = torch.cuda.memory_allocated() - sum(part.nbytes for part in taken)
    taken.clear()
    torch.cuda.empty_cache()
    assert torch.cuda.memory_allocated() <= held, "the error holds on to nothing"
    np.testing.assert_array_equal(model(volume, SPACING).labels, expected)


@pytest.mark.cuda
def test_a_gpu_that_was_short_of_memory_computes_as_before_when_it_is_free(tmp_path):
    """With less room torch takes other convolutions, slower and rounded otherwise: none of them may stay."""
    folder, volume = segthor(folds=1).write(tmp_path), phantom_hu()
    model = NnunetModel(folder, None, tta=False, step_size=0.5, precision="mixed", device="cuda")
    expected, room = _labels_and_peak(model, volume)
    torch.cuda.empty_cache()
    total, outcomes = torch.cuda.get_device_properties(0).total_memory, []
    for share in (0.6, 0.4, 0.1):
        torch.cuda.set_per_process_memory_fraction(share * room / total)
        try:
            model(volume, SPACING)
            outcomes.append("segmented")
        except GpuMemoryError:
            outcomes.append("lacking")
    torch.cuda.set_per_process_memory_fraction(1.0)
    assert outcomes[0] == "segmented"
    assert outcomes[-1] == "lacking"
    labels, peak = _labels_and_peak(model, volume)
    np.testing.assert_array_equal(labels, expected)
    assert peak >= room, "convolutions that need less are slower"


def _labels_and_peak(model: NnunetModel, volume: np.ndarray) -> tuple[np.ndarray, int]:
    torch.cuda.reset_peak_memory_stats()
    labels = model(volume, SPACING).labels
    return labels, torch.cuda.max_memory_allocated()


def _take_all() -> list[torch.Tensor]:
    """Allocate in smaller and smaller pieces until nothing is left."""
    taken, size = [], 1 << 34
    while size >= 512:
        try:
            taken.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
        except torch.OutOfMemoryError:
            size //= 2
    return taken
