"""Which readers open our SEG, uncompressed and deflated: the table in docs/dicom.md, row by row."""

import io
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from tests.dicom_seg import readers
from tests.dicom_seg.examples import GEOMETRIES, Example, label_map_by_dcmqi, make_example, write_ct
from tests.dicom_seg.orthanc import Orthanc, serve
from tests.dicom_seg.readers import Frames, Header

HEADERS = {
    "pydicom": readers.pydicom_header,
    "highdicom": readers.highdicom_header,
    "dcmqi": readers.dcmqi_header,
    "DCMTK dcmdump": readers.dcmtk_header,
    "GDCM gdcmdump": readers.gdcm_header,
    "SimpleITK": readers.simpleitk_header,
}
KNOWN = {"dcmqi": {"labels"}, "SimpleITK": set(readers.TOP_LEVEL)}
FRAMES = {
    "pydicom": readers.pydicom_frames,
    "DCMTK dcmj2pnm": readers.dcmtk_frames,
    "GDCM gdcmraw": readers.gdcmraw_frames,
    "GDCM from Python": readers.gdcm_frames,
    "SimpleITK": readers.simpleitk_frames,
}


@dataclass(frozen=True)
class Grid:
    """A SEG in both transfer syntaxes, and what its frames must be by the label map."""

    example: Example
    files: dict[str, Path]
    frames: Frames

    @property
    def whole_bytes(self) -> bool:
        """Whether a row of pixels fills whole bytes, as all 512 pixels of a clinical CT do."""
        return bool(self.frames.shape[2] % 8 == 0)


@pytest.fixture(scope="module", params=["64 columns", "23 columns"])
def grid(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Grid:
    """A real chest CT, and a grid whose frames fill no whole number of bytes."""
    folder = tmp_path_factory.mktemp("grid")
    if request.param == "64 columns":
        files = sorted((shared_data / "real/chest_ct_64/dicom").glob("*.dcm"))
    else:
        files = write_ct(folder / "dicom", GEOMETRIES["axial"])
    example = make_example(files, folder / "series")
    segs = {"explicit": folder / "explicit.dcm", "deflated": folder / "deflated.dcm"}
    example.write(segs["explicit"])
    example.write(segs["deflated"], deflate=True)
    return Grid(example, segs, _expected(segs["explicit"], example))


@pytest.fixture(params=["explicit", "deflated"])
def seg(request: pytest.FixtureRequest, grid: Grid) -> Path:
    """The SEG in one transfer syntax."""
    path = grid.files[request.param]
    syntax = {"explicit": ExplicitVRLittleEndian, "deflated": DeflatedExplicitVRLittleEndian}[request.param]
    assert pydicom.filereader.read_file_meta_info(path).TransferSyntaxUID == syntax
    return path


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """A server for these tests."""
    with serve(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


def _expected(path: Path, example: Example) -> Frames:
    """Cut the frames out of the label map, in the file's order of segments and instances."""
    dataset = pydicom.dcmread(path)
    slices = {entry.sop_instance_uid: index for index, entry in enumerate(example.record.slices)}
    volume = example.record.to_dicom(example.labels)
    frames = []
    for item in dataset.PerFrameFunctionalGroupsSequence:
        instance = item.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        segment = item.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        frames.append(volume[slices[str(instance)]] == segment)
    assert sum(map(np.count_nonzero, frames)) == np.count_nonzero(volume)
    return np.stack(frames)


def _dicomweb_path(seg: Path) -> str:
    header = pydicom.dcmread(seg, stop_before_pixels=True)
    return f"/studies/{header.StudyInstanceUID}/series/{header.SeriesInstanceUID}/instances/{header.SOPInstanceUID}"


def _true_header(grid: Grid, seg: Path) -> Header:
    count, rows, columns = grid.frames.shape
    return {
        "SOPInstanceUID": str(pydicom.dcmread(seg).SOPInstanceUID),
        "NumberOfFrames": str(count),
        "Rows": str(rows),
        "Columns": str(columns),
        "labels": ["Esophagus", "Heart", "Trachea", "Aorta"],
    }


@pytest.mark.parametrize("reader", HEADERS)
def test_header(grid: Grid, seg: Path, reader: str, tmp_path: Path) -> None:
    header = HEADERS[reader](seg, tmp_path)
    assert set(header) == KNOWN.get(reader, {*readers.TOP_LEVEL, "labels"})
    true = _true_header(grid, seg)
    assert header == {name: true[name] for name in header}


@pytest.mark.parametrize("reader", FRAMES)
def test_frames(grid: Grid, seg: Path, reader: str, tmp_path: Path) -> None:
    np.testing.assert_array_equal(FRAMES[reader](seg, tmp_path), grid.frames)


def test_highdicom_finds_the_label_map_by_instance(grid: Grid, seg: Path) -> None:
    record = grid.example.record
    labels = readers.highdicom_labels(seg, [entry.sop_instance_uid for entry in record.slices])
    np.testing.assert_array_equal(labels, record.to_dicom(grid.example.labels))


def test_dcmqi_finds_the_label_map_by_position(grid: Grid, seg: Path, tmp_path: Path) -> None:
    np.testing.assert_array_equal(label_map_by_dcmqi(seg, grid.example.record, tmp_path), grid.example.labels)


def test_orthanc_keeps_the_file_and_knows_its_header(grid: Grid, seg: Path, orthanc: Orthanc) -> None:
    instance = orthanc.store(seg)
    assert orthanc.get(f"{instance}/file") == seg.read_bytes()
    tags = orthanc.json(f"{instance}/simplified-tags")
    header = {keyword: tags[keyword] for keyword in readers.TOP_LEVEL}
    assert {**header, "labels": [item["SegmentLabel"] for item in tags["SegmentSequence"]]} == _true_header(grid, seg)
    assert len(orthanc.json(f"{instance}/frames")) == len(grid.frames)


def test_orthanc_shows_frames_whose_rows_fill_whole_bytes(grid: Grid, seg: Path, orthanc: Orthanc) -> None:
    instance = orthanc.store(seg)
    if not grid.whole_bytes:
        with pytest.raises(urllib.error.HTTPError, match="415"):
            orthanc.get(f"{instance}/frames/0/image-uint8")
        with pytest.raises(urllib.error.HTTPError, match="400"):
            orthanc.get(f"{instance}/frames/0/raw")
        return
    for index, frame in enumerate(grid.frames):
        picture = Image.open(io.BytesIO(orthanc.get(f"{instance}/frames/{index}/image-uint8")))
        np.testing.assert_array_equal(np.asarray(picture) > 0, frame)
        bits = np.frombuffer(orthanc.get(f"{instance}/frames/{index}/raw"), np.uint8)
        np.testing.assert_array_equal(np.unpackbits(bits, bitorder="little"), frame.ravel())


def test_orthanc_gives_files_and_frames_by_dicomweb(grid: Grid, seg: Path, orthanc: Orthanc) -> None:
    orthanc.store(seg)
    path = _dicomweb_path(seg)
    assert orthanc.part(path, '"application/dicom"; transfer-syntax=*') == seg.read_bytes()
    plain = pydicom.dcmread(io.BytesIO(orthanc.part(path, '"application/dicom"')))
    assert plain.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    np.testing.assert_array_equal(plain.pixel_array, grid.frames)
    for index, frame in enumerate(grid.frames if grid.whole_bytes else ()):
        bits = orthanc.part(f"{path}/frames/{index + 1}", '"application/octet-stream"')
        np.testing.assert_array_equal(np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little"), frame.ravel())


def test_orthanc_has_no_frames_in_a_deflated_syntax(grid: Grid, orthanc: Orthanc) -> None:
    """Each frame is asked for as it is stored, but a deflated file has no frames before it is inflated."""
    orthanc.store(grid.files["deflated"])
    frame = f"{_dicomweb_path(grid.files['deflated'])}/frames/1"
    with pytest.raises(urllib.error.HTTPError, match="500"):
        orthanc.part(frame, '"application/octet-stream"; transfer-syntax=*')


def test_gdcm_and_itk_do_not_know_where_the_frames_lie(grid: Grid, seg: Path) -> None:
    """Both look for the spacing outside the functional groups; whoever needs positions must not take theirs."""
    spacing = grid.example.record.spacing_mm
    assert spacing is not None
    assert readers.simpleitk_image(seg).GetSpacing() == (1, 1, 1) != spacing
    assert "Spacing: (1,1,1)" in readers.run("gdcminfo", seg)


def test_gdcmimg_writes_all_frames_behind_one_header(grid: Grid, seg: Path, tmp_path: Path) -> None:
    """Viewers of PBM see the first frame, black for one, and skewed where a row fills no whole bytes."""
    readers.run("gdcmimg", "-i", seg, "-o", tmp_path / "frames.pgm")
    _, rows, columns = grid.frames.shape
    head = f"P4\n{columns} {rows}\n".encode()
    content = (tmp_path / "frames.pgm").read_bytes()
    assert content.startswith(head)
    bits = np.unpackbits(np.frombuffer(content[len(head) :], np.uint8))
    np.testing.assert_array_equal(bits[: grid.frames.size], grid.frames.ravel())


def test_dciodvfy_reads_no_deflated_file(grid: Grid) -> None:
    """`validate_dicom` therefore has to give it the inflated twin."""
    readers.run("dciodvfy", "-new", grid.files["explicit"])
    with pytest.raises(AssertionError, match="Dicom dataset read failed"):
        readers.run("dciodvfy", "-new", grid.files["deflated"])
