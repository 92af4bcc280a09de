import contextlib
import itertools
from collections.abc import Callable
from pathlib import Path

import nrrd
import numpy as np
import pydicom
import pytest
from pydicom.pixels import pack_bits

from ct_assets.ct_nifti.convert import convert
from ct_assets.ct_nifti.segmentation import read_expert, read_seg
from ct_assets.ct_nifti.structure import UnusableSegmentationError
from ct_assets.organs import LUNGS
from ct_assets.store.paths import SeriesFolder
from tests.dicom_seg.examples import AORTA, ESOPHAGUS, HEART, TRACHEA, Example

Change = Callable[[pydicom.Dataset], None]


def _changed(path: Path, target: Path, change: Change) -> Path:
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(target)
    return target


def _turn(dataset: pydicom.Dataset, row_step: int, column_step: int, exchanged: bool) -> None:
    """Store the same pixels at the same places in another arrangement, as dcmqi does with a flipped NRRD."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    orientation = shared.PlaneOrientationSequence[0]
    measures = shared.PixelMeasuresSequence[0]
    cosines = np.asarray(orientation.ImageOrientationPatient, dtype=float)
    row_spacing, column_spacing = map(float, measures.PixelSpacing)
    frames = dataset.pixel_array[:, ::row_step, ::column_step]
    shift = np.zeros(3)
    if row_step < 0:
        shift += cosines[3:] * row_spacing * (dataset.Rows - 1)
    if column_step < 0:
        shift += cosines[:3] * column_spacing * (dataset.Columns - 1)
    turned = [cosines[:3] * column_step, cosines[3:] * row_step]
    if exchanged:
        frames = frames.transpose(0, 2, 1)
        dataset.Rows, dataset.Columns = dataset.Columns, dataset.Rows
        measures.PixelSpacing = [column_spacing, row_spacing]
        turned = turned[::-1]
    orientation.ImageOrientationPatient = [float(value) for value in np.concatenate(turned)]
    for item in dataset.PerFrameFunctionalGroupsSequence:
        plane = item.PlanePositionSequence[0]
        plane.ImagePositionPatient = [float(value) for value in np.asarray(plane.ImagePositionPatient, float) + shift]
    dataset.PixelData = pack_bits(np.ascontiguousarray(frames))


@pytest.mark.parametrize(
    ("row_step", "column_step", "exchanged"), list(itertools.product((1, -1), (1, -1), (False, True)))
)
def test_frames_in_another_arrangement_are_turned(
    axial: Example, axial_seg: Path, tmp_path: Path, row_step: int, column_step: int, exchanged: bool
) -> None:
    path = _changed(axial_seg, tmp_path / "seg.dcm", lambda d: _turn(d, row_step, column_step, exchanged))
    np.testing.assert_array_equal(read_seg(path, axial.record), axial.labels)


def test_frames_without_reference_are_matched_by_position(axial: Example, axial_seg: Path, tmp_path: Path) -> None:
    def unrefer(dataset: pydicom.Dataset) -> None:
        for item in dataset.PerFrameFunctionalGroupsSequence:
            del item.DerivationImageSequence

    path = _changed(axial_seg, tmp_path / "seg.dcm", unrefer)
    np.testing.assert_array_equal(read_seg(path, axial.record), axial.labels)


def _move(dataset: pydicom.Dataset) -> None:
    for item in dataset.PerFrameFunctionalGroupsSequence:
        item.PlanePositionSequence[0].ImagePositionPatient[0] += 0.7


def _between(dataset: pydicom.Dataset) -> None:
    for item in dataset.PerFrameFunctionalGroupsSequence:
        item.PlanePositionSequence[0].ImagePositionPatient[2] += 0.7


def _stretch(dataset: pydicom.Dataset) -> None:
    dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [1.5, 1.6]


def _tilt(dataset: pydicom.Dataset) -> None:
    orientation = dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 0.995, 0.0998]


def _misrefer(dataset: pydicom.Dataset) -> None:
    references = [
        item.DerivationImageSequence[0].SourceImageSequence[0] for item in dataset.PerFrameFunctionalGroupsSequence
    ]
    references[0].ReferencedSOPInstanceUID = references[1].ReferencedSOPInstanceUID


def _elsewhere(dataset: pydicom.Dataset) -> None:
    dataset.FrameOfReferenceUID = "1.2.3"
    for item in dataset.PerFrameFunctionalGroupsSequence:
        item.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID = "1.2.4"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_move, "no rearrangement"),
        (_between, "off the nearest slice"),
        (_stretch, "no rearrangement"),
        (_tilt, "tilted"),
        (_misrefer, "refers to the instance of slice"),
        (_elsewhere, "another frame of reference"),
    ],
)
def test_other_geometry_is_an_error_that_names_the_file(
    axial: Example, axial_seg: Path, tmp_path: Path, change: Change, message: str
) -> None:
    path = _changed(axial_seg, tmp_path / "elsewhere.dcm", change)
    with pytest.raises(UnusableSegmentationError, match=rf"elsewhere\.dcm.*{message}"):
        read_seg(path, axial.record)


def test_a_file_that_is_no_seg_is_an_error_that_names_it(axial: Example, tmp_path: Path) -> None:
    with pytest.raises(UnusableSegmentationError, match=r"001\.dcm: is no DICOM Segmentation"):
        read_seg(axial.series.instances[0].path, axial.record)
    (tmp_path / "text.dcm").write_text("no DICOM")
    with pytest.raises(UnusableSegmentationError, match=r"text\.dcm"):
        read_seg(tmp_path / "text.dcm", axial.record)


def _overlap(dataset: pydicom.Dataset) -> None:
    """Give every frame the same corner pixel."""
    frames = dataset.pixel_array.copy()
    frames[:, 0, 0] = 1
    dataset.PixelData = pack_bits(frames)


def test_a_seg_that_is_cut_off_is_an_error_that_names_it(axial: Example, axial_seg: Path, tmp_path: Path) -> None:
    content = axial_seg.read_bytes()
    for name, size in (("pixels.dcm", len(content) - 1500), ("header.dcm", len(content) // 2)):
        (tmp_path / name).write_bytes(content[:size])
        with pytest.raises(UnusableSegmentationError, match=name):
            read_seg(tmp_path / name, axial.record)


def test_another_size_is_an_error_before_anything_is_decoded(axial: Example, axial_seg: Path, tmp_path: Path) -> None:
    path = _changed(axial_seg, tmp_path / "seg.dcm", lambda d: setattr(d, "Rows", 65535))
    with pytest.raises(UnusableSegmentationError, match=r"\(65535, 23\) pixels, the CT has \(38, 23\)"):
        read_seg(path, axial.record)


@pytest.mark.parametrize("keyword", ["SegmentLabel", "SegmentNumber"])
def test_a_segment_without_what_every_segment_has_is_an_error_that_names_the_file(
    axial: Example, axial_seg: Path, tmp_path: Path, keyword: str
) -> None:
    path = _changed(axial_seg, tmp_path / "seg.dcm", lambda d: delattr(d.SegmentSequence[0], keyword))
    with pytest.raises(UnusableSegmentationError, match=rf"seg\.dcm: lacks something .*{keyword}"):
        read_expert(path, axial.record, {"heart": "Heart"})


def test_fractional_segments_count_from_one_half(axial: Example, axial_seg: Path, tmp_path: Path) -> None:
    def fractional(dataset: pydicom.Dataset) -> None:
        frames = np.where(dataset.pixel_array, 50, 49).astype(np.uint8)
        dataset.SegmentationType, dataset.MaximumFractionalValue = "FRACTIONAL", 100
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
        dataset.PixelData = frames.tobytes() + b"\0" * (frames.size % 2)

    path = _changed(axial_seg, tmp_path / "seg.dcm", fractional)
    np.testing.assert_array_equal(read_seg(path, axial.record), axial.labels)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_damage_anywhere_is_an_error_of_the_file_and_no_other(axial: Example, axial_seg: Path, tmp_path: Path) -> None:
    whole, random = axial_seg.read_bytes(), np.random.default_rng(1)
    for _ in range(300):
        content = bytearray(whole)
        for place in random.integers(132, len(content), 6):
            content[place] = random.integers(256)
        (tmp_path / "seg.dcm").write_bytes(content)
        with contextlib.suppress(UnusableSegmentationError):
            read_expert(tmp_path / "seg.dcm", axial.record, {"heart": "Heart"})


def test_expert_segments_by_label_united_and_overlapping(axial: Example, axial_seg: Path, tmp_path: Path) -> None:
    labels = ("Lung-Left", "Heart", "Esophagus", "Lung-Right")

    def rename(dataset: pydicom.Dataset) -> None:
        _overlap(dataset)
        for segment, label in zip(dataset.SegmentSequence, labels, strict=True):
            segment.SegmentLabel = label

    path = _changed(axial_seg, tmp_path / "expert.dcm", rename)
    wanted = {"esophagus": "Esophagus", "heart": "Heart", "aorta": "Aorta"}
    masks = read_expert(path, axial.record, wanted, ("Lung-Left", "Lung-Right", "Lung"))
    assert set(masks) == {"esophagus", "heart", LUNGS}
    frames = axial.record.to_dicom(axial.labels)
    for name, numbers in {"esophagus": [TRACHEA], "heart": [HEART], LUNGS: [ESOPHAGUS, AORTA]}.items():
        expected = np.isin(frames, numbers)
        expected[np.any(expected, axis=(1, 2)), 0, 0] = True
        np.testing.assert_array_equal(axial.record.to_dicom(masks[name].mask), expected)
        assert masks[name].segments == tuple(numbers)
    assert np.any(masks["heart"].mask & masks[LUNGS].mask)


def test_overlapping_segments_are_no_label_map(axial: Example, axial_seg: Path, tmp_path: Path) -> None:
    path = _changed(axial_seg, tmp_path / "seg.dcm", _overlap)
    with pytest.raises(UnusableSegmentationError, match="overlap"):
        read_seg(path, axial.record)


@pytest.mark.parametrize(
    ("images", "seg", "truth"),
    [
        ("23x38x3/image", "23x38x3/seg/label.seg", "23x38x3/nrrd/label.nrrd"),
        ("ct-3slice", "liver.dcm", "liver_seg.nrrd"),
    ],
)
def test_reads_the_segs_of_dcmqi(shared_data: Path, tmp_path: Path, images: str, seg: str, truth: str) -> None:
    folder = shared_data / "real/dcmqi_examples"
    record = convert(sorted((folder / images).glob("*.dcm")), SeriesFolder(tmp_path))
    assert record.fit, record.reasons
    liver = read_expert(folder / seg, record, {"heart": "Liver"})["heart"].mask
    voxels, header = nrrd.read(str(folder / truth))
    to_index = np.linalg.inv(np.asarray(record.affine)) @ np.diag([-1.0, -1.0, 1.0, 1.0])
    points = np.argwhere(voxels) @ np.asarray(header["space directions"]) + header["space origin"]
    assert header["space"] == "left-posterior-superior"
    index = np.rint((np.c_[points, np.ones(len(points))] @ to_index.T)[:, :3]).astype(int)
    expected = np.zeros(record.shape or (), dtype=bool)
    expected[tuple(index.T)] = True
    np.testing.assert_array_equal(liver, expected)
