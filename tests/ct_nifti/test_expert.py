"""From a folder with an expert's RTSTRUCT to its masks, through the cohort table."""

import logging
from pathlib import Path

import numpy as np
import pydicom
import pytest

from ct_assets.cohort_table.source.folder import series_of_folder
from ct_assets.cohort_table.write import write_cohort
from ct_assets.collection import Collection
from ct_assets.ct_nifti.expert import load_expert, series_expert_files
from ct_assets.store.paths import CollectionFolder
from tests.ct_nifti.structure_sets import Contour, Frames, write_structure_set
from tests.dicom_seg.examples import GEOMETRIES, Example, make_example, write_ct

OTHER_SERIES = "1.2.3"


def _collection(source: Path, **expert: object) -> Collection:
    return Collection.model_validate(
        {
            "name": "mine",
            "title": "Mine",
            "demonstration": True,
            "source": {"kind": "folder", "path": str(source)},
            "organ_segmentation": {"model": "demo"},
            "body_part_regression": {"model": "demo"},
            "expert": {"modality": "RTSTRUCT", "structures": {"heart": "Heart"}, **expert},
        }
    )


@pytest.fixture
def example(tmp_path) -> Example:
    return make_example(write_ct(tmp_path / "source/ct", GEOMETRIES["axial"], slices=24), tmp_path / "series")


def _draw(example: Example, path: Path, change=None, radius: float = 9) -> Path:
    circle = Contour(Frames(example).circle(7, radius))
    return write_structure_set(path, example.record, {"Heart": [circle]}, change)


def _cohort(collection: Collection, source: Path, folder: Path) -> CollectionFolder:
    store = CollectionFolder(folder)
    write_cohort(series_of_folder(collection, source), collection, store.cohort, source)
    return store


def _also_of_another_series(dataset: pydicom.Dataset) -> None:
    """What is drawn on a CT may refer to the PET before it."""
    (study,) = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence
    pet = pydicom.Dataset()
    pet.SeriesInstanceUID = OTHER_SERIES
    study.RTReferencedSeriesSequence.insert(0, pet)


def _of_another_series(dataset: pydicom.Dataset) -> None:
    (study,) = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence
    study.RTReferencedSeriesSequence[0].SeriesInstanceUID = OTHER_SERIES


def test_the_rtstructs_that_refer_to_the_series_are_found_and_drawn_by_the_first_that_can_be_used(
    example, tmp_path, caplog
):
    source = tmp_path / "source"

    def between_slices(dataset: pydicom.Dataset) -> None:
        contour = dataset.ROIContourSequence[0].ContourSequence[0]
        contour.ContourData = (np.asarray(contour.ContourData, dtype=float) + [0, 0, 1] * 720).round(6).tolist()

    _draw(example, source / "rt/1_bad.dcm", between_slices)
    _draw(example, source / "rt/2_other.dcm", _of_another_series)
    good = _draw(example, source / "rt/3_good.dcm", _also_of_another_series)
    _draw(example, source / "rt/4_again.dcm", radius=4)
    collection = _collection(source)
    store = _cohort(collection, source, tmp_path / "store")
    files = series_expert_files(collection, store, example.record.series_instance_uid, source)
    assert [path.name for path in files] == ["1_bad.dcm", "3_good.dcm", "4_again.dcm"]
    with caplog.at_level(logging.WARNING):
        found = load_expert(collection, store, example.record, source)
    assert set(found) == {"heart"}
    assert found["heart"].source.sop_instance_uid == str(pydicom.dcmread(good).SOPInstanceUID)
    frames = example.record.to_dicom(found["heart"].mask)
    np.testing.assert_array_equal(frames[7], Frames(example).distances(7) <= 9)
    assert frames.sum() == frames[7].sum()
    assert "1_bad.dcm: ROI Heart: contour 1 of 1: it lies 1.000 mm off the nearest slice" in caplog.text
    assert "4_again.dcm: heart left out, another file has drawn it" in caplog.text


def test_a_series_description_and_the_kind_of_file_limit_what_an_expert_drew(example, tmp_path):
    source = tmp_path / "source"
    _draw(example, source / "rt/1.dcm")
    _draw(example, source / "rt/2.dcm", lambda dataset: setattr(dataset, "SeriesDescription", "Draft"))
    example.write(source / "seg.dcm")
    for wanted, names in (
        ({}, ["1.dcm", "2.dcm"]),
        ({"series_description": "contours"}, ["1.dcm"]),
        ({"modality": "SEG"}, []),
        ({"modality": "SEG", "series_description": pydicom.dcmread(source / "seg.dcm").SeriesDescription}, ["seg.dcm"]),
    ):
        collection = _collection(source, **wanted)
        store = _cohort(collection, source, tmp_path / "store")
        files = series_expert_files(collection, store, example.record.series_instance_uid, source)
        assert [path.name for path in files] == names
