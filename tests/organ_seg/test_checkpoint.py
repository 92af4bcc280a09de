"""Checkpoints in every form that nnU-Net v1 has left behind are read; what is none, or would run something, is not."""

import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from ct_assets.organ_seg.checkpoint import read_plans, read_weights
from ct_assets.organ_seg.safe_pickle import UnsafePickleError
from ct_assets.provenance import ModelFormatError
from tests.organ_seg.random_models import cubic


class _Bomb:
    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self):
        return os.mkdir, (str(self._target),)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "model_final_checkpoint.model"


@pytest.mark.parametrize("zipped", [True, False], ids=["since torch 1.6", "before torch 1.6"])
def test_both_formats_of_torch_are_read(path, zipped):
    content = cubic("3d_fullres").checkpoint(0)
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    weights = read_weights(path)
    assert list(weights) == list(content["state_dict"])
    for name, value in content["state_dict"].items():
        torch.testing.assert_close(weights[name], value, atol=0, rtol=0)


def test_weights_of_several_gpus_lose_their_prefix_and_half_precision(path):
    torch.save({"state_dict": OrderedDict({"module.a.weight": torch.ones(3, dtype=torch.float16)})}, path)
    weights = read_weights(path)
    torch.testing.assert_close(weights["a.weight"], torch.ones(3))


def test_the_loaded_weights_do_not_hang_on_the_file(path):
    content = cubic("3d_fullres").checkpoint(0)
    torch.save(content, path)
    weights = read_weights(path)
    path.write_bytes(b"\0" * path.stat().st_size)
    assert all(torch.equal(weights[name], value) for name, value in content["state_dict"].items())


def test_numbers_that_numpy_1_has_pickled_are_read(path):
    """Its name for the module of scalars was numpy.core.multiarray."""
    torch.save({"state_dict": {"a": torch.ones(2)}, "best_stuff": np.float64(0.25)}, path)
    content = path.read_bytes()
    old, new = b"numpy._core.multiarray\nscalar", b"numpy.core.multiarray\nscalar"
    assert content.count(old) == 1
    legacy = {"state_dict": {"a": torch.ones(2)}, "best_stuff": np.float64(0.25)}
    torch.save(legacy, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    torch.testing.assert_close(read_weights(path)["a"], torch.ones(2))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_foreign_class_is_refused_by_name_and_nothing_of_it_runs(path, tmp_path, zipped):
    target = tmp_path / "ran"
    content = {**cubic("3d_fullres").checkpoint(0), "extra": _Bomb(target)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UnsafePickleError, match=r"model_final_checkpoint\.model: refused, it asks for posix.mkdir;"):
        read_weights(path)
    assert not target.exists()


@pytest.mark.parametrize("kept", [0, 3, 100, 5000, 0.5, 0.999])
def test_a_truncated_checkpoint_is_named(path, kept):
    torch.save(cubic("3d_fullres").checkpoint(0), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(ModelFormatError, match=r"model_final_checkpoint\.model: is damaged .*install the model again"):
        read_weights(path)


@pytest.mark.parametrize(
    "content",
    [
        {"weights": {}},
        [1, 2],
        {"state_dict": {"a": 1}},
        {"state_dict": {1: torch.ones(2)}},
        {"state_dict": {"a": torch.ones(1).expand(10**6, 10**6)}},  # terabytes, once copied
    ],
)
def test_a_checkpoint_without_weights_is_named(path, content):
    torch.save(content, path)
    with pytest.raises(ModelFormatError, match="holds no weights"):
        read_weights(path)


def _write(path: Path, **changed: object) -> None:
    info = cubic("3d_fullres").info()
    plans, stage = dict(info["plans"]), dict(info["plans"]["plans_per_stage"][0])
    for key, value in changed.items():
        where = next((part for part in (stage, plans, info) if key in part), plans)
        if value is None:
            del where[key]
        else:
            where[key] = value
    content = pickle.dumps({**info, "plans": {**plans, "plans_per_stage": {0: stage}}}, protocol=2)
    path.with_suffix(".model.pkl").write_bytes(content)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"name": "nnUNetTrainerV2_Evil"}, "trainer 'nnUNetTrainerV2_Evil' is not supported"),
        ({"preprocessor_name": "PreprocessorFor3D_NoResampling"}, "preprocessor .* is not supported"),
        ({"num_modalities": 2}, "num_modalities: Input should be 1"),
        ({"patch_size": np.array([16, 32, -32])}, "patch_size.2: Input should be greater than 0"),
        ({"patch_size": np.array([16, 32, 33])}, "cannot be divided"),
        ({"patch_size": np.array([10**9, 32, 32])}, "patch_size.0: Input should be less than"),
        ({"current_spacing": np.array([0.0, 1.0, 1.0])}, "current_spacing.0: Input should be greater than 0"),
        ({"current_spacing": np.array([np.nan, 1.0, 1.0])}, "current_spacing.0: Input should be"),
        ({"conv_kernel_sizes": [[3, 3, 3]]}, "do not fit together"),
        ({"transpose_forward": [0, 0, 1]}, "do not undo each other"),
        ({"dataset_properties": {}}, "needs intensityproperties"),
        ({"plans_per_stage": None}, "plans_per_stage"),
        ({"init": ("plans.pkl", 0, "a", "b", True, 7)}, r"stage 7 is not in the plans, which have \[0\]"),
        ({"patch_size": np.array([4096, 4096, 4096])}, "is none of nnU-Net's"),
        ({"conv_kernel_sizes": [[5, 5, 5]] * 4}, "other sides than 1 and 3"),
        ({"normalization_schemes": {}}, "KeyError"),
        ({"base_num_features": None}, "base_num_features: Field required"),
    ],
)
def test_plans_that_cannot_be_followed_are_named(path, changed, reason):
    info = cubic("3d_fullres").info()
    if "plans_per_stage" in changed:
        info["plans"].pop("plans_per_stage")
        path.with_suffix(".model.pkl").write_bytes(pickle.dumps(info))
    else:
        _write(path, **changed)
    with pytest.raises(ModelFormatError, match=rf"model\.pkl: .*{reason}"):
        read_plans(path)


def test_gaps_of_old_plans_are_filled_as_nnunet_fills_them(path):
    gone = ("pool_op_kernel_sizes", "conv_kernel_sizes", "conv_per_stage", "preprocessor_name")
    _write(path, **dict.fromkeys((*gone, "transpose_forward", "transpose_backward")))
    plans = read_plans(path)
    assert plans.pool_kernels == ((1, 2, 2), (2, 2, 2), (2, 2, 2))
    assert plans.conv_kernels == ((3, 3, 3),) * 4
    assert plans.convolutions_per_stage == 2
    assert plans.transpose_forward == (0, 1, 2)


def test_damaged_and_missing_plans_are_named(path):
    with pytest.raises(ModelFormatError, match=r"model\.pkl: is missing"):
        read_plans(path)
    path.with_suffix(".model.pkl").write_bytes(b"\x80\x04\x95")
    with pytest.raises(ModelFormatError, match=r"model\.pkl: is damaged"):
        read_plans(path)
