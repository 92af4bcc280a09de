"""Experts' SEGs and RTSTRUCTs, damaged or hostile: masks on the grid, or the one error that names the file."""

import logging
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless

from ct_assets.ct_nifti import structure_set as structure_set_module
from ct_assets.ct_nifti.segmentation import read_expert, read_seg
from ct_assets.ct_nifti.structure import UnusableSegmentationError
from ct_assets.ct_nifti.structure_set import read_structure_set
from ct_assets.organs import LUNGS
from tests.ct_nifti.structure_sets import Contour, Frames, write_structure_set
from tests.security.fuzzing import TOKENS, damaged_bytes, damaged_dataset, fuzz, quiet

WANTED = {"heart": "Heart", "esophagus": "Esophagus"}
MOST_MB = 64


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "damaged.dcm"


@pytest.fixture(autouse=True)
def _silent():
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def _read(path: Path, reader: Callable[[], object]) -> object:
    """Return what is read, or None for the documented error."""
    try:
        with quiet():
            return reader()
    except UnusableSegmentationError as error:
        assert str(error).startswith(f"{path}: ")
        assert len(str(error).encode()) < 2000, "it can be logged"
        return None


def _break(data: st.DataObject, path: Path, content: bytes) -> None:
    if data.draw(st.booleans()):
        path.write_bytes(damaged_bytes(data, content, TOKENS))
    else:
        path.write_bytes(damaged_dataset(data, content))


@fuzz(150)
@given(data=st.data())
def test_a_damaged_seg_gives_masks_on_the_grid_or_an_error_that_names_it(ct, contents, path, data):
    _break(data, path, data.draw(st.sampled_from(contents[1::3])))
    labels = _read(path, lambda: read_seg(path, ct.record))
    assert labels is None or (labels.shape == ct.record.shape and labels.dtype == np.uint8)
    structures = _read(path, lambda: read_expert(path, ct.record, WANTED, ("Aorta",)))
    for name, structure in (structures or {}).items():
        assert name in {*WANTED, LUNGS}
        assert structure.mask.shape == ct.record.shape


@fuzz(150)
@given(data=st.data())
def test_a_damaged_structure_set_gives_masks_on_the_grid_or_an_error_that_names_it(ct, contents, path, data):
    _break(data, path, data.draw(st.sampled_from(contents[2::3])))
    structures = _read(path, lambda: read_structure_set(path, ct.record, WANTED, ("Lung",)))
    for name, structure in (structures or {}).items():
        assert name in {*WANTED, LUNGS}
        assert structure.mask.shape == ct.record.shape


@pytest.mark.parametrize("rows", [1, 60_000, 65_535])
def test_a_seg_that_claims_another_size_is_refused_before_room_is_made(ct, seg, path, rows):
    dataset = pydicom.dcmread(seg)
    dataset.Rows = dataset.Columns = rows
    dataset.NumberOfFrames = 2_000_000_000
    dataset.save_as(path)
    _is_refused_in_little_memory(ct, path, "pixels, the CT has")


def test_a_seg_that_claims_billions_of_frames_is_refused_before_room_is_made(ct, seg, path):
    dataset = pydicom.dcmread(seg)
    dataset.NumberOfFrames = 2_000_000_000
    dataset.save_as(path)
    _is_refused_in_little_memory(ct, path, "")


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
def test_frames_of_a_compressed_seg_which_may_claim_any_size_are_not_decoded(ct, seg, path, syntax):
    dataset = pydicom.dcmread(seg)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([b"\xff\x4f\xff\x51" + b"\xff" * 40] * int(dataset.NumberOfFrames))
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    _is_refused_in_little_memory(ct, path, "decompress it")


def _is_refused_in_little_memory(ct, path: Path, message: str) -> None:
    tracemalloc.start()
    try:
        with quiet(), pytest.raises(UnusableSegmentationError, match=message):
            read_seg(path, ct.record)
        assert tracemalloc.get_traced_memory()[1] < MOST_MB << 20
    finally:
        tracemalloc.stop()


def test_contours_that_would_take_hours_to_fill_are_refused(ct, path, monkeypatch):
    """Each point is on the other side of the image than the one before."""
    frames = Frames(ct)
    ends = frames.points(3, [(1, 1), (30, 20)])
    contour = Contour(np.tile(ends, (500, 1)))
    write_structure_set(path, ct.record, {"Heart": [contour] * 40})
    assert set(read_structure_set(path, ct.record, WANTED)) == {"heart"}
    monkeypatch.setattr(structure_set_module, "MOST_EFFORT", 10_000_000)
    with pytest.raises(UnusableSegmentationError, match="wind so much"):
        read_structure_set(path, ct.record, WANTED)


def test_two_rois_of_one_number_are_refused(ct, path):
    """A thousand names for the same contours would each be drawn."""

    def same(dataset: pydicom.Dataset) -> None:
        for item in dataset.StructureSetROISequence:
            item.ROINumber = 11
            item.ROIName = "Heart"

    write_structure_set(path, ct.record, {"Heart": [], "Lung": []}, same)
    with pytest.raises(UnusableSegmentationError, match="has number 11, which another ROI has too"):
        read_structure_set(path, ct.record, WANTED)
