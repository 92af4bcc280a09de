"""Header index and selection on real series, and on copies that are broken in one way each."""

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

from ct_assets.cohort_table.index.header_index import EmptySourceError, index_folder, unreadable_files
from ct_assets.cohort_table.manifest import manifest, series_files
from ct_assets.cohort_table.source.folder import judge_instances
from ct_assets.cohort_table.source.judged import NoCtError
from ct_assets.collection import Collection
from ct_assets.store.tables import COHORT, INSTANCES
from tests.cohort_table.cohorts import collection_of, selected, selected_in

REAL = {
    "chest_ct_64/dicom": [],
    "ibsi_lung_ct/dicom/image": [],
    "lung_ct_crops/pat_2": [],
    "siemens_ct_jpeg2000/dicom": ["series_uid"],
    "odd_geometry/ge_head_tilt_variable_spacing": ["regular_spacing", "no_lateral_shift"],
    "odd_geometry/ct_gantry_tilt_4_slices": ["no_lateral_shift"],
    "odd_geometry/ct_missing_slice": ["regular_spacing"],
    "odd_geometry/philips_localizer": ["not_localizer"],
    "odd_geometry/philips_derived_summary": ["not_derived"],
    "dcmqi_examples/23x38x3/multiframe": ["supported_class"],
}


@pytest.fixture
def collection() -> Collection:
    return collection_of()


@pytest.fixture
def chest(shared_data, tmp_path) -> Path:
    """A writable copy of a real chest CT."""
    folder = tmp_path / "chest"
    folder.mkdir()
    for file in sorted((shared_data / "real/chest_ct_64/dicom").iterdir()):
        shutil.copyfile(file, folder / file.name)
    return folder


def _edit(path: Path, **values: object) -> None:
    dataset = pydicom.dcmread(path)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)


def _only(folder: Path, collection: Collection):
    cohort, _ = selected_in(folder, collection)
    assert len(cohort) == 1
    return cohort.iloc[0]


@pytest.mark.parametrize(("folder", "expected"), REAL.items())
def test_real_series_are_fit_or_excluded_for_their_own_reason(shared_data, collection, folder, expected):
    row = _only(shared_data / "real" / folder, collection)
    assert bool(row["selected"]) is (not expected)
    assert set(expected) <= set(row["failed_criteria"])
    assert (row["reason"] is None) is (not expected)


def test_the_same_series_in_two_places_is_one(shared_data, collection, tmp_path):
    for name in ("ibsi_lung_ct/dicom/image", "lung_ct_crops/pat_1"):
        shutil.copytree(shared_data / "real" / name, tmp_path / name.replace("/", "_"))
    row = _only(tmp_path, collection)
    assert row["selected"]
    assert row["instances"] == 60


def test_a_series_fails_every_criterion_that_it_fails(shared_data):
    row = _only(shared_data / "real/odd_geometry/ct_missing_slice", collection_of())
    assert {"regular_spacing", "minimum_slices"} == set(row["failed_criteria"])
    assert "gaps from 5 to 10 mm, mean 6.66667 mm" in row["reason"]


def test_two_geometries_under_one_uid_are_a_conflict_that_names_files(shared_data, chest, collection):
    uid = pydicom.dcmread(chest / "IMG0001.dcm").SeriesInstanceUID
    other = chest / "other"
    other.mkdir()
    for file in sorted((shared_data / "real/ibsi_lung_ct/dicom/image").iterdir()):
        shutil.copyfile(file, other / file.name)
        _edit(other / file.name, SeriesInstanceUID=uid)
    row = _only(chest, collection)
    assert "one_series" in row["failed_criteria"]
    assert "IMG0001.dcm" in row["reason"]
    assert "other/DCM_IMG" in row["reason"]
    assert "give one a new SeriesInstanceUID" in row["reason"]


def test_a_truncated_file_is_named_and_excludes_its_series(chest, collection):
    file = chest / "IMG0040.dcm"
    file.write_bytes(file.read_bytes()[:-3000])
    row = _only(chest, collection)
    assert row["failed_criteria"] == ["complete_files"]
    assert "IMG0040.dcm is truncated" in row["reason"]
    assert "copy it again" in row["reason"]
    assert unreadable_files(index_folder(chest))["file"].tolist() == ["IMG0040.dcm"]


def test_a_file_cut_in_its_header_is_listed_and_the_gap_shows(chest, collection):
    file = chest / "IMG0040.dcm"
    file.write_bytes(file.read_bytes()[:200])
    instances = index_folder(chest)
    assert unreadable_files(instances)["file"].tolist() == ["IMG0040.dcm"]
    cohort, _ = selected(instances, collection)
    assert "regular_spacing" in cohort.set_index("SeriesInstanceUID")["failed_criteria"].iloc[-1]


def test_files_that_are_no_dicom_are_passed_over_unless_they_claim_to_be(chest, collection):
    (chest / "notes.txt").write_text("hello")
    (chest / "fake.dcm").write_text("hello")
    instances = index_folder(chest)
    assert unreadable_files(instances)["file"].tolist() == ["fake.dcm"]
    assert selected(instances, collection)[0]["selected"].all()


@pytest.mark.parametrize("number", [1, 40])
def test_one_slice_in_another_orientation_excludes(chest, collection, number):
    _edit(chest / f"IMG{number:04d}.dcm", ImageOrientationPatient=[1, 0, 0, 0, 0.99, 0.141])
    assert "single_orientation" in _only(chest, collection)["failed_criteria"]


def test_noise_in_positions_below_the_tolerance_is_no_reason(chest, collection):
    for number, file in enumerate(sorted(chest.iterdir())):
        position = pydicom.dcmread(file).ImagePositionPatient
        _edit(file, ImagePositionPatient=[position[0], position[1], float(position[2]) + 1e-4 * (-1) ** number])
    assert _only(chest, collection)["selected"]


def test_thresholds_come_from_thecollection_of(chest):
    assert _only(chest, collection_of(minimum_slices=80))["failed_criteria"] == ["minimum_slices"]
    assert _only(chest, collection_of(slice_thickness_mm=[1.0, 3.0]))["failed_criteria"] == ["slice_thickness"]


def test_one_series_per_study_keeps_the_longest_fit_series(chest, collection):
    short = chest / "short"
    short.mkdir()
    for file in sorted(chest.glob("*.dcm"))[:30]:
        shutil.copyfile(file, short / file.name)
        _edit(short / file.name, SeriesInstanceUID="1.2.3", SOPInstanceUID=f"1.2.3.{file.stem[3:].lstrip('0')}")
    cohort, flow = selected_in(chest, collection_of(one_series_per_study=True))
    assert cohort.set_index("SeriesInstanceUID")["selected"].to_dict()["1.2.3"] is False
    assert cohort["selected"].sum() == 1
    assert flow["series_left"].tolist()[-2:] == [2, 1]


def test_the_flow_never_rises_and_ends_with_the_selected(shared_data, collection):
    cohort, flow = selected_in(shared_data / "real", collection)
    assert flow["series_left"].is_monotonic_decreasing
    assert flow["series_left"].iloc[0] == len(cohort)
    assert flow["series_left"].iloc[-1] == cohort["selected"].sum() == 3


def test_index_and_cohort_survive_parquet_and_the_manifest_repeats(shared_data, collection, tmp_path):
    instances = index_folder(shared_data / "real")
    cohort, _ = selected(instances, collection)
    INSTANCES.write(instances, tmp_path / "instances.parquet")
    COHORT.write(cohort, tmp_path / "cohort.parquet")
    again = INSTANCES.read_arrow(tmp_path / "instances.parquet")
    again = again.take(np.random.default_rng(1).permutation(len(again)))
    cohort_again, _ = selected(again, collection)
    first = manifest(cohort, judge_instances(collection, instances), collection)
    assert manifest(cohort_again, judge_instances(collection, again), collection) == first
    uid = first["series"][0]["SeriesInstanceUID"]
    assert series_files(again, uid) == [file["file"] for file in first["series"][0]["files"]]
    assert all(file["bytes"] > 0 for file in first["series"][0]["files"])


def test_an_empty_or_missing_folder_is_named(tmp_path, collection):
    with pytest.raises(EmptySourceError, match="the folder is empty; give the folder"):
        index_folder(tmp_path)
    with pytest.raises(EmptySourceError, match="no such folder"):
        index_folder(tmp_path / "gone")


def test_a_folder_without_ct_says_what_it_holds(shared_data, collection):
    with pytest.raises(NoCtError, match=r"no CT image among 4 files \(4 MR\)"):
        selected_in(shared_data / "real/compressed/jpegls", collection)


def test_a_series_that_the_index_does_not_know_has_no_files(shared_data):
    assert series_files(index_folder(shared_data / "real/chest_ct_64"), "1.2.3") == []
