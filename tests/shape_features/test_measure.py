"""Shape features: analytic truth, the IBSI consensus, pyradiomics' published baseline."""

import nibabel as nib
import nrrd
import numpy as np
import pandas as pd
import pytest

from ct_assets.dicom.codes import feature_codes
from ct_assets.shape_features.measure import ORGAN_MISSING, OrganMask, measure_organs


def _measure(mask, spacing):
    affine = np.diag([*spacing, 1.0])
    frame = measure_organs(
        {"heart": OrganMask(2, np.asarray(mask, dtype=bool), "s")},
        affine,
        series_instance_uid="1.2",
        model="2d",
        weights_digest="d",
    )
    return frame.set_index("feature")


def test_a_sphere_has_its_volume_and_sphericity():
    grid = np.indices((60, 60, 60)) * 0.5
    values = _measure(((grid - 15) ** 2).sum(0) <= 12**2, (0.5, 0.5, 0.5))["value"]
    assert values["MeshVolume"] == pytest.approx(4 / 3 * np.pi * 12**3, rel=0.01)
    assert values["Maximum3DDiameter"] == pytest.approx(24, abs=1)
    assert 0.9 < values["Sphericity"] <= 1
    assert values["Elongation"] == pytest.approx(1, abs=1e-9)


def test_anisotropic_voxels_count_in_mm():
    mask = np.zeros((20, 20, 20), bool)
    mask[4:14, 4:9, 4:8] = True
    values = _measure(mask, (1.0, 2.0, 2.5))["value"]
    assert values["VoxelVolume"] == pytest.approx(10 * 10 * 10)


def test_an_organ_at_the_border_of_the_image_is_measured_like_one_inside():
    inside, border = np.zeros((12, 12, 12), bool), np.zeros((12, 12, 12), bool)
    inside[3:8, 3:8, 3:8] = True
    border[0:5, 7:12, 0:5] = True
    pd.testing.assert_series_equal(_measure(inside, (1, 1, 2))["value"], _measure(border, (1, 1, 2))["value"])


def test_what_cannot_be_measured_has_null_values_and_a_reason():
    mask = np.zeros((10, 10, 10), bool)
    assert set(_measure(mask, (1, 1, 1))["reason"]) == {ORGAN_MISSING}
    mask[2:5, 2:5, 4] = True
    flat = _measure(mask, (1, 1, 1))
    assert flat["value"].isna().all()
    assert flat["reason"].str.contains("flat").all()
    assert len(flat) == len(feature_codes()) == 14


IBSI_TAGS = {
    "Elongation": "morph_pca_elongation",
    "Flatness": "morph_pca_flatness",
    "LeastAxisLength": "morph_pca_least_axis",
    "MajorAxisLength": "morph_pca_maj_axis",
    "Maximum3DDiameter": "morph_diam",
    "MeshVolume": "morph_volume",
    "MinorAxisLength": "morph_pca_min_axis",
    "Sphericity": "morph_sphericity",
    "SurfaceArea": "morph_area_mesh",
    "SurfaceVolumeRatio": "morph_av",
    "VoxelVolume": "morph_vol_approx",
    "Compactness1": "morph_comp_1",
    "Compactness2": "morph_comp_2",
    "SphericalDisproportion": "morph_sph_dispr",
}


def test_the_ibsi_lung_tumour_lies_within_the_consensus(shared_data):
    folder = shared_data / "real/ibsi_lung_ct"
    image = nib.load(next((folder / "nifti/mask").glob("*.nii*")))
    values = _measure(np.asarray(image.dataobj) > 0, image.header.get_zooms()[:3])["value"]
    table = pd.read_csv(folder / "ibsi_consensus_values.csv", encoding="utf-8-sig")
    table = table[table["data_set"] == "configuration A"].set_index("tag")
    assert set(IBSI_TAGS) == set(feature_codes())
    for name, tag in IBSI_TAGS.items():
        consensus, tolerance = (float(table.loc[tag, column]) for column in ("benchmark_value", "tolerance"))
        assert abs(values[name] - consensus) <= tolerance, name


def test_pyradiomics_published_baseline_holds(shared_data):
    folder = shared_data / "real/pyradiomics_shape_baseline"
    baseline = pd.read_csv(folder / "baseline_shape.csv", index_col=0)["lung1"]
    labels, header = nrrd.read(str(folder / "lung1_label.nrrd"))
    spacing = [float(np.linalg.norm(row)) for row in header["space directions"]]
    values = _measure(labels == 1, spacing)["value"]
    compared = [name for name in feature_codes() if f"original_shape_{name}" in baseline.index]
    assert len(compared) == 11
    for name in compared:
        assert values[name] == pytest.approx(float(baseline[f"original_shape_{name}"]), rel=1e-9), name
