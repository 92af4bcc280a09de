"""Odd CTs end in a clear result: a label map, with a remark where one is due, or an error that says why."""

from pathlib import Path

import numpy as np
import pytest

from ct_assets.ct_nifti.convert import convert
from ct_assets.ct_nifti.volume import load_label_map
from ct_assets.organ_seg.nnunet_model import NnunetModel
from ct_assets.organ_seg.record import read_label_map_record
from ct_assets.organ_seg.segment import segment
from ct_assets.organ_seg.unsuitable import UnsuitableCtError
from ct_assets.store.paths import SeriesFolder
from tests.organ_seg.examples import oblique, phantom_hu, write_scan
from tests.organ_seg.random_models import RandomModel, cubic, flat

MODELS = {"2d": flat(folds=1), "3d_fullres": cubic("3d_fullres", folds=1)}
SPACING = (2.0, 2.0, 3.0)


@pytest.fixture(scope="module", params=MODELS)
def model(request, tmp_path_factory) -> NnunetModel:
    return _loaded(MODELS[request.param], tmp_path_factory.mktemp("models"))


def _loaded(model: RandomModel, root: Path) -> NnunetModel:
    return NnunetModel(model.write(root), None, tta=False, step_size=0.5, precision="mixed", device="cpu")


def test_a_ct_of_zeros_has_no_organs_and_says_so(model):
    prediction = model(np.zeros((40, 50, 20), dtype=np.int16), SPACING)
    assert prediction.labels.shape == (40, 50, 20)
    assert not prediction.labels.any()
    assert prediction.remark == "all voxels are 0 HU: there is nothing to segment"


def test_a_ct_of_nan_has_no_organs_and_says_so(model):
    prediction = model(np.full((40, 50, 20), np.nan, dtype=np.float32), SPACING)
    assert not prediction.labels.any()
    assert prediction.remark == "40000 voxels that are no finite number were taken as 0 HU"


def test_a_constant_ct_is_segmented(model):
    """What a network makes of air is its own affair, but it is a label map; CT2 refuses it (test_preprocess)."""
    volume = np.full((40, 50, 20), -1000, dtype=np.int16)
    prediction = model(volume, SPACING)
    assert prediction.labels.shape == volume.shape
    assert prediction.remark is None


@pytest.mark.parametrize("slices", [1, 2])
def test_a_ct_of_one_slice_is_segmented(model, slices):
    volume = phantom_hu()[:, :, 40 : 40 + slices]
    assert model(volume, SPACING).labels.shape == volume.shape


def test_a_ct_of_1000_slices_is_segmented(model):
    volume = np.repeat(phantom_hu()[60:130:2, 60:130:2], 13, axis=2)[:, :, :1000]
    labels = model(volume, (4.4, 4.4, 0.35)).labels
    assert labels.shape == (35, 35, 1000)
    assert labels.any()


@pytest.mark.parametrize("spacing", [(0.0, 1.0, 1.0), (1.0, 1.0, -2.0), (np.nan, 1.0, 1.0)])
def test_a_spacing_that_is_none_is_refused(model, spacing):
    with pytest.raises(UnsuitableCtError, match="spacing must be > 0"):
        model(np.ones((10, 10, 10), dtype=np.int16), spacing)


@pytest.mark.cuda
@pytest.mark.parametrize("kind", MODELS)
def test_a_gpu_gives_the_label_map_of_the_cpu(tmp_path, kind):
    folder, volume = MODELS[kind].write(tmp_path), phantom_hu()
    expected, single, mixed = (
        NnunetModel(folder, None, tta=True, step_size=0.5, precision=precision, device=device)(volume, SPACING)
        for precision, device in (("float32", "cpu"), ("float32", "cuda"), ("mixed", "cuda"))
    )
    assert np.mean(single.labels == expected.labels) > 0.999
    assert np.mean(mixed.labels == expected.labels) > 0.99
    assert mixed.mixed_precision


def test_hu_beyond_16_bits_are_not_wrapped(model):
    """Implants of more than 32767 HU are stored as floats; wrapped around they would be air, and not bone."""
    metal = phantom_hu()[::3, ::3, ::2].astype(np.float32)
    metal[28:34, 28:34, 15:20] = 40000
    limited = metal.clip(None, 3000)
    spacing = (3.6, 3.6, 4.0)  # that of the networks: nothing is resampled, and both are clipped to the same
    np.testing.assert_array_equal(model(metal, spacing).labels, model(limited, spacing).labels)


def test_stages_and_remark_are_in_the_record(shared_data, tmp_path, tmp_path_factory):
    series = SeriesFolder(tmp_path / "series")
    convert(sorted((shared_data / "real/chest_ct_64/dicom").iterdir()), series)
    known = {"name": "random", "tta": False, "step_size": 0.5, "demonstration": True}
    segment(series, "3d_fullres", known, _loaded(cubic("3d_fullres"), tmp_path_factory.mktemp("models")))
    record = read_label_map_record(series.label_map_record("3d_fullres"))
    assert list(record.stages) == ["read", "preprocess", "network", "export", "write"]
    assert 0 < sum(record.stages.values()) <= record.seconds
    assert record.remark is None
    assert record.provenance.folds == (0, 1)
    assert not record.provenance.mixed_precision, "a CPU computes in single precision"
    labels = load_label_map(series.label_map("3d_fullres"))
    for organ in record.organs.values():
        assert organ.voxels == np.count_nonzero(labels == organ.label)


def test_label_maps_have_the_geometry_of_an_oblique_ct(tmp_path):
    import nibabel as nib

    from ct_assets.ct_nifti.volume import save_label_map

    affine = oblique((2.0, 2.0, 3.0))
    path = write_scan(tmp_path / "ct.nii.gz", phantom_hu(), affine)
    save_label_map(np.ones(phantom_hu().shape, dtype=np.uint8), path, tmp_path / "labels.nii.gz")
    written = nib.load(tmp_path / "labels.nii.gz")
    np.testing.assert_array_equal(written.affine, nib.load(path).affine)
    assert written.get_data_dtype() == np.uint8
