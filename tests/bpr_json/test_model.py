"""A body part regression model that is not whole is refused; bpreg itself would go on with random weights."""

import shutil

import pytest
import torch

from ct_assets.bpr_json.bpreg_model import BpregModel
from ct_assets.provenance import ModelFormatError


def test_missing_weights_are_refused(model_home, tmp_path):
    folder = tmp_path / "bpreg"
    shutil.copytree(model_home / "models/demo/bpreg", folder)
    torch.save({"nothing.of.this.network": torch.zeros(3)}, folder / "model.pt")
    with pytest.raises(ModelFormatError, match=r"model\.pt: is not the body part regression network, \d+ weights"):
        BpregModel(str(folder), "cpu")
