"""The geometry check sees what conversion did not record, and nothing stale survives new files."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from ct_assets.ct_nifti.convert import convert
from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.ct_nifti.verify import differences_from_dicom
from ct_assets.ct_nifti.volume import save_label_map
from ct_assets.dicom.series import CtSeries
from ct_assets.organ_seg.prediction import Prediction
from ct_assets.organ_seg.record import StaleLabelMapError, read_label_map
from ct_assets.organ_seg.segment import segment
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.record import RecordError

KNOWN = {"name": "demo", "tta": False, "step_size": 0.5, "demonstration": True}


@pytest.fixture
def files(shared_data) -> list[Path]:
    return sorted((shared_data / "real/chest_ct_64/dicom").iterdir())


@pytest.fixture
def folder(files, tmp_path) -> SeriesFolder:
    folder = SeriesFolder(tmp_path)
    convert(files, folder)
    return folder


def _rewrite(folder: SeriesFolder, change) -> None:
    image = nib.load(folder.ct_nifti)
    data, affine = np.asarray(image.dataobj), image.affine.copy()
    data, affine = change(data, affine)
    nib.save(nib.Nifti1Image(data, affine), folder.ct_nifti)


def _shifted(data, affine):
    affine[2, 3] += 4
    return data, affine


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda data, affine: (data, affine), []),
        (lambda data, affine: (data[:, :, ::-1], affine), ["slice 0 has other pixels", "slice 78 has other pixels"]),
        (lambda data, affine: (data[::-1], affine), ["other pixels"]),
        (_shifted, ["from its place in DICOM"]),
        (lambda data, affine: (data[:, :, :-1], affine), ["64 x 64 x 78 voxels, but DICOM has"]),
    ],
    ids=["as it is", "slices reversed", "columns flipped", "shifted", "a slice short"],
)
def test_a_volume_that_is_not_dicoms_is_found_out(files, folder, change, found):
    _rewrite(folder, change)
    problems = "; ".join(differences_from_dicom(folder, read_ct_record(folder.ct_record), CtSeries.read(files)))
    assert bool(problems) is bool(found)
    for part in found:
        assert part in problems


def _predict(volume, _spacing):
    labels = np.zeros(volume.shape, dtype=np.uint8)
    labels[20:30, 20:30, 20:30] = 2
    return Prediction(labels, "0" * 64, (0,), mixed_precision=False, software="test", seconds={})


def test_a_label_map_of_other_files_is_refused(files, folder):
    segment(folder, "2d", KNOWN, _predict)
    labels, record = read_label_map(folder, "2d")
    assert record.organs["heart"].voxels == 1000 == np.count_nonzero(labels)
    save_label_map(np.zeros_like(labels), folder.ct_nifti, folder.label_map("2d"))
    with pytest.raises(StaleLabelMapError, match="materialize organ_seg again"):
        read_label_map(folder, "2d")


def test_new_files_remove_what_was_made_from_the_old_ones(files, folder):
    segment(folder, "2d", KNOWN, _predict)
    folder.qc_page.write_text("page")
    convert(files, folder)
    assert folder.qc_page.is_file(), "the same files keep what was made"
    convert(files[:-1], folder)
    assert sorted(path.name for path in folder.path.rglob("*") if path.is_file()) == ["ct.json", "ct.nii.gz"]


def test_models_that_are_no_longer_configured_leave_nothing(folder):
    for model in ("2d", "3d_fullres"):
        segment(folder, model, KNOWN, _predict)
    folder.remove_other_models(["3d_fullres"])
    assert sorted(path.name for path in (folder.path / "organ_seg").iterdir()) == [
        "3d_fullres.json",
        "3d_fullres.nii.gz",
    ]


def test_a_damaged_record_is_named_with_the_remedy(folder):
    folder.ct_record.write_text('{"schema_version": 1')
    with pytest.raises(RecordError, match=r"ct\.json is damaged .*materialize ct_nifti"):
        read_ct_record(folder.ct_record)
