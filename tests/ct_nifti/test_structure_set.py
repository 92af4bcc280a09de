"""RTSTRUCTs drawn by formula: every geometry, everything malformed."""

import contextlib
import logging
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import generate_uid

from ct_assets.ct_nifti.structure import UnusableSegmentationError
from ct_assets.ct_nifti.structure_set import MOST_POINTS, SLICE_TOLERANCE, read_structure_set
from ct_assets.organs import LUNGS
from ct_assets.store.digest import file_digest
from tests.ct_nifti.structure_sets import Contour, Frames, write_structure_set
from tests.dicom_seg.examples import GEOMETRIES, Example, make_example, write_ct

HEART = {"heart": "Heart"}
CONTOUR_DATA = Tag(0x30060050)
SPACING = GEOMETRIES["axial"].slice_spacing


@pytest.fixture(scope="module", params=GEOMETRIES)
def turned(request, tmp_path_factory) -> Example:
    folder = tmp_path_factory.mktemp("turned")
    return make_example(write_ct(folder / "dicom", GEOMETRIES[request.param]), folder / "series")


@pytest.fixture(scope="module")
def ct(tmp_path_factory) -> Example:
    folder = tmp_path_factory.mktemp("axial")
    return make_example(write_ct(folder / "dicom", GEOMETRIES["axial"]), folder / "series")


def _block(example: Example, index: int) -> Contour:
    """Rows 10 to 19 and columns 5 to 9, the outline on the edges of the pixels."""
    return Contour(Frames(example).points(index, [(9.5, 4.5), (9.5, 9.5), (19.5, 9.5), (19.5, 4.5)]))


def _frames(example: Example, path: Path, name: str = "heart", **wanted: object) -> np.ndarray:
    structures = read_structure_set(path, example.record, HEART, **wanted)
    assert structures[name].mask.shape == example.record.shape
    return example.record.to_dicom(structures[name].mask)


def test_circles_with_a_hole_lie_where_they_are_drawn_in_every_geometry(turned, tmp_path):
    frames = Frames(turned)
    radii = {index: 5 + index / 2 for index in range(1, 9)}
    contours = [
        Contour(frames.circle(index, radius, at))
        for index, outer in radii.items()
        for radius, at in ((outer, (6.0, -1.0)), (outer / 2, (7.0, -0.5)))
    ]
    path = write_structure_set(tmp_path / "rt.dcm", turned.record, {"Heart": contours})
    found = _frames(turned, path)
    for index, mask in enumerate(found):
        if index not in radii:
            assert not mask.any()
            continue
        distance, hole = frames.distances(index, (6.0, -1.0)), frames.distances(index, (7.0, -0.5))
        outer = radii[index]
        sure = (np.abs(distance - outer) > 0.001) & (np.abs(hole - outer / 2) > 0.001)
        assert sure.mean() > 0.99
        np.testing.assert_array_equal(mask[sure], ((distance < outer) & (hole > outer / 2))[sure])
        assert mask.any()


@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
def test_a_square_on_the_edges_of_pixels_is_those_pixels(turned, tmp_path, kind):
    block = Contour(_block(turned, 4).points, kind)
    found = _frames(turned, write_structure_set(tmp_path / "rt.dcm", turned.record, {"Heart": [block]}))
    expected = np.zeros_like(found)
    expected[4, 10:20, 5:10] = True
    np.testing.assert_array_equal(found, expected)


def test_rois_by_name_united_overlapping_and_told_by_number(ct, tmp_path):
    frames = Frames(ct)
    rois = {
        "Lung-Left": [Contour(frames.circle(3, 8, (0, -6)))],
        "Heart": [Contour(frames.circle(3, 9))],
        "Other": [Contour(frames.circle(3, 4) + 100)],
        "Lung-Right ": [Contour(frames.circle(5, 8, (0, 6)))],
        "Esophagus": [],
    }
    path = write_structure_set(tmp_path / "rt.dcm", ct.record, rois)
    wanted = {"heart": "Heart", "esophagus": "Esophagus", "aorta": "Aorta"}
    found = read_structure_set(path, ct.record, wanted, ("Lung-Left", "Lung-Right", "Lungs"))
    assert set(found) == {"heart", LUNGS}
    lungs = ct.record.to_dicom(found[LUNGS].mask)
    assert lungs.any(axis=(1, 2)).nonzero()[0].tolist() == [3, 5]
    assert np.any(found["heart"].mask & found[LUNGS].mask)
    assert (found["heart"].rois, found[LUNGS].rois, found[LUNGS].segments) == ((12,), (11, 14), ())
    assert found["heart"].source.sop_instance_uid == str(pydicom.dcmread(path).SOPInstanceUID)
    assert found["heart"].digest == file_digest(path)


@pytest.mark.parametrize("towards", [1, -1])
def test_a_contour_between_slices_is_refused_with_file_roi_and_distance(turned, tmp_path, towards):
    frames = Frames(turned)
    apart = 0.3 * SPACING * towards * frames.normal
    path = write_structure_set(
        tmp_path / "rt.dcm", turned.record, {"Heart": [_block(turned, 3), Contour(_block(turned, 4).points + apart)]}
    )
    message = r"rt\.dcm: ROI Heart: contour 2 of 2: it lies 0\.750 mm off the nearest slice"
    with pytest.raises(UnusableSegmentationError, match=message):
        read_structure_set(path, turned.record, HEART)


def test_a_contour_is_on_a_slice_within_a_fraction_of_their_distance(ct, tmp_path):
    near = 0.9 * SLICE_TOLERANCE * SPACING * Frames(ct).normal
    path = write_structure_set(tmp_path / "rt.dcm", ct.record, {"Heart": [Contour(_block(ct, 4).points + near)]})
    assert _frames(ct, path)[4].sum() == 50


def test_a_contour_beyond_the_last_slice_or_tilted_is_refused(ct, tmp_path):
    beyond = Contour(_block(ct, 0).points - 10 * Frames(ct).normal)
    tilted = Contour(_block(ct, 4).points + np.outer([0, 0, 2, 2], Frames(ct).normal))
    for contour in (beyond, tilted):
        path = write_structure_set(tmp_path / "rt.dcm", ct.record, {"Heart": [contour]})
        with pytest.raises(UnusableSegmentationError, match="mm off the nearest slice"):
            read_structure_set(path, ct.record, HEART)


def test_a_contour_that_leaves_the_image_is_clipped(ct, tmp_path):
    everything = Contour(Frames(ct).points(4, [(-3e4, -3e4), (-3e4, 3e4), (3e4, 3e4), (3e4, -3e4)]))
    outside = Contour(Frames(ct).points(6, [(100, 100), (100, 200), (200, 200)]))
    path = write_structure_set(tmp_path / "rt.dcm", ct.record, {"Heart": [everything, outside]})
    found = _frames(ct, path)
    assert found[4].all()
    assert found.sum() == found[4].size


def test_points_and_open_contours_are_ignored_with_a_warning(ct, tmp_path, caplog):
    points = _block(ct, 4).points
    rois = {
        "Heart": [
            Contour(points[:1], "POINT"),
            Contour(points, "OPEN_PLANAR"),
            Contour(points[:2]),
            Contour(points, "OPEN_NONPLANAR"),
        ]
    }
    with caplog.at_level(logging.WARNING):
        assert read_structure_set(write_structure_set(tmp_path / "rt.dcm", ct.record, rois), ct.record, HEART) == {}
    assert sorted(record.getMessage().split(": ", 3)[-1] for record in caplog.records) == [
        "CLOSED_PLANAR of less than 3 points",
        "OPEN_NONPLANAR",
        "OPEN_PLANAR",
        "POINT",
    ]
    assert all("rt.dcm: ROI Heart: 1 contours enclose nothing" in record.getMessage() for record in caplog.records)


def test_position_counts_where_a_contour_refers_to_the_image_of_another_slice(ct, tmp_path, caplog):
    contour = Contour(_block(ct, 4).points, image=ct.record.slices[7].sop_instance_uid)
    path = write_structure_set(tmp_path / "rt.dcm", ct.record, {"Heart": [contour]})
    with caplog.at_level(logging.WARNING):
        assert _frames(ct, path)[4].any()
    assert "ROI Heart: 1 contours refer to the image of another slice" in caplog.text


def test_another_frame_of_reference_is_refused_unless_the_images_themselves_are_named(ct, tmp_path):
    def elsewhere(dataset: pydicom.Dataset) -> None:
        dataset.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = generate_uid()

    points = _block(ct, 4).points
    named = Contour(points, image=ct.record.slices[4].sop_instance_uid)
    path = write_structure_set(tmp_path / "rt.dcm", ct.record, {"Heart": [named]}, elsewhere)
    assert _frames(ct, path)[4].any()
    for image in (None, ct.record.slices[5].sop_instance_uid):
        path = write_structure_set(tmp_path / "rt.dcm", ct.record, {"Heart": [Contour(points, image=image)]}, elsewhere)
        with pytest.raises(UnusableSegmentationError, match="ROI Heart: contour 1 of 1: lies in another frame of ref"):
            read_structure_set(path, ct.record, HEART)


def _of_another_series(dataset: pydicom.Dataset) -> None:
    study = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    study.RTReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3"


def _raw(value: bytes, points: int | None = None):
    def change(dataset: pydicom.Dataset) -> None:
        contour = dataset.ROIContourSequence[0].ContourSequence[0]
        contour[CONTOUR_DATA] = RawDataElement(CONTOUR_DATA, "UN", len(value), value, 0, False, True)
        if points is None:
            del contour.NumberOfContourPoints
        else:
            contour.NumberOfContourPoints = points

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_of_another_series, "refers to 1.2.3, not to series"),
        (lambda dataset: dataset.pop("ReferencedFrameOfReferenceSequence"), "refers to no series"),
        (lambda dataset: dataset.pop("StructureSetROISequence"), "lacks something.*StructureSetROISequence"),
        (lambda dataset: dataset.pop("ROIContourSequence"), "lacks something.*ROIContourSequence"),
        (lambda dataset: dataset.pop("StudyInstanceUID"), "lacks something.*StudyInstanceUID"),
        (lambda dataset: setattr(dataset, "SOPClassUID", "1.2.3"), "is no RTSTRUCT"),
        (_raw(b"1\\2\\3\\4 "), "ROI Heart: contour 1 of 1: has 4 coordinates, which are no whole number of points"),
        (_raw(b"1\\2\\3\\4\\nan\\6\\7\\8\\9 "), "ROI Heart: .* not within 100000 mm"),
        (_raw(b"1\\2\\3\\4\\1e300\\6\\7\\8\\9"), "ROI Heart: .* not within 100000 mm"),
        (_raw(b"1\\2\\3\\4\\five\\6\\7\\8\\9"), "ROI Heart: .* a coordinate that is no number"),
        (_raw(b"1\\2\\3\\4\\\\6\\7\\8\\9 "), "ROI Heart: .* a coordinate that is no number"),
        (_raw(b"1\\2\\3\\4\\5\\6\\7\\8\\9 ", 4), "ROI Heart: .* has 3 points and claims 4"),
        (_raw(b"\\".join([b"1"] * 3 * (MOST_POINTS + 1))), f"has {MOST_POINTS + 1} points; more than {MOST_POINTS}"),
    ],
)
def test_what_cannot_be_used_is_refused_by_file_and_reason(ct, tmp_path, change, reason):
    path = write_structure_set(tmp_path / "bad.dcm", ct.record, {"Heart": [_block(ct, 4)]}, change)
    with pytest.raises(UnusableSegmentationError, match=rf"bad\.dcm: .*{reason}"):
        read_structure_set(path, ct.record, HEART)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_damage_anywhere_is_an_error_of_the_file_and_no_other(ct, tmp_path):
    path = write_structure_set(tmp_path / "rt.dcm", ct.record, {"Heart": [_block(ct, 4), _block(ct, 5)]})
    whole, random = path.read_bytes(), np.random.default_rng(5)
    refused = 0
    for attempt in range(300):
        content = bytearray(whole)
        if attempt % 3 == 0:
            del content[random.integers(len(whole)) :]
        for place in random.integers(132, len(content), 4) if len(content) > 132 else ():
            content[place] = random.integers(256)
        path.write_bytes(content)
        with contextlib.suppress(UnusableSegmentationError):
            refused += 1
            read_structure_set(path, ct.record, HEART)
            refused -= 1
    assert refused > 150
    for content in (b"", b"no DICOM at all"):
        path.write_bytes(content)
        with pytest.raises(UnusableSegmentationError, match=r"rt\.dcm"):
            read_structure_set(path, ct.record, HEART)
