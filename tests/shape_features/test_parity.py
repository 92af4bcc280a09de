"""Our features beside pyradiomics 3.0.1: random blobs, demo organs, published label maps, turned images."""

from collections.abc import Callable

import nibabel as nib
import nrrd
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from ct_assets.demo.phantom import make_phantom
from ct_assets.dicom.codes import feature_codes
from ct_assets.organs import ORGANS
from ct_assets.shape_features.measure import measure_organs
from ct_assets.shape_features.organ_mask import organ_of_mask, organs_of_label_map
from tests.shape_features.pyradiomics_oracle import DEGENERATE_MM, assert_equal, pyradiomics_says, we_say

Random = np.random.Generator
SEEDS = 25


def smooth(random: Random) -> np.ndarray:
    noise = ndimage.gaussian_filter(random.standard_normal(random.integers(8, 30, 3)), random.uniform(1, 3))
    return np.pad(noise > np.quantile(noise, 0.8), 1)


def components(random: Random) -> np.ndarray:
    """Two to five boxes, apart or touching by a corner or an edge."""
    mask = np.zeros(random.integers(14, 28, 3), dtype=bool)
    for _ in range(random.integers(2, 6)):
        low, size = random.integers(1, np.array(mask.shape) - 7), random.integers(1, 6, 3)
        mask[tuple(slice(*ends) for ends in zip(low, low + size, strict=True))] = True
    return mask


def holes(random: Random) -> np.ndarray:
    mask = smooth(random)
    return ndimage.binary_dilation(mask, iterations=2) & ~mask


def thin_shell(random: Random) -> np.ndarray:
    mask = np.pad(smooth(random), 2)
    return mask & ~ndimage.binary_erosion(mask)


def thin_thread(random: Random) -> np.ndarray:
    """A path of voxels that touch by a face, an edge or a corner."""
    steps = random.integers(-1, 2, (60, 3))
    path = np.cumsum(steps, axis=0)
    path -= path.min(axis=0) - 1
    mask = np.zeros(path.max(axis=0) + 2, dtype=bool)
    mask[tuple(path.T)] = True
    return mask


def slanted_plane(random: Random) -> np.ndarray:
    """A plane one voxel thick, along no axis: its smallest axis has no length."""
    mask = np.zeros((9, 9, 9), dtype=bool)
    x, y = np.meshgrid(np.arange(1, random.integers(4, 8)), np.arange(1, random.integers(4, 8)))
    mask[x, y, x if random.random() < 0.5 else y] = True
    return mask


def at_the_border(random: Random) -> np.ndarray:
    mask = smooth(random)[1:-1, 1:-1, 1:-1]
    mask[0, : mask.shape[1] // 2] = True
    mask[:, -1, -3:] = True
    return mask


def salt(random: Random) -> np.ndarray:
    return random.random(random.integers(3, 16, 3)) < random.uniform(0.05, 0.9)


KINDS = (smooth, components, holes, thin_shell, thin_thread, slanted_plane, at_the_border, salt)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_random_blobs(kind: Callable[[Random], np.ndarray]):
    for seed in range(SEEDS):
        random = np.random.default_rng([seed, KINDS.index(kind)])
        mask, spacing = kind(random), random.uniform(0.4, 4, 3)
        assert_equal(we_say(mask, spacing), pyradiomics_says(mask, spacing))


def test_the_kinds_are_what_they_say():
    def numbers(kind: Callable[[Random], np.ndarray]) -> list[np.ndarray]:
        return [kind(np.random.default_rng([seed, KINDS.index(kind)])) for seed in range(SEEDS)]

    assert len(KINDS) * SEEDS == 200
    assert max(organ_of_mask(mask, 1, "heart", np.eye(4), "").components for mask in numbers(components)) > 2
    assert any((ndimage.binary_fill_holes(mask) & ~mask).any() for mask in numbers(holes))
    assert not any(ndimage.binary_erosion(mask).any() for mask in numbers(thin_shell))
    assert all(we_say(mask, (1, 1, 1))["LeastAxisLength"] < DEGENERATE_MM for mask in numbers(slanted_plane))
    assert all(organ_of_mask(mask, 1, "heart", np.eye(4), "").at_border for mask in numbers(at_the_border))


REFUSED = {
    "single voxel": (1, 1, 1),
    "line": (1, 5, 1),
    "planar, sagittal": (1, 6, 7),
    "planar, coronal": (6, 1, 7),
    "planar, axial": (6, 7, 1),
}


@pytest.mark.parametrize("extents", REFUSED.values(), ids=REFUSED)
def test_what_pyradiomics_refuses_we_refuse(extents):
    mask = np.zeros((12, 12, 12), dtype=bool)
    mask[tuple(slice(3, 3 + extent) for extent in extents)] = True
    with pytest.raises(ValueError, match=r"1 segmented voxel|too few dimensions"):
        pyradiomics_says(mask, (1, 1, 2))
    organ = organ_of_mask(mask, 1, "esophagus", np.eye(4), "")
    assert organ.refusal is not None
    assert "shape needs three dimensions" in organ.refusal


def test_the_least_that_pyradiomics_measures_we_measure():
    mask = np.zeros((6, 6, 6), dtype=bool)
    mask[2, 2, 2] = mask[3, 3, 3] = True
    assert_equal(we_say(mask, (1, 1, 2)), pyradiomics_says(mask, (1, 1, 2)))


def fragment(*voxels: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros((6, 6, 6), dtype=bool)
    mask[tuple(np.array(voxels).T + 1)] = True
    return mask


NO_VOLUME = fragment((0, 0, 1), (0, 2, 2), (1, 2, 1), (2, 2, 0))
NEGATIVE = fragment((0, 0, 0), (1, 1, 1), (2, 0, 1), (2, 1, 0))


def test_a_mesh_without_volume_has_no_ratio_to_it():
    """pyradiomics divides by zero, or by what rounding leaves of it, and writes an error into its log."""
    ours, theirs = we_say(NO_VOLUME, (1, 1, 1)), pyradiomics_says(NO_VOLUME, (1, 1, 1))
    assert ours["MeshVolume"] == 0
    assert ours["MeshVolume"] == pytest.approx(theirs["MeshVolume"], abs=1e-12)
    for name in ("SurfaceVolumeRatio", "SphericalDisproportion"):
        assert np.isnan(ours.pop(name))
        assert np.isnan(theirs.pop(name))
    assert ours["Sphericity"] == ours["Compactness1"] == ours["Compactness2"] == 0
    same = [name for name in ours if name not in {"MeshVolume", "Sphericity", "Compactness1", "Compactness2"}]
    assert_equal({name: ours[name] for name in same}, {name: theirs[name] for name in same})


def test_a_mesh_with_gaps_may_have_a_negative_volume():
    ours = we_say(NEGATIVE, (1, 1, 1))
    assert ours["MeshVolume"] < -0.05
    assert_equal(ours, pyradiomics_says(NEGATIVE, (1, 1, 1)))


@pytest.mark.parametrize("side", [9, 30, 80])
def test_an_axis_without_length_is_exactly_zero(side):
    """What pyradiomics leaves of it is the root of its rounding, so that only a small plane's is within 1e-6 mm."""
    plane = np.zeros((side + 2,) * 3, dtype=bool)
    x, y = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
    plane[x + 1, y + 1, x + 1] = True
    thread = np.zeros_like(plane)
    thread[range(1, side), range(1, side), range(1, side)] = True
    of_plane, of_thread = we_say(plane, (0.9, 0.9, 2.5)), we_say(thread, (0.9, 0.9, 2.5))
    assert of_plane["LeastAxisLength"] == of_plane["Flatness"] == 0
    assert of_thread["LeastAxisLength"] == of_thread["MinorAxisLength"] == of_thread["Elongation"] == 0
    assert of_plane["MinorAxisLength"] > side / 2
    assert pyradiomics_says(plane, (0.9, 0.9, 2.5))["LeastAxisLength"] < 1e-5


@pytest.fixture(scope="module")
def demo_labels() -> tuple[np.ndarray, np.ndarray]:
    """The organs of a demo phantom in the order of NIfTI, and the voxel size in mm."""
    phantom = make_phantom(7)
    return np.asfortranarray(phantom.labels.transpose(2, 1, 0)), np.array(phantom.spacing[::-1])


@pytest.mark.parametrize("engine", ["fast", "pyradiomics"])
def test_demo_organs(demo_labels, engine):
    labels, spacing = demo_labels
    affine = np.diag([*spacing, 1.0])
    table = measure_organs(
        organs_of_label_map(labels, ORGANS, affine, ""),
        affine,
        series_instance_uid="1.2",
        model="2d",
        weights_digest=None,
        engine=engine,
    )
    for label, organ in ORGANS.items():
        ours = table[table["organ"] == organ].set_index("feature")["value"].to_dict()
        assert_equal(ours, pyradiomics_says(labels == label, spacing))


def affines() -> dict[str, np.ndarray]:
    """Directions of the axes of an image: turned, flipped, oblique."""
    oblique = Rotation.from_euler("xyz", [12, -25, 40], degrees=True).as_matrix()
    return {
        "axial": np.diag([-1.0, -1.0, 1.0]),
        "feet up": np.diag([-1.0, -1.0, -1.0]),
        "sagittal": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
        "rotated 90 degrees": np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
        "oblique": oblique,
        "oblique and flipped": oblique @ np.diag([1.0, -1.0, 1.0]),
    }


@pytest.mark.parametrize("direction", affines().values(), ids=affines())
def test_it_does_not_matter_how_the_image_lies(demo_labels, direction):
    labels, spacing = demo_labels
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = direction * spacing, (30, -200, 1500)
    organs = organs_of_label_map(labels, {2: "heart"}, affine, "")
    table = measure_organs(organs, affine, series_instance_uid="1.2", model="2d", weights_digest=None)
    theirs = pyradiomics_says(labels == 2, spacing, np.diag([-1, -1, 1]) @ direction)
    assert_equal(table.set_index("feature")["value"].to_dict(), theirs)


PUBLISHED = {"brain1": 1e-3, "brain2": 1e-11, "lung1": 1e-11}
"""Largest relative difference of pyradiomics 3.0.1 from what was published with its version 2."""


@pytest.mark.parametrize("case", PUBLISHED)
def test_published_baseline_of_pyradiomics(shared_data, case):
    folder = shared_data / "real/pyradiomics_shape_baseline"
    labels, header = nrrd.read(str(folder / f"{case}_label.nrrd"))
    spacing = np.linalg.norm(header["space directions"], axis=1)
    ours, theirs = we_say(labels == 1, spacing), pyradiomics_says(labels == 1, spacing)
    assert_equal(ours, theirs)
    published = pd.read_csv(folder / "baseline_shape.csv", index_col=0)[case]
    compared = [name for name in feature_codes() if f"original_shape_{name}" in published.index]
    assert len(compared) == 11
    for name in compared:
        value = float(published[f"original_shape_{name}"])
        of_pyradiomics = abs(theirs[name] / value - 1)
        assert of_pyradiomics <= PUBLISHED[case], name
        assert abs(ours[name] / value - 1) <= of_pyradiomics + 1e-11, name


def test_ibsi_lung_tumour(shared_data):
    image = nib.load(next((shared_data / "real/ibsi_lung_ct/nifti/mask").glob("*.nii*")))
    mask, spacing = np.asarray(image.dataobj) > 0, image.header.get_zooms()[:3]
    assert_equal(we_say(mask, spacing), pyradiomics_says(mask, spacing))
