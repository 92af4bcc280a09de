"""A volume of which one bit is wrong is told from the one that was written."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from ct_assets.ct_nifti.volume import DamagedVolumeError, load_label_map, load_scan, load_volume


def _written(path: Path) -> Path:
    voxels = np.random.default_rng(0).integers(-1000, 1000, (20, 20, 20), dtype=np.int16)
    nib.save(nib.Nifti1Image(voxels, np.eye(4)), path)
    return path


@pytest.mark.parametrize("load", [load_volume, load_scan, load_label_map])
def test_a_turned_bit_is_found_wherever_it_is(tmp_path, load):
    """Many a bit of a compressed volume can be turned so that other HU come out, and no error."""
    path = _written(tmp_path / "ct.nii.gz")
    load(path)
    whole = path.read_bytes()
    for place in range(20, len(whole), len(whole) // 50):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DamagedVolumeError, match=rf"^{path} is damaged \(.*\); materialize \w+ for this series"):
            load(path)


def test_a_volume_that_is_not_there_names_what_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"ct\.nii\.gz is missing; materialize ct_nifti for this series first"):
        load_scan(tmp_path / "ct.nii.gz")


def test_an_uncompressed_volume_is_read_too(tmp_path):
    path = _written(tmp_path / "ct.nii")
    np.testing.assert_array_equal(load_scan(path)[0], np.asarray(nib.load(path).dataobj))
