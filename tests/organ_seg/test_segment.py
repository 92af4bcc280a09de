"""The label map is nnUNet_predict's, voxel by voxel, on a real chest CT."""

import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from ct_assets.ct_nifti.convert import convert
from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.ct_nifti.volume import load_label_map
from ct_assets.organ_seg.nnunet_model import NnunetModel
from ct_assets.organ_seg.segment import describe_organs, segment
from ct_assets.organs import ORGANS
from ct_assets.store.paths import SeriesFolder


@pytest.fixture(scope="module")
def chest(shared_data, tmp_path_factory) -> SeriesFolder:
    folder = SeriesFolder(tmp_path_factory.mktemp("chest"))
    convert(sorted((shared_data / "real/chest_ct_64/dicom").iterdir()), folder)
    return folder


@pytest.mark.parametrize("tta", [False, True])
def test_our_label_map_is_that_of_nnunet_predict(chest, model_home, tmp_path, tta):
    results = model_home / "models/demo"
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    (source / "chest_0000.nii.gz").symlink_to(chest.ct_nifti)
    command = [
        str(Path(sys.executable).parent / "nnUNet_predict"), "-i", str(source), "-o", str(target), "-f", "0",
        "-t", "Task055_SegTHOR", "-m", "3d_fullres",
        "--num_threads_preprocessing", "1", "--num_threads_nifti_save", "1",
        *([] if tta else ["--disable_tta"]),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "RESULTS_FOLDER": str(results)})
    model = NnunetModel(
        next((results / "nnUNet/3d_fullres").glob("*/*/fold_0")).parent,
        None,
        tta=tta,
        step_size=0.5,
        precision="mixed",
        device="cpu",
    )
    known = {"name": "demo", "tta": tta, "step_size": 0.5, "demonstration": True}
    record = segment(chest, "3d_fullres", known, model)
    expected = np.asarray(nib.load(target / "chest.nii.gz").dataobj)
    labels = load_label_map(chest.label_map("3d_fullres"))
    for label in ORGANS:
        allowed = max(2, 0.001 * np.count_nonzero(expected == label))
        assert np.count_nonzero((labels == label) != (expected == label)) <= allowed
    assert set(np.unique(labels)) > {0}
    assert record.provenance.tta is tta
    assert len(record.provenance.weights_digest) == 64
    ct = read_ct_record(chest.ct_record)
    assert ct.shape is not None
    np.testing.assert_allclose(nib.load(chest.label_map("3d_fullres")).affine, ct.affine, atol=1e-4)


def test_organs_are_described_by_label_and_a_missing_one_has_no_voxels():
    labels = np.zeros((10, 10, 10), dtype=np.uint8)
    labels[2:4, 3:6, 4:8] = 2
    labels[9, 9, 9] = 4
    organs = describe_organs(labels, (1.0, 2.0, 2.5))
    assert organs["heart"].voxels == 24
    assert organs["heart"].volume_ml == pytest.approx(24 * 5 / 1000)
    assert organs["heart"].box == ((2, 3), (3, 5), (4, 7))
    assert organs["aorta"].label == 4
    assert organs["esophagus"].voxels == 0
    assert organs["esophagus"].box is None
