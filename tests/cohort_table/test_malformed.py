"""Files that are broken in one way each: their series is excluded by name, and every other series goes on."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from ct_assets.cohort_table.criteria import judge, strict
from ct_assets.cohort_table.index.header_index import index_folder, unreadable_files
from ct_assets.cohort_table.manifest import series_files
from ct_assets.collection import Collection
from ct_assets.dicom.series import CT_IMAGE_STORAGE
from ct_assets.store.tables import COHORT, INSTANCES
from tests.cohort_table.cohorts import collection_of, selected

SLICES = 8


def _lenient(**chosen: object) -> Collection:
    return collection_of(**{"minimum_slices": 5, **chosen})


def _write_series(folder: Path, uid: str, syntax: str = ExplicitVRLittleEndian) -> list[Path]:
    folder.mkdir()
    files = []
    for number in range(SLICES):
        dataset = pydicom.Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.SOPClassUID, dataset.SOPInstanceUID = CT_IMAGE_STORAGE, f"{uid}.{number + 1}"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{uid}.0", uid
        dataset.PatientID, dataset.Modality, dataset.ImageType = "P", "CT", ["ORIGINAL", "PRIMARY"]
        dataset.ImagePositionPatient = [0, 0, 2 * number]
        dataset.ImageOrientationPatient, dataset.PixelSpacing = [1, 0, 0, 0, 1, 0], [1.5, 1.5]
        dataset.SliceThickness, dataset.NumberOfFrames = "2", "1"
        dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 16, 12, 1
        dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 1
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
        dataset.PixelData = np.random.default_rng(number).integers(-1000, 1000, (16, 12), dtype=np.int16).tobytes()
        files.append(folder / f"{number}.dcm")
        dataset.save_as(files[-1], enforce_file_format=True)
    return files


@pytest.fixture
def source(tmp_path) -> Path:
    """Two fit series, 1.2.1 in `bad` and 1.2.2 in `good`."""
    folder = tmp_path / "source"
    folder.mkdir()
    _write_series(folder / "bad", "1.2.1")
    _write_series(folder / "good", "1.2.2")
    return folder


def _set_raw(path: Path, keyword: str, text: str) -> None:
    """Write a value as it stands, which pydicom itself would refuse."""
    dataset = pydicom.dcmread(path)
    tag = pydicom.tag.Tag(keyword)
    vr = pydicom.datadict.dictionary_VR(tag)
    value = text.encode() + b" " * (len(text) % 2)
    raw = pydicom.dataelem.RawDataElement(tag, vr, len(value), value, 0, False, True)
    dataset._dict[tag] = raw
    dataset.save_as(path)


def _judged(folder: Path, tmp_path: Path, **chosen: object):
    """Index, select and write, as the asset does; return the cohort by series."""
    instances = index_folder(folder)
    cohort, _ = selected(instances, _lenient(**chosen))
    INSTANCES.write(instances, tmp_path / "instances.parquet")
    COHORT.write(cohort, tmp_path / "cohort.parquet")
    return cohort.set_index("SeriesInstanceUID")


@pytest.mark.parametrize(
    ("keyword", "text", "told"),
    [
        ("ImagePositionPatient", "1\\2", "has ImagePositionPatient with 2 values, not 3 finite numbers"),
        ("ImagePositionPatient", "1", "has ImagePositionPatient with 1 value, not 3 finite numbers"),
        ("ImagePositionPatient", "1\\2\\nan", "has ImagePositionPatient with 3 values, not 3 finite numbers"),
        ("ImagePositionPatient", "1\\2\\x", "has ImagePositionPatient with 3 values, not 3 finite numbers"),
        ("ImageOrientationPatient", "1\\0\\0", "has ImageOrientationPatient with 3 values, not 6 finite numbers"),
        ("ImageOrientationPatient", "1\\0\\0\\0\\inf\\0", "has ImageOrientationPatient with 6 values, not 6 finite"),
        ("PixelSpacing", "0\\0", "has PixelSpacing with 2 values, not 2 numbers above 0"),
        ("PixelSpacing", "inf\\1", "has PixelSpacing with 2 values, not 2 numbers above 0"),
        ("PixelSpacing", "1.5", "has PixelSpacing with 1 value, not 2 numbers above 0"),
        ("SliceThickness", "thin", "has SliceThickness with 1 value, not 1 finite number"),
        ("SliceThickness", "1\\2", "has SliceThickness with 2 values, not 1 finite number"),
        ("NumberOfFrames", "one", "has NumberOfFrames with 1 value, not 1 whole number"),
        ("NumberOfFrames", "9" * 30, "has NumberOfFrames with 1 value, not 1 whole number"),
        ("PatientID", "A\\B", "has PatientID with 2 values, not 1"),
        ("StudyInstanceUID", "1.2\\1.3", "has StudyInstanceUID with 2 values, not 1"),
    ],
)
def test_a_malformed_header_excludes_its_series_by_name_and_no_other(source, tmp_path, keyword, text, told):
    _set_raw(source / "bad/3.dcm", keyword, text)
    cohort = _judged(source, tmp_path)
    assert cohort["selected"].to_dict() == {"1.2.1": False, "1.2.2": True}
    assert "complete_files" in cohort.loc["1.2.1", "failed_criteria"]
    assert f"bad/3.dcm {told}" in cohort.loc["1.2.1", "reason"]
    assert unreadable_files(index_folder(source))["file"].tolist() == ["bad/3.dcm"]


@pytest.mark.parametrize("text", ["0\\0\\0\\0\\0\\0", "1\\0\\0\\1\\0\\0", "1\\0\\0\\0\\1.1\\0"])
def test_cosines_that_are_no_axes_exclude_their_series_and_no_other(source, tmp_path, text):
    for file in (source / "bad").iterdir():
        _set_raw(file, "ImageOrientationPatient", text)
    cohort = _judged(source, tmp_path)
    assert cohort["selected"].to_dict() == {"1.2.1": False, "1.2.2": True}
    assert "orthogonal_orientation" in cohort.loc["1.2.1", "failed_criteria"]
    assert _judged(source, tmp_path, profile="published")["selected"]["1.2.2"]


@pytest.mark.parametrize("profile", ["strict", "published"])
@pytest.mark.parametrize("z", ["1e300", "-9e18"])
def test_a_position_that_is_none_excludes_its_series_and_no_other(source, tmp_path, profile, z):
    _set_raw(source / "bad/3.dcm", "ImagePositionPatient", f"0\\0\\{z}")
    cohort = _judged(source, tmp_path, profile=profile)
    assert cohort["selected"].to_dict() == {"1.2.1": False, "1.2.2": True}


def test_images_of_which_nobody_knows_the_type_are_not_passed(source, tmp_path):
    _set_raw(source / "bad/3.dcm", "ImageType", "")
    cohort = _judged(source, tmp_path)
    assert list(cohort.loc["1.2.1", "not_evaluated"]) == ["not_localizer", "not_derived"]
    assert cohort["selected"].to_dict() == {"1.2.1": False, "1.2.2": True}
    _set_raw(source / "bad/4.dcm", "ImageType", "DERIVED\\SECONDARY")
    assert list(_judged(source, tmp_path).loc["1.2.1", "failed_criteria"]) == ["not_derived"]


def test_a_file_with_two_series_uids_is_told_and_its_series_has_a_gap(source, tmp_path):
    _set_raw(source / "bad/3.dcm", "SeriesInstanceUID", "1.2.1\\1.2.9")
    cohort = _judged(source, tmp_path)
    assert cohort["selected"].to_dict() == {"": False, "1.2.1": False, "1.2.2": True}
    assert "bad/3.dcm has SeriesInstanceUID with 2 values, not 1" in cohort.loc["", "reason"]


def test_a_description_with_a_backslash_is_a_description(source):
    _set_raw(source / "bad/3.dcm", "SeriesDescription", "lung\\B60")
    rows = index_folder(source).to_pandas().set_index("file")
    assert rows.loc["bad/3.dcm", "SeriesDescription"] == "lung\\B60"
    assert rows["problem"].isna().all()


def test_words_that_break_on_one_series_stop_no_other(source, tmp_path, monkeypatch):
    def breaks(row, _):
        raise TypeError(row.SeriesInstanceUID)

    chosen = tuple(replace(c, explain=breaks) if c.name == "minimum_slices" else c for c in strict.STRICT)
    monkeypatch.setattr(judge, "STRICT", chosen)
    (source / "bad/7.dcm").unlink()
    cohort = _judged(source, tmp_path, minimum_slices=SLICES)
    assert cohort["selected"].to_dict() == {"1.2.1": False, "1.2.2": True}
    assert cohort.loc["1.2.1", "failed_criteria"] == ["minimum_slices"]
    assert cohort.loc["1.2.1", "reason"] == "minimum_slices: fails"


def test_a_folder_that_cannot_be_listed_is_a_row_with_the_remedy(source, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("/bad"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    instances = index_folder(source)
    assert unreadable_files(instances).to_dict("records") == [
        {"file": "bad", "problem": "cannot be listed (PermissionError: Permission denied); grant read access"}
    ]
    assert selected(instances, _lenient())[0]["SeriesInstanceUID"].tolist() == ["1.2.2"]


def test_links_in_a_circle_and_pipes_do_not_hang_and_a_broken_link_is_told(source):
    (source / "loop").symlink_to(".")
    (source / "bad/loop").symlink_to("..")
    os.mkfifo(source / "pipe.dcm")
    (source / "broken.dcm").symlink_to("nowhere.dcm")
    instances = index_folder(source)
    assert len(instances) == 2 * SLICES + 1
    assert unreadable_files(instances)["file"].tolist() == ["broken.dcm"]


def test_every_image_has_a_uid_of_its_own(source, tmp_path):
    for number in (2, 5, 6):
        _set_raw(source / f"bad/{number}.dcm", "SOPInstanceUID", "1.2.1.99")
    _set_raw(source / "bad/7.dcm", "SOPInstanceUID", "")
    cohort = _judged(source, tmp_path)
    assert cohort.loc["1.2.1", "failed_criteria"] == ["identified"]
    assert "SOPInstanceUID is missing in 1 of 8 images" in cohort.loc["1.2.1", "reason"]
    assert "SOPInstanceUID is that of another image in 2 of 8 images" in cohort.loc["1.2.1", "reason"]
    assert cohort.loc["1.2.2", "selected"]


def test_series_without_a_study_are_excluded_and_never_lumped_together(source, tmp_path):
    for file in source.rglob("*.dcm"):
        _set_raw(file, "StudyInstanceUID", "")
    cohort = _judged(source, tmp_path, one_series_per_study=True)
    assert cohort["failed_criteria"].tolist() == [["identified"], ["identified"]]
    assert set(cohort["reason"]) == {"StudyInstanceUID is missing in 8 of 8 images"}


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("missing", [1, 8, 12, 14, 300])
def test_every_missing_pixel_byte_counts(tmp_path, syntax, missing):
    files = _write_series(tmp_path / "source", "1.2.1", syntax)
    assert index_folder(tmp_path / "source")["problem"].null_count == SLICES
    files[3].write_bytes(files[3].read_bytes()[:-missing])
    told = unreadable_files(index_folder(tmp_path / "source"))
    assert told["file"].tolist() == ["3.dcm"]
    assert told["problem"].iloc[0].startswith(f"is truncated ({384 - missing} of 384 pixel bytes)")


def test_a_deflated_file_is_not_called_truncated(tmp_path):
    for file in _write_series(tmp_path / "source", "1.2.1"):
        dataset = pydicom.dcmread(file)
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        dataset.PixelData = bytes(384)
        dataset.save_as(file)
    assert index_folder(tmp_path / "source")["problem"].null_count == SLICES


def test_the_sound_copy_of_an_instance_stands_for_it(source, tmp_path):
    shutil.copytree(source / "bad", source / "copy")
    file = source / "bad/3.dcm"
    file.write_bytes(file.read_bytes()[:-100])
    files = series_files(index_folder(source), "1.2.1")
    assert "copy/3.dcm" in files
    assert len(files) == SLICES
    cohort = _judged(source, tmp_path)
    assert cohort["selected"].all()
    assert cohort.loc["1.2.1", "instances"] == SLICES
