"""The asset and its checks as Dagster runs them: preview, tables, and a failed check where the series asks for it."""

import base64
import io
from pathlib import Path

import dagster as dg
import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from ct_assets.bpr_json.asset import bpr_json
from ct_assets.bpr_json.checks import bpr_json_checks
from ct_assets.collection import Collection
from ct_assets.ct_nifti.volume import load_scan
from ct_assets.partitions import scopes
from resources.compute import Compute
from resources.model_store import ModelStore
from resources.series_store import SeriesStore
from tests.bpr_json.test_score import UID, series


def materialize(root: Path, model_home: Path, volume: np.ndarray, affine: np.ndarray) -> dg.ExecuteInProcessResult:
    collection = Collection.model_validate(
        {
            "name": "some",
            "title": "Some",
            "demonstration": True,
            "source": {"kind": "folder", "path": "/nowhere"},
            "organ_segmentation": {"model": "demo"},
            "body_part_regression": {"model": "demo"},
        }
    )
    folder = series(root / "some" / "series", volume, affine)
    nib.save(nib.Nifti1Image(volume, affine), folder.ct_nifti)
    (scope,) = scopes(collection)
    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions("some_series", [UID])
    resources = {
        "series_store": SeriesStore(root=str(root)),
        "model_store": ModelStore(root=str(model_home / "models")),
        "compute": Compute(kind="in_process"),
    }
    assets = [bpr_json(scope), *bpr_json_checks(scope)]
    return dg.materialize(assets, instance=instance, partition_key=UID, resources=resources)


def outcomes(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {evaluation.check_name: evaluation.passed for evaluation in result.get_asset_check_evaluations()}


def test_a_series_shows_its_landmarks(tmp_path, model_home, scans):
    result = materialize(tmp_path, model_home, *load_scan(scans["demo 1"]))
    metadata = result.asset_materializations_for_node("some__bpr_json")[0].metadata
    encoded = metadata["preview"].value.partition("base64,")[2].rstrip(")")
    assert Image.open(io.BytesIO(base64.b64decode(encoded))).size[0] > 400
    assert metadata["landmarks_located"].value >= 15
    assert "| lung_start" in metadata["landmarks"].value
    assert "| chest" in metadata["regions"].value
    assert metadata["notice"].value == "demonstration model, not for real anatomy"
    assert outcomes(result) == {"slices_scored": True, "valid_z_spacing": True, "z_ordering": True}


@pytest.mark.parametrize("case", ["one slice", "empty", "upside down", "half the spacing"])
def test_what_asks_for_review_fails_a_check_and_not_the_run(tmp_path, model_home, scans, case):
    volume, affine = load_scan(scans["demo 1"])
    failing = {"slices_scored"}
    if case == "one slice":
        volume = volume[:, :, :1]
    elif case == "empty":
        volume = np.full_like(volume, -1000)
    elif case == "upside down":
        volume, failing = np.ascontiguousarray(volume[:, :, ::-1]), {"z_ordering"}
    else:
        affine, failing = affine @ np.diag([1, 1, 0.5, 1]), {"valid_z_spacing"}
    result = materialize(tmp_path, model_home, volume, affine)
    assert result.success
    assert {name for name, passed in outcomes(result).items() if not passed} == failing
