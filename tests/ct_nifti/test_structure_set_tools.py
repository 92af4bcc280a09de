"""RTSTRUCTs that others made: by plastimatch from label maps, and real ones with the masks that were published."""

from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import binary_dilation, binary_erosion

from ct_assets.ct_nifti.structure_set import read_structure_set
from tests.ct_nifti.structure_sets import by_plastimatch, masks_by_plastimatch
from tests.dicom_seg.examples import EXAMPLES, Example, make_example, write_example

Masks = dict[str, npt.NDArray[np.bool_]]

TILTED = "oblique, non-square"
STRAIGHT = [name for name in EXAMPLES if name != TILTED and not name.startswith("demo")]
ALONG_THE_OUTLINE = 0.001
"""Voxels that may differ from plastimatch's, of those it has; they must be on the outline."""


def _drawn(example: Example) -> Masks:
    """A heart-sized ellipsoid, a shell of it, and two islands; not in the middle, so that a flip shows."""
    assert example.record.shape is not None
    shape, affine = np.asarray(example.record.shape), np.asarray(example.record.affine)
    extent = shape * np.linalg.norm(affine[:3, :3], axis=0)
    voxels = np.moveaxis(np.indices(shape), 0, -1) * np.linalg.norm(affine[:3, :3], axis=0)
    radii = np.minimum((50.0, 40.0, 45.0), extent * 0.3)

    def ellipsoid(centre: tuple[float, float, float], scale: float) -> npt.NDArray[np.bool_]:
        return np.asarray((((voxels - extent * centre) / (radii * scale)) ** 2).sum(axis=-1) < 1)

    heart = ellipsoid((0.4, 0.45, 0.5), 1)
    islands = ellipsoid((0.25, 0.3, 0.5), 0.45) | ellipsoid((0.7, 0.7, 0.5), 0.45)
    return {"Heart": heart, "Shell": heart & ~ellipsoid((0.42, 0.45, 0.5), 0.5), "Islands": islands}


def _read(path: Path, example: Example) -> Masks:
    names = {"heart": "Heart", "aorta": "Shell", "trachea": "Islands"}
    found = read_structure_set(path, example.record, names)
    return {names[organ]: structure.mask for organ, structure in found.items()}


def _assert_alike(ours: npt.NDArray[np.bool_], theirs: npt.NDArray[np.bool_], allowed: float) -> None:
    """Few voxels differ, and those only along the outline."""
    differing = ours != theirs
    assert differing.sum() <= allowed * theirs.sum()
    in_plane = np.ones((3, 3, 1), dtype=np.bool_)
    outline = binary_dilation(theirs, in_plane) & ~binary_erosion(theirs, in_plane)
    assert not np.any(differing & ~outline)


@pytest.mark.parametrize("name", STRAIGHT)
def test_a_label_map_comes_back_from_the_rtstruct_that_plastimatch_makes_of_it(name, tmp_path, shared_data):
    example = write_example(name, tmp_path, shared_data)
    drawn = _drawn(example)
    path = by_plastimatch(example, drawn, tmp_path / "rt")
    ours, theirs = _read(path, example), masks_by_plastimatch(path, example, tmp_path / "back")
    assert set(ours) == set(theirs) == set(drawn)
    for roi, mask in drawn.items():
        np.testing.assert_array_equal(ours[roi], mask, err_msg=roi)
        _assert_alike(ours[roi], theirs[roi], ALONG_THE_OUTLINE)


def test_on_oblique_slices_the_masks_are_those_of_plastimatch(tmp_path, shared_data):
    """plastimatch draws only part of what it is given there, but its contours are as good as others."""
    example = write_example(TILTED, tmp_path, shared_data)
    path = by_plastimatch(example, {"Heart": _drawn(example)["Heart"]}, tmp_path / "rt")
    ours, theirs = _read(path, example)["Heart"], masks_by_plastimatch(path, example, tmp_path / "back")["Heart"]
    assert ours.sum() > 1000
    assert 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum()) > 0.99
    _assert_alike(ours, theirs, 0.02)


def test_the_tumour_of_ibsi_is_the_published_mask(tmp_path, shared_data):
    example = write_example("ibsi_lung_ct", tmp_path, shared_data)
    folder = shared_data / "real/ibsi_lung_ct"
    found = read_structure_set(folder / "dicom/mask/DCM_RS_00060.dcm", example.record, {"heart": "GTV-1"})
    ours = found["heart"].mask
    image = nib.load(folder / "nifti/mask/mask.nii.gz")
    voxels = np.argwhere(np.asarray(image.dataobj) > 0)
    to_ct = np.linalg.inv(np.asarray(example.record.affine)) @ image.affine
    published = np.zeros_like(ours)
    published[tuple(np.rint(voxels @ to_ct[:3, :3].T + to_ct[:3, 3]).astype(int).T)] = True
    assert published.sum() == len(voxels) > 100_000
    _assert_alike(ours, published, 0.0001)


def test_a_tumour_drawn_at_a_siemens_scanner_is_that_of_plastimatch(tmp_path, shared_data):
    folder = shared_data / "real/lung_ct_crops/pat_2"
    example = make_example(sorted(folder.glob("DCM_IMG*")), tmp_path)
    path = folder / "DCM_RS_00041.dcm"
    ours = read_structure_set(path, example.record, {"heart": "GTV-1"})["heart"].mask
    assert ours.sum() > 500
    _assert_alike(ours, masks_by_plastimatch(path, example, tmp_path / "back")["GTV-1"], 0.02)
