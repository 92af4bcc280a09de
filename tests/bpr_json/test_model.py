"""A model folder that is not whole is refused by name; bpreg itself would go on with random weights."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from ct_assets.bpr_json.bpreg_model import BpregModel
from ct_assets.provenance import ModelFormatError


@pytest.fixture
def folder(bundles, tmp_path) -> Path:
    target = tmp_path / "bpreg"
    target.mkdir()
    for name in ("config.json", "inference-settings.json"):
        shutil.copy(bundles["demo"] / name, target)
    (target / "model.pt").symlink_to(bundles["demo"] / "model.pt")
    return target


def change_settings(folder: Path, change) -> None:
    path = folder / "inference-settings.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_missing_weights_are_refused(folder):
    (folder / "model.pt").unlink()
    torch.save({"nothing.of.this.network": torch.zeros(3)}, folder / "model.pt")
    with pytest.raises(ModelFormatError, match=r"model\.pt: is not the body part regression network, \d+ weights"):
        BpregModel(str(folder), "cpu")


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (lambda path: path.write_bytes(b"no weights"), "is no file of weights that can be read"),
        (lambda path: path.write_bytes(b""), "is no file of weights that can be read"),
        (lambda path: torch.save([1, 2], path), "holds something else than the weights"),
        (lambda path: torch.save({"fc7.bias": torch.tensor([float("nan")])}, path), "weight fc7.bias has values"),
        (lambda path: torch.save({"fc7.bias": torch.zeros(7)}, path), "bpreg cannot load this model"),
    ],
)
def test_a_damaged_file_of_weights_is_named(folder, write, told):
    (folder / "model.pt").unlink()
    write(folder / "model.pt")
    with pytest.raises(ModelFormatError, match=told):
        BpregModel(folder, "cpu")


@pytest.mark.parametrize("value", [0, -0.1, float("nan")])
def test_an_expected_slope_that_is_none_is_refused(folder, value):
    change_settings(folder, lambda content: content.update(slope_mean=value))
    with pytest.raises(ModelFormatError, match="missing or wrong: slope_mean"):
        BpregModel(folder, "cpu")


def test_scores_without_a_scale_are_refused(folder):
    def level(content):
        table = content["lookuptable_train_val"]["original"]
        table["eyes_end"] = table["pelvis_start"]

    change_settings(folder, level)
    with pytest.raises(ModelFormatError, match="scores have no scale"):
        BpregModel(folder, "cpu")


def test_a_configuration_that_is_no_json_is_named(folder):
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelFormatError, match=r"config\.json: is not JSON"):
        BpregModel(folder, "cpu")


def test_settings_without_a_key_are_refused(folder):
    change_settings(folder, lambda content: content.pop("slope_mean"))
    with pytest.raises(ModelFormatError, match=r"inference-settings\.json: .* missing or wrong: slope_mean"):
        BpregModel(folder, "cpu")


def test_settings_without_a_landmark_of_a_region_are_refused(folder):
    change_settings(folder, lambda content: content["lookuptable_train_val"]["transformed"].pop("Th12"))
    with pytest.raises(ModelFormatError, match="the look-up table lacks Th12"):
        BpregModel(folder, "cpu")


def test_settings_that_are_no_json_are_refused(folder):
    (folder / "inference-settings.json").write_text("{")
    with pytest.raises(ModelFormatError, match="is not JSON"):
        BpregModel(folder, "cpu")


@pytest.mark.parametrize(
    ("volume", "reason"),
    [
        (np.zeros((40, 40, 1), np.int16), "one slice"),
        (np.zeros((40, 40, 0), np.int16), "no voxels"),
        (np.full((40, 40, 9), -1000, np.int16), "empty"),
    ],
)
def test_a_volume_that_cannot_be_taken_is_an_answer(ours, volume, reason):
    prediction = ours("demo")(volume, np.diag([2.0, 2.0, 2.0, 1.0]))
    assert prediction.result is None
    assert reason in prediction.reason
    assert prediction.software.startswith("bpreg 1.1.0, torch ")
    assert len(prediction.weights_digest) == 64
