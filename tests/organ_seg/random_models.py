"""Random nnU-Net v1 models, small or as large as the published ones, in which every label wins somewhere."""

import json
import pickle
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ct_assets.demo.nnunet_format import INTENSITIES, PLANS_NAME, TASK, TRAINER
from ct_assets.organ_seg.network import build_network
from ct_assets.organ_seg.plans import Plans, parse_plans
from tests.organ_seg.examples import smooth_noise

_SEED = 20240117


@dataclass(frozen=True)
class RandomModel:
    """What a random model is like; spacing and patch are in the order of `transpose`, slices first."""

    configuration: str
    patch: tuple[int, ...]
    spacing_mm: tuple[float, float, float]
    pools: tuple[tuple[int, ...], ...]
    kernels: tuple[tuple[int, ...], ...]
    features: int = 4
    folds: int = 2
    transpose: tuple[int, int, int] = (0, 1, 2)
    normalization: str = "CT"
    nonzero_only: bool = False
    missing: tuple[int, ...] = ()
    background: float = 1.0
    postprocessing: dict[str, Any] | None = None
    export: dict[str, Any] | None = None

    def write(self, root: Path) -> Path:
        """Write the model's folder below a RESULTS_FOLDER of nnU-Net, and return it."""
        folder = root / "nnUNet" / self.configuration / TASK / f"{TRAINER}__{PLANS_NAME}"
        for fold in range(self.folds):
            checkpoint = folder / f"fold_{fold}" / "model_final_checkpoint.model"
            checkpoint.parent.mkdir(parents=True)
            torch.save(self.checkpoint(fold), checkpoint)
            _dump(checkpoint.with_suffix(".model.pkl"), self.info())
        _dump(folder / "plans.pkl", self.plans())
        if self.postprocessing is not None:
            (folder / "postprocessing.json").write_text(json.dumps(self.postprocessing))
        return folder

    def checkpoint(self, fold: int) -> dict[str, Any]:
        """Return what nnU-Net v1 saves of a fold, the optimizer's momentum included."""
        state = _weights(self.parsed(), self.missing, self.background, _SEED + fold)
        momentum = {index: {"momentum_buffer": torch.zeros_like(value)} for index, value in enumerate(state.values())}
        return {
            "epoch": 1000,
            "state_dict": state,
            "optimizer_state_dict": {"state": momentum, "param_groups": [{"lr": 0.01, "params": list(momentum)}]},
            "lr_scheduler_state_dict": None,
            "plot_stuff": ([np.float64(0.5)], [0.5], [], [np.float32(0.5)]),
            "best_stuff": (np.float64(0.1), np.float64(0.2), None),
            "amp_grad_scaler": {"scale": 65536.0, "growth_factor": 2.0},
        }

    def info(self) -> dict[str, Any]:
        """Return what lies beside a checkpoint."""
        init = ("plans.pkl", 0, "results", "preprocessed", len(self.patch) == 2, 0, True, False, True)
        return {"init": init, "name": TRAINER, "class": f"<class '{TRAINER}'>", "plans": self.plans()}

    def parsed(self) -> Plans:
        """Return the plans as we read them."""
        return parse_plans(self.info(), Path("model.pkl"))

    def plans(self) -> dict[str, Any]:
        """Return plans as nnU-Net's planner writes them."""
        stage = {
            "batch_size": 2,
            "num_pool_per_axis": [sum(pool[axis] > 1 for pool in self.pools) for axis in range(len(self.patch))],
            "patch_size": np.array(self.patch),
            "median_patient_size_in_voxels": np.array([100, 128, 128]),
            "current_spacing": np.array(self.spacing_mm),
            "original_spacing": np.array(self.spacing_mm),
            "do_dummy_2D_data_aug": False,
            "pool_op_kernel_sizes": [list(pool) for pool in self.pools],
            "conv_kernel_sizes": [list(kernel) for kernel in self.kernels],
        }
        plans = {
            "num_stages": 1,
            "num_modalities": 1,
            "modalities": {0: "CT"},
            "normalization_schemes": OrderedDict({0: self.normalization}),
            "dataset_properties": {"intensityproperties": OrderedDict({0: OrderedDict(INTENSITIES)})},
            "num_classes": 4,
            "all_classes": [1, 2, 3, 4],
            "base_num_features": self.features,
            "use_mask_for_norm": OrderedDict({0: self.nonzero_only}),
            "keep_only_largest_region": None,
            "min_region_size_per_class": None,
            "transpose_forward": list(self.transpose),
            "transpose_backward": [int(axis) for axis in np.argsort(self.transpose)],
            "data_identifier": "nnUNetData_plans_v2.1",
            "plans_per_stage": {0: stage},
            "preprocessor_name": "PreprocessorFor2D" if len(self.patch) == 2 else "GenericPreprocessor",
            "conv_per_stage": 2,
        }
        return plans if self.export is None else {**plans, "segmentation_export_params": self.export}


def cubic(configuration: str, **others: Any) -> RandomModel:
    """Return a small 3d model: patch 16 by 32 by 32, pooled three times."""
    defaults = {
        "patch": (16, 32, 32),
        "spacing_mm": (4.0, 3.6, 3.6),
        "pools": ((1, 2, 2), (2, 2, 2), (2, 2, 2)),
        "kernels": ((1, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    }
    return RandomModel(configuration, **{**defaults, **others})


def flat(**others: Any) -> RandomModel:
    """Return a small 2d model: patch 48 by 48, pooled three times."""
    defaults = {"patch": (48, 48), "spacing_mm": (4.0, 3.6, 3.6), "pools": ((2, 2),) * 3, "kernels": ((3, 3),) * 4}
    return RandomModel("2d", **{**defaults, **others})


def segthor(*, features: int = 32, folds: int = 5) -> RandomModel:
    """Return 3d_fullres as nnU-Net v1 plans it for SegTHOR."""
    return RandomModel(
        "3d_fullres",
        patch=(64, 192, 160),
        spacing_mm=(2.5, 0.9765625, 0.9765625),
        pools=((1, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2)),
        kernels=((1, 3, 3), *((3, 3, 3),) * 5),
        features=features,
        folds=folds,
    )


def _weights(plans: Plans, missing: Sequence[int], background: float, seed: int) -> "OrderedDict[str, torch.Tensor]":
    """Return weights by which all labels, the missing ones apart, are about equally probable on smooth noise.

    The last convolution has no bias, so each of its rows is turned until its mean is nought, or that of the background.
    """
    torch.manual_seed(seed)
    network = build_network(plans).eval()
    last = network.seg_outputs[-1]
    captured: list[torch.Tensor] = []
    hook = last.register_forward_hook(lambda _module, inputs, _output: captured.append(inputs[0]))
    with torch.no_grad():
        network(torch.from_numpy(smooth_noise(plans.patch_size, seed)[None, None]))
    hook.remove()
    features = captured[0][0].flatten(1).double()
    mean, centred = features.mean(1), features - features.mean(1, keepdim=True)
    rows = torch.randn(plans.classes, len(features), dtype=torch.float64)
    rows -= (rows @ mean)[:, None] * mean / mean.square().sum()
    rows *= 4 / (rows @ centred).std(1, keepdim=True)
    rows[0] += background * mean / mean.square().sum()
    for label in missing:
        rows[label] = rows[0]  # of equal ones the first wins
    with torch.no_grad():
        last.weight.copy_(rows.reshape(last.weight.shape).float())
    return OrderedDict(network.state_dict())


def _dump(path: Path, content: object) -> None:
    with path.open("wb") as file:
        pickle.dump(content, file, protocol=4)
