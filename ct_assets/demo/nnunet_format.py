"""The demo segmentation models in the format of nnU-Net v1: plans, checkpoint and folder layout."""

from __future__ import annotations

import json
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from ct_assets.organ_seg.network import build_network
from ct_assets.organ_seg.plans import parse_plans

if TYPE_CHECKING:
    from numpy.typing import NDArray

Configuration = Literal["2d", "3d_lowres", "3d_fullres"]

CONFIGURATIONS: Final[tuple[Configuration, ...]] = ("2d", "3d_lowres", "3d_fullres")
"""The configurations that the demo has a model for."""
TASK: Final = "Task055_SegTHOR"
"""Task of the published weights, whose place the demo model takes."""
TRAINER: Final = "nnUNetTrainerV2"
"""Trainer class that nnU-Net restores the model with."""
PLANS_NAME: Final = "nnUNetPlansv2.1"
"""Name of the plans in the model folder."""
INTENSITIES: Final[dict[str, float]] = {
    "mean": 40.0, "sd": 220.0, "median": 80.0, "mn": -1024.0, "mx": 400.0,
    "percentile_00_5": -900.0, "percentile_99_5": 250.0,
}  # fmt: skip
"""CT numbers in HU by which the images are clipped (percentiles) and normalised (mean, sd)."""

_FEATURES = 8
_Stage = dict[str, Any]


def _stage(spacing: tuple[float, float, float], patch: tuple[int, ...], kernels: list[list[int]], batch: int) -> _Stage:
    pools = len(kernels) - 1
    return {
        "batch_size": batch,
        "num_pool_per_axis": [pools] * len(patch),
        "patch_size": np.array(patch, dtype=np.int64),
        "median_patient_size_in_voxels": np.array([72, 80, 80], dtype=np.int64),
        "current_spacing": np.array(spacing),
        "original_spacing": np.array([4.0, 2.2, 2.2]),
        "do_dummy_2D_data_aug": False,
        "pool_op_kernel_sizes": [[2] * len(patch)] * pools,
        "conv_kernel_sizes": kernels,
    }


_LOWRES = _stage((8.0, 7.0, 7.0), (40, 56, 56), [[1, 3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3]], 2)
_FULLRES = _stage((5.0, 4.0, 4.0), (48, 96, 96), [[1, 3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3]], 2)
_PLANE = _stage((4.0, 4.4, 4.4), (96, 96), [[3, 3]] * 5, 16)
_STAGES: Final[dict[Configuration, tuple[int, dict[int, _Stage]]]] = {
    "2d": (0, {0: _PLANE}),
    "3d_lowres": (0, {0: _LOWRES, 1: _FULLRES}),
    "3d_fullres": (1, {0: _LOWRES, 1: _FULLRES}),
}


def stage(configuration: Configuration) -> _Stage:
    """Give patch size, spacing, pooling and kernels of a configuration."""
    number, stages = _STAGES[configuration]
    return stages[number]


def plans(configuration: Configuration) -> dict[str, Any]:
    """Give the plans of a configuration, as nnU-Net's own planner would write them; plain and numpy types only."""
    _, stages = _STAGES[configuration]
    return {
        "num_stages": len(stages),
        "num_modalities": 1,
        "modalities": {0: "CT"},
        "normalization_schemes": OrderedDict({0: "CT"}),
        "dataset_properties": {"intensityproperties": OrderedDict({0: OrderedDict(INTENSITIES)})},
        "original_spacings": [np.array([4.0, 2.2, 2.2])],
        "original_sizes": [np.array([88, 184, 184])],
        "preprocessed_data_folder": "",
        "num_classes": 4,
        "all_classes": [1, 2, 3, 4],
        "base_num_features": _FEATURES,
        "use_mask_for_norm": OrderedDict({0: False}),
        "keep_only_largest_region": None,
        "min_region_size_per_class": None,
        "min_size_per_class": None,
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "data_identifier": "nnUNetData_plans_v2.1_2D" if configuration == "2d" else "nnUNetData_plans_v2.1",
        "plans_per_stage": stages,
        "preprocessor_name": "PreprocessorFor2D" if configuration == "2d" else "GenericPreprocessor",
        "conv_per_stage": 2,
    }


def model_folder(root: Path, configuration: Configuration) -> Path:
    """Give the folder of a configuration's model below a RESULTS_FOLDER."""
    return root / "nnUNet" / configuration / TASK / f"{TRAINER}__{PLANS_NAME}"


def write_model(
    root: Path, configuration: Configuration, weights: dict[str, NDArray[np.floating]], *, epoch: int = 0
) -> Path:
    """Write one configuration's model folder with a single fold.

    Parameters
    ----------
    root
        The folder that serves as RESULTS_FOLDER.
    configuration
        2d, 3d_lowres or 3d_fullres.
    weights
        The network's state dict as arrays of any float type; stored as float32.
    epoch
        Number of epochs to state in the checkpoint.

    Returns
    -------
    Path
        The model folder. The same weights give the same bytes.
    """
    import torch

    folder = model_folder(root, configuration)
    fold = folder / "fold_0"
    fold.mkdir(parents=True, exist_ok=True)
    content = plans(configuration)
    _dump(folder / "plans.pkl", content)
    (folder / "postprocessing.json").write_text(
        json.dumps({"for_which_classes": [], "min_valid_object_sizes": "None"}) + "\n"
    )
    state = OrderedDict(
        (name, torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))) for name, array in weights.items()
    )
    checkpoint = {
        "epoch": epoch,
        "state_dict": state,
        "optimizer_state_dict": None,
        "lr_scheduler_state_dict": None,
        "plot_stuff": ([0.0] * epoch, [0.0] * epoch, [], [0.0] * epoch),
        "best_stuff": (None, None, None),
    }
    torch.save(checkpoint, fold / "model_final_checkpoint.model")
    _dump(fold / "model_final_checkpoint.model.pkl", checkpoint_plans(content, configuration))
    return folder


def checkpoint_plans(content: dict[str, Any], configuration: Configuration) -> dict[str, Any]:
    """Give what lies beside a checkpoint: the plans, and the arguments of the trainer, the stage among them."""
    number, _ = _STAGES[configuration]
    init = ("plans.pkl", 0, "results", "preprocessed", configuration == "2d", number, True, False, True)
    name = str(TRAINER)
    trainer_class = f"<class 'nnunet.training.network_training.{name}.{name}'>"
    return {"init": init, "name": name, "class": trainer_class, "plans": content}


def untrained_network(configuration: Configuration) -> Any:
    """Build the untrained network exactly as nnUNetTrainerV2 builds it from the plans."""
    from nnunet.network_architecture.initialization import InitWeights_He

    network = build_network(parse_plans(checkpoint_plans(plans(configuration), configuration), Path("plans.pkl")))
    return network.apply(InitWeights_He(1e-2))


def _dump(path: Path, content: object) -> None:
    with path.open("wb") as file:
        pickle.dump(content, file, protocol=4)
