"""DICOM to NIfTI on real series, and on copies that are turned, flipped and broken."""

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from ct_assets.ct_nifti.convert import convert
from ct_assets.ct_nifti.record import UnfitSeriesError, read_ct_record
from ct_assets.ct_nifti.volume import load_label_map, save_label_map
from ct_assets.dicom.series import CtSeries, InconsistentSeriesError, UnreadableDicomError
from ct_assets.store.paths import SeriesFolder

FIT = ["chest_ct_64/dicom", "ibsi_lung_ct/dicom/image", "dcmqi_examples/23x38x3/image"]
UNFIT = ["ct_gantry_tilt_4_slices", "ct_missing_slice", "ge_head_tilt_variable_spacing"]


def _pixels(path: Path) -> np.ndarray:
    dataset = pydicom.dcmread(path)
    return dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)


def _assert_slices_are_instances(files: list[Path], folder: SeriesFolder) -> None:
    """Every frame of ct.nii.gz has the pixels of the instance that ct.json says it is."""
    record = read_ct_record(folder.ct_record)
    by_uid = {str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID): path for path in files}
    frames = record.to_dicom(np.asarray(nib.load(folder.ct_nifti).dataobj))
    assert len(record.slices) == len(files) == len(frames)
    for frame, entry in zip(frames, record.slices, strict=True):
        np.testing.assert_array_equal(frame, _pixels(by_uid[entry.sop_instance_uid]))


@pytest.mark.parametrize("name", FIT)
def test_every_slice_is_the_instance_that_ct_json_says(shared_data, tmp_path, name):
    files = sorted((shared_data / "real" / name).iterdir())
    folder = SeriesFolder(tmp_path)
    record = convert(files, folder)
    assert record.fit
    _assert_slices_are_instances(files, folder)


@pytest.mark.parametrize("name", UNFIT)
def test_an_unfit_series_gets_a_reason_and_no_volume(shared_data, tmp_path, name):
    folder = SeriesFolder(tmp_path)
    record = convert(sorted((shared_data / "real/odd_geometry" / name).iterdir()), folder)
    assert not record.fit
    assert record.reasons
    assert [path.name for path in tmp_path.iterdir()] == ["ct.json"]
    with pytest.raises(UnfitSeriesError, match=record.series_instance_uid):
        read_ct_record(folder.ct_record)


@pytest.mark.parametrize(
    "orientation",
    [
        [1, 0, 0, 0, 1, 0],
        [-1, 0, 0, 0, 1, 0],
        [1, 0, 0, 0, -1, 0],
        [-1, 0, 0, 0, -1, 0],
        [0.98480775, 0.17364818, 0, -0.17364818, 0.98480775, 0],
        [1, 0, 0, 0, 0.98480775, 0.17364818],
    ],
    ids=["plain", "columns flipped", "rows flipped", "both flipped", "turned in plane", "oblique"],
)
@pytest.mark.parametrize("reverse_files", [False, True])
def test_flipped_and_oblique_series_keep_their_slices(shared_data, tmp_path, orientation, reverse_files):
    source = sorted((shared_data / "real/chest_ct_64/dicom").iterdir())[:12]
    normal = np.cross(orientation[:3], orientation[3:])
    files = []
    for number, path in enumerate(source):
        dataset = pydicom.dcmread(path)
        dataset.ImageOrientationPatient = orientation
        dataset.ImagePositionPatient = [
            round(float(value), 6) for value in np.array([10.0, -20.0, 30.0]) + 4 * number * normal
        ]
        dataset.InstanceNumber = len(source) - number if reverse_files else number + 1
        files.append(tmp_path / f"{len(source) - number if reverse_files else number:03d}.dcm")
        dataset.save_as(files[-1])
    folder = SeriesFolder(tmp_path / "out")
    record = convert(files, folder)
    assert record.fit, record.reasons
    _assert_slices_are_instances(files, folder)
    series = CtSeries.read(files)
    corner = np.asarray(nib.load(folder.ct_nifti).affine) @ [0, 0, 0, 1]
    k = [entry.sop_instance_uid for entry in record.slices].index(series.instances[0].sop_instance_uid)
    assert k in (0, len(files) - 1)
    index = [0 if not record.flip_columns else 63, 0 if not record.flip_rows else 63, k, 1]
    np.testing.assert_allclose(
        (np.asarray(record.affine) @ index)[:3] * [-1, -1, 1], series.instances[0].origin, atol=0.01
    )
    assert corner.shape == (4,)


def test_the_same_series_gives_the_same_bytes(shared_data, tmp_path):
    files = sorted((shared_data / "real/chest_ct_64/dicom").iterdir())
    first, second = SeriesFolder(tmp_path / "a"), SeriesFolder(tmp_path / "b")
    convert(files, first)
    convert(files[::-1], second)
    assert first.ct_nifti.read_bytes() == second.ct_nifti.read_bytes()
    assert first.ct_record.read_bytes() == second.ct_record.read_bytes()


def test_a_series_that_became_unfit_loses_its_old_volume(shared_data, tmp_path):
    files = sorted((shared_data / "real/chest_ct_64/dicom").iterdir())
    folder = SeriesFolder(tmp_path)
    convert(files, folder)
    convert([*files[:30], *files[31:]], folder)
    assert not folder.ct_nifti.exists()


def test_an_unreadable_file_is_named_with_the_remedy(shared_data, tmp_path):
    sources = sorted((shared_data / "real/chest_ct_64/dicom").iterdir())[:5]
    files = [Path(shutil.copyfile(path, tmp_path / path.name)) for path in sources]
    files[2].write_bytes(files[2].read_bytes()[:500])
    with pytest.raises(UnreadableDicomError, match=rf"{files[2].name}: is cut off in its header; copy it again"):
        convert(files, SeriesFolder(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_mixed_series_are_refused_with_the_attribute(shared_data):
    real = shared_data / "real"
    files = [*sorted((real / "chest_ct_64/dicom").iterdir()), *sorted((real / "ibsi_lung_ct/dicom/image").iterdir())]
    with pytest.raises(InconsistentSeriesError, match="SeriesInstanceUID differs"):
        CtSeries.read(files)


def test_a_label_map_takes_the_geometry_of_the_ct(shared_data, tmp_path):
    folder = SeriesFolder(tmp_path)
    record = convert(sorted((shared_data / "real/chest_ct_64/dicom").iterdir()), folder)
    assert record.shape is not None
    labels = np.zeros(record.shape, dtype=np.uint8)
    labels[3, 4, 5] = 4
    save_label_map(labels, folder.ct_nifti, folder.label_map("2d"))
    np.testing.assert_array_equal(load_label_map(folder.label_map("2d")), labels)
    np.testing.assert_array_equal(nib.load(folder.label_map("2d")).affine, nib.load(folder.ct_nifti).affine)
    np.testing.assert_array_equal(record.from_dicom(record.to_dicom(labels)), labels)
    with pytest.raises(ValueError, match="does not fit"):
        save_label_map(labels[1:], folder.ct_nifti, folder.label_map("2d"))
