"""The consensus of the Image Biomarker Standardisation Initiative (IBSI reference manual, morphological features)."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from ct_assets.dicom.codes import feature_codes
from tests.shape_features.pyradiomics_oracle import we_say

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

DIGITAL_PHANTOM = {
    "Elongation": (0.816, 0.005),
    "Flatness": (0.749, 0.005),
    "LeastAxisLength": (8.54, 0.05),
    "MajorAxisLength": (11.4, 0.1),
    "Maximum3DDiameter": (13.1, 0.1),
    "MeshVolume": (556, 4),
    "MinorAxisLength": (9.31, 0.06),
    "Sphericity": (0.843, 0.005),
    "SurfaceArea": (388, 3),
    "SurfaceVolumeRatio": (0.698, 0.004),
    "VoxelVolume": (592, 4),
    "Compactness1": (0.0411, 0.0003),
    "Compactness2": (0.599, 0.004),
    "SphericalDisproportion": (1.19, 0.01),
}
"""Consensus value and tolerance."""

AXES = ("MajorAxisLength", "MinorAxisLength", "LeastAxisLength")


def test_lung_tumour_of_configuration_a(shared_data):
    folder = shared_data / "real/ibsi_lung_ct"
    image = nib.load(next((folder / "nifti/mask").glob("*.nii*")))
    values = we_say(np.asarray(image.dataobj) > 0, image.header.get_zooms()[:3])
    table = pd.read_csv(folder / "ibsi_consensus_values.csv", encoding="utf-8-sig")
    table = table[table["data_set"] == "configuration A"].set_index("tag")
    assert set(IBSI_TAGS) == set(feature_codes())
    for name, tag in IBSI_TAGS.items():
        consensus, tolerance = (float(table.loc[tag, column]) for column in ("benchmark_value", "tolerance"))
        assert abs(values[name] - consensus) <= tolerance, name


@pytest.fixture
def digital_phantom(shared_data) -> np.ndarray:
    """The mask of 74 voxels of 2 mm."""
    image = nib.load(shared_data / "real/ibsi_digital_phantom/mask/mask.nii.gz")
    assert image.header.get_zooms()[:3] == (2, 2, 2)
    mask = np.asarray(image.dataobj) > 0
    assert mask.sum() == 74
    return mask


def test_digital_phantom(digital_phantom):
    values = we_say(digital_phantom, (2, 2, 2))
    assert set(DIGITAL_PHANTOM) == set(feature_codes())
    for name, (consensus, tolerance) in DIGITAL_PHANTOM.items():
        if name not in AXES:
            assert abs(values[name] - consensus) <= tolerance, name


def test_axes_of_the_digital_phantom_differ_by_what_the_covariance_is_divided_by(digital_phantom):
    """The consensus divides by one voxel less than there are; pyradiomics, and so we, by all (its issue 610).

    Of 74 voxels this is 0.7 %, more than the tolerance of two of the axes; of an organ it is less than 0.01 %.
    """
    values = we_say(digital_phantom, (2, 2, 2))
    for name in AXES:
        consensus, tolerance = DIGITAL_PHANTOM[name]
        assert abs(values[name] * np.sqrt(74 / 73) - consensus) <= tolerance, name
        assert abs(values[name] - consensus) <= 0.01 * consensus, name
