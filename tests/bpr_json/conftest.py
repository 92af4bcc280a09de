"""Two loaded models, ours and bpreg's own, and real and phantom scans as NIfTI."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ct_assets.bpr_json.bpreg_import import import_inference_model
from ct_assets.bpr_json.bpreg_model import BpregModel
from ct_assets.ct_nifti.dcm2niix import run_dcm2niix
from ct_assets.demo.collection import DEFAULT_SEED
from ct_assets.demo.evaluation import write_nifti
from ct_assets.demo.phantom import make_phantom
from tests.bpr_json.bundles import write_random_bundle


@pytest.fixture(scope="session")
def bundles(_model_home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The demonstration model, and random weights in the real architecture."""
    random = write_random_bundle(tmp_path_factory.mktemp("bundles") / "random", seed=0)
    return {"demo": _model_home / "models/demo/bpreg", "random": random}


@pytest.fixture(scope="session")
def ours(bundles: dict[str, Path]) -> Callable[[str], BpregModel]:
    loaded: dict[str, BpregModel] = {}
    return lambda name: loaded.setdefault(name, BpregModel(bundles[name], "cpu"))


@pytest.fixture(scope="session")
def bpreg(bundles: dict[str, Path]) -> Callable[[str], Any]:
    """bpreg's own InferenceModel."""
    import torch

    loaded: dict[str, Any] = {}

    def load(name: str) -> Any:
        if name not in loaded:
            loaded[name] = import_inference_model().InferenceModel(f"{bundles[name]}/", gpu=0)
            loaded[name].model.to(memory_format=torch.channels_last)  # the same numbers in two thirds of the time
        return loaded[name]

    return load


@pytest.fixture(scope="session")
def scans(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Uncompressed NIfTI: two CTs of the demo collection's patients, and two real ones."""
    folder = tmp_path_factory.mktemp("scans")
    made = {}
    for number in (1, 2):
        made[f"demo {number}"] = folder / f"demo_{number}.nii"
        write_nifti(make_phantom(DEFAULT_SEED + number), made[f"demo {number}"])
    for name, place in (("chest_ct_64", "chest_ct_64/dicom"), ("ibsi_lung_ct", "ibsi_lung_ct/dicom/image")):
        files = sorted((shared_data / "real" / place).glob("*.dcm"))
        (made[name],) = run_dcm2niix(files, tmp_path_factory.mktemp(name)).volumes
    return made
