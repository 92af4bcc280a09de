"""The demo models: real model folders, safe to load, the same every time, and good on phantoms they have not seen."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ct_assets.bpr_json.bpreg_import import import_inference_model
from ct_assets.demo.atlas import LANDMARK_HEIGHTS, VERTEBRAE
from ct_assets.demo.collection import CASES, DEFAULT_SEED
from ct_assets.demo.evaluation import (
    HELD_OUT_SEEDS,
    dice,
    landmark_errors,
    predict_organs,
    write_held_out,
)
from ct_assets.demo.models import WEIGHTS, install_models
from ct_assets.demo.nnunet_format import CONFIGURATIONS, model_folder
from ct_assets.demo.phantom import ORGANS, Phantom, make_phantom
from ct_assets.demo.train import TRAINING_SEEDS

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

DICE_BOUNDS = {"heart": 0.90, "aorta": 0.80, "trachea": 0.80, "esophagus": 0.60}
LUNG_MEDIAN_MM = 5.0
LUNG_MAX_MM = 10.0
VERTEBRAE_MEDIAN_MM = 10.0


@functools.cache
def held_out() -> list[Phantom]:
    return [make_phantom(seed) for seed in HELD_OUT_SEEDS]


class PlainUnpickler(pickle.Unpickler):
    """Loads nothing but containers and numpy arrays."""

    def find_class(self, module: str, name: str) -> object:
        assert (module.split(".")[0], name) in {
            ("collections", "OrderedDict"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("numpy", "_reconstruct"),
            ("numpy", "scalar"),
            ("numpy", "_frombuffer"),
            ("_codecs", "encode"),
        }, f"{module}.{name} in a model's pickle"
        return super().find_class(module, name)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_shipped_weights_are_small():
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 6_000_000


def test_installed_once_and_the_same_every_time(models, tmp_path):
    install_models(tmp_path)
    first = digests(tmp_path)
    assert {name.removeprefix("demo/"): digest for name, digest in first.items()} == digests(models)
    before = (tmp_path / "demo").stat().st_mtime_ns
    install_models(tmp_path)
    assert (tmp_path / "demo").stat().st_mtime_ns == before
    (tmp_path / "demo" / "demo_models.json").write_text("{}")
    install_models(tmp_path)
    assert digests(tmp_path) == first
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_every_folder_says_that_it_is_a_demonstration(models):
    for folder in [models / "bpreg", *(model_folder(models, c) for c in CONFIGURATIONS)]:
        card = json.loads((folder / "model_card.json").read_text())
        assert card["demonstration"] is True
        assert card["name"] == "ct-assets demonstration model"
        assert "not for real anatomy" in card["notice"]


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_segmentation_models_load_without_running_code(models, configuration):
    import torch

    folder = model_folder(models, configuration)
    for path in (folder / "plans.pkl", folder / "fold_0" / "model_final_checkpoint.model.pkl"):
        with path.open("rb") as file:
            PlainUnpickler(file).load()
    checkpoint = torch.load(folder / "fold_0" / "model_final_checkpoint.model", weights_only=True)
    assert all(torch.isfinite(value).all() for value in checkpoint["state_dict"].values())


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_nnunet_restores_the_model(models, configuration):
    from nnunet.training.model_restore import load_model_and_checkpoint_files

    trainer, parameters = load_model_and_checkpoint_files(
        str(model_folder(models, configuration)), folds=[0], checkpoint_name="model_final_checkpoint"
    )
    trainer.load_checkpoint_ram(parameters[0], train=False)
    assert len(parameters) == 1


def test_bpreg_loads_the_model_and_knows_all_landmarks(models):
    model = import_inference_model().InferenceModel(f"{models / 'bpreg'}/", gpu=0)
    assert list(model.lookuptable) == list(LANDMARK_HEIGHTS)
    assert len(model.lookuptable) == 35
    assert model.lookuptable["pelvis_start"]["mean"] == 0
    assert model.lookuptable["eyes_end"]["mean"] == 100


def test_held_out_phantoms_are_held_out():
    demo = {DEFAULT_SEED + case.number for case in CASES}
    assert not set(HELD_OUT_SEEDS) & demo
    assert max(TRAINING_SEEDS) + 1000 < min(HELD_OUT_SEEDS)
    assert max(demo) < min(TRAINING_SEEDS)


def test_organs_on_ten_held_out_phantoms(models, tmp_path):
    images, output = tmp_path / "images", tmp_path / "output"
    images.mkdir()
    phantoms = held_out()
    write_held_out(images, phantoms)
    predict_organs(models, "3d_fullres", images, output)
    scores = [dice(p, output / f"{p.patient.seed}.nii.gz") for p in phantoms]
    means = {organ: float(np.mean([score[organ] for score in scores])) for organ in ORGANS}
    logger.info("mean Dice %s", means)
    assert all(means[organ] >= bound for organ, bound in DICE_BOUNDS.items()), means


def test_landmarks_on_ten_held_out_phantoms(models):
    errors = landmark_errors(models / "bpreg", held_out())
    steps = max(phantom.spacing[0] for phantom in held_out())
    for name in ("lung_start", "lung_end"):
        assert len(errors[name]) == 10
        assert None not in errors[name], f"{name} is not located"
        found = np.abs(errors[name])
        logger.info("%s errors in mm %s", name, np.round(errors[name], 1))
        assert np.median(found) <= LUNG_MEDIAN_MM
        assert found.max() <= LUNG_MAX_MM + steps
    vertebrae = {name: values for name, values in errors.items() if name in VERTEBRAE}
    located = [abs(value) for values in vertebrae.values() for value in values if value is not None]
    share = len(located) / sum(len(values) for values in vertebrae.values())
    logger.info(
        "vertebrae: %d levels, %.0f %% located, median %.1f mm", len(vertebrae), 100 * share, np.median(located)
    )
    logger.info("median by vertebra %s", {name: medians(values) for name, values in vertebrae.items()})
    assert len(vertebrae) >= 12
    assert share >= 0.9
    assert np.median(located) <= VERTEBRAE_MEDIAN_MM
    assert all(medians(values) <= VERTEBRAE_MEDIAN_MM for values in vertebrae.values() if len(values) >= 5)


def medians(values: list[float | None]) -> float:
    return round(float(np.median([abs(value) for value in values if value is not None])), 1)
