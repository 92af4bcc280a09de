"""Our label maps are those of nnUNet_predict: the same weights, the same NIfTI files, one call per configuration."""

import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from ct_assets.ct_nifti.convert import convert
from ct_assets.ct_nifti.volume import load_scan, load_spacing
from ct_assets.demo.phantom import make_phantom
from ct_assets.organ_seg.nnunet_model import NnunetModel
from ct_assets.organs import ORGANS
from ct_assets.store.paths import SeriesFolder
from tests.organ_seg.examples import anisotropic, oblique, phantom_hu, write_scan
from tests.organ_seg.random_models import RandomModel, cubic, flat

_REMOVE = {"for_which_classes": [1, [2, 3], 4], "min_valid_object_sizes": "{1: 4000.0, (2, 3): 1e9, 4: 20000.0}"}


@pytest.fixture(scope="module")
def cases(shared_data, tmp_path_factory) -> Path:
    """A folder as nnU-Net wants it, <case>_0000.nii.gz."""
    folder, scratch = tmp_path_factory.mktemp("cases"), tmp_path_factory.mktemp("converted")
    real = shared_data / "real"
    spacing = make_phantom(1).spacing[::-1]
    write_scan(folder / "demo_0000.nii.gz", phantom_hu(1), np.diag([-spacing[0], -spacing[1], spacing[2], 1.0]))
    for name, dicom in (("chest", real / "chest_ct_64/dicom"), ("ibsi", real / "ibsi_lung_ct/dicom/image")):
        series = SeriesFolder(scratch / name)
        convert(sorted(dicom.iterdir()), series)
        (folder / f"{name}_0000.nii.gz").symlink_to(series.ct_nifti)
    write_scan(folder / "anisotropic_0000.nii.gz", anisotropic(), oblique((0.98, 0.98, 5.0)))
    return folder


def nnunet_predict(root: Path, model: RandomModel, cases: Path, out: Path, *options: str) -> Path:
    """Run the real command on a folder, with as few processes as it lets one ask for."""
    command = [
        str(Path(sys.executable).parent / "nnUNet_predict"), "-i", str(cases), "-o", str(out), "-t",
        "Task055_SegTHOR", "-m", model.configuration, "--num_threads_preprocessing", "1",
        "--num_threads_nifti_save", "1", *options,
    ]  # fmt: skip
    # Since torch 2.6 nnU-Net cannot read the numbers that it stores beside the weights, unless it may read anything.
    environment = {**os.environ, "RESULTS_FOLDER": str(root), "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return out


@pytest.mark.parametrize(
    ("model", "tta"),
    [
        pytest.param(flat(postprocessing={"for_which_classes": []}), False, id="2d"),
        pytest.param(cubic("3d_fullres", spacing_mm=(5.0, 4.5, 4.5)), False, id="3d_fullres"),
        pytest.param(
            cubic("3d_lowres", spacing_mm=(9.0, 11.0, 9.0), folds=5, transpose=(1, 0, 2), postprocessing=_REMOVE),
            True,
            id="3d_lowres-five_folds-mirrored-transposed-postprocessed",
        ),
        pytest.param(cubic("3d_lowres", spacing_mm=(8.0, 7.0, 7.0), missing=(3,)), False, id="3d_lowres-no_trachea"),
    ],
)
def test_our_label_maps_are_those_of_nnunet_predict(cases, tmp_path, model, tta):
    folder = model.write(tmp_path / "models")
    out = nnunet_predict(tmp_path / "models", model, cases, tmp_path / "out", *([] if tta else ["--disable_tta"]))
    ours = NnunetModel(folder, None, tta=tta, step_size=0.5, precision="mixed", device="cpu")
    assert ours.folds == tuple(range(model.folds))
    for path in sorted(cases.iterdir()):
        case = path.name.removesuffix("_0000.nii.gz")
        expected = np.asarray(nib.load(out / f"{case}.nii.gz").dataobj)
        labels = ours(load_scan(path)[0], load_spacing(path)).labels
        for label, organ in ORGANS.items():
            present, there = labels == label, expected == label
            differ, allowed = np.count_nonzero(present != there), max(2, 0.001 * np.count_nonzero(there))
            assert differ <= allowed, f"{case}: {organ}"
            assert there.any() != (label in model.missing), f"{case}: {organ}, the test shows nothing"
