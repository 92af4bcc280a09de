"""bpreg is the oracle: our scores and regions are those of `InferenceModel.nifti2json` on the same file and weights."""

import logging
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from ct_assets.bpr_json.bpreg_model import BpregModel
from ct_assets.ct_nifti.volume import load_scan

logger = logging.getLogger(__name__)

SCORES = "cleaned slice scores"
TOLERANCE = 1e-4

TURNS = {
    "feet last": np.diag([1, 1, -1]),
    "rows and columns reversed": np.diag([-1, -1, 1]),
    "all reversed": np.diag([-1, -1, -1]),
    "sagittal": np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]]),
    "sagittal, reversed": np.array([[0, 0, -1], [-1, 0, 0], [0, -1, 0]]),
    "coronal": np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "coronal, head first": np.array([[-1, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "columns and rows exchanged": np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]]),
}


def compare(path: Path, model, oracle) -> dict[str, Any]:
    """Require equal results and return them."""
    expected = oracle.nifti2json(str(path))
    prediction = model(*load_scan(path))
    assert prediction.reason is None
    found = prediction.result
    assert found is not None
    assert list(found) == list(expected)
    for key in (SCORES, "unprocessed slice scores"):
        np.testing.assert_allclose(found[key], expected[key], atol=TOLERANCE, rtol=0)
    logger.info("largest difference of a score: %.1e", np.nanmax(np.abs(np.subtract(found[SCORES], expected[SCORES]))))
    for key in ("z", "observed slope", "slope ratio", "expected z-spacing", "z-spacing"):
        np.testing.assert_allclose(found[key], expected[key], rtol=1e-4, atol=TOLERANCE)
    for key in (
        "body part examined",
        "body part examined tag",
        "look-up table",
        "reverse z-ordering",
        "valid z-spacing",
        "expected slope",
        "settings",
    ):
        np.testing.assert_equal(found[key], expected[key])
    return found


@pytest.mark.parametrize("bundle", ["demo", "random"])
@pytest.mark.parametrize("scan", ["demo 1", "chest_ct_64", "ibsi_lung_ct"])
def test_whole_scans(bundle, scan, scans, ours, bpreg):
    result = compare(scans[scan], ours(bundle), bpreg(bundle))
    # Otherwise equality would say little.
    assert np.ptp(result["unprocessed slice scores"]) > 1
    assert any(result["body part examined"].values())


def test_another_demo_ct(scans, ours, bpreg):
    compare(scans["demo 2"], ours("demo"), bpreg("demo"))


@pytest.fixture(scope="module")
def short(scans) -> nib.Nifti1Image:
    """Every tenth slice of a real chest, and few rows and columns: bpreg takes 0.1 s a slice, however it lies."""
    image = nib.load(scans["chest_ct_64"])
    return nib.Nifti1Image(np.asarray(image.dataobj)[::4, ::5, ::10], image.affine @ np.diag([4, 5, 10, 1]))


@pytest.mark.parametrize("bundle", ["demo", "random"])
@pytest.mark.parametrize("turn", TURNS)
def test_flipped_and_permuted_copies(bundle, turn, short, ours, bpreg, tmp_path):
    copy = turned(short, TURNS[turn])
    nib.save(copy, tmp_path / "copy.nii")
    compare(tmp_path / "copy.nii", ours(bundle), bpreg(bundle))


def turned(image: nib.Nifti1Image, turn: np.ndarray) -> nib.Nifti1Image:
    """Store the same voxels at the same places in another order."""
    order = np.column_stack([np.argmax(np.abs(turn), axis=1), turn.sum(axis=1)])
    return image.as_reoriented(order)


@pytest.mark.parametrize("bundle", ["demo", "random"])
@pytest.mark.parametrize("zooms", [(9.0, 9.0, 2.0), (3.1, 6.7, 12.0), (11.0, 4.0, 30.0), (3.5, 3.5, 5.0)])
def test_anisotropic_copies(bundle, zooms, short, ours, bpreg, tmp_path):
    signs = np.sign(np.diag(short.affine)[:3])
    nib.save(nib.Nifti1Image(np.asarray(short.dataobj), np.diag([*signs * zooms, 1])), tmp_path / "copy.nii")
    compare(tmp_path / "copy.nii", ours(bundle), bpreg(bundle))


def test_oblique_copy(short, ours, bpreg, tmp_path):
    angle = np.deg2rad(20)
    tilt = np.eye(4)
    tilt[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    nib.save(nib.Nifti1Image(np.asarray(short.dataobj), tilt @ short.affine), tmp_path / "copy.nii")
    compare(tmp_path / "copy.nii", ours("demo"), bpreg("demo"))


@pytest.mark.cuda
@pytest.mark.parametrize("bundle", ["demo", "random"])
def test_scores_on_cuda(bundle, bundles, scans, bpreg):
    compare(scans["chest_ct_64"], BpregModel(bundles[bundle], "cuda"), bpreg(bundle))
