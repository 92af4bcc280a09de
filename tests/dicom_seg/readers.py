"""How each independent reader is asked for the header and the frames of a SEG."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import gdcm  # type: ignore[import-untyped]
import highdicom
import numpy as np
import numpy.typing as npt
import pydicom
import SimpleITK
from PIL import Image

from tests.dicom_seg.examples import dcmqi

Frames = npt.NDArray[np.bool_]
Header = dict[str, Any]

TOP_LEVEL = {
    "SOPInstanceUID": "0008,0018",
    "NumberOfFrames": "0028,0008",
    "Rows": "0028,0010",
    "Columns": "0028,0011",
}
_LABEL = "0062,0005"
_DUMPED = re.compile(r"^\s*\(([0-9a-f]{4},[0-9a-f]{4})\) [A-Z]{2} \[?([^\]#]*?)\s*\]?\s+#", re.MULTILINE)


def run(*command: object) -> str:
    """Run a program and return what it says."""
    program = shutil.which(str(command[0]))
    assert program, f"{command[0]} is missing; run `make debian-packages`"
    done = subprocess.run([program, *map(str, command[1:])], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def header_of(dataset: pydicom.Dataset) -> Header:
    """Return what pydicom, or highdicom on it, knows."""
    values: Header = {keyword: str(dataset[keyword].value) for keyword in TOP_LEVEL}
    return {**values, "labels": [str(segment.SegmentLabel) for segment in dataset.SegmentSequence]}


def pydicom_header(path: Path, _: Path) -> Header:
    return header_of(pydicom.dcmread(path))


def highdicom_header(path: Path, _: Path) -> Header:
    return header_of(highdicom.seg.segread(path))


def dcmqi_header(path: Path, folder: Path) -> Header:
    """dcmqi describes the segments, and no more."""
    dcmqi("segimage2itkimage", "--inputDICOM", path, "--outputDirectory", folder, "--prefix", "seg", "-t", "nrrd")
    segments = [group[0] for group in json.loads((folder / "seg-meta.json").read_text())["segmentAttributes"]]
    return {"labels": [segment["SegmentLabel"] for segment in sorted(segments, key=lambda entry: entry["labelID"])]}


def dcmtk_header(path: Path, _: Path) -> Header:
    tags = [*TOP_LEVEL.values(), _LABEL]
    return _parsed(run("dcmdump", *(word for tag in tags for word in ("+P", tag)), path))


def gdcm_header(path: Path, _: Path) -> Header:
    return _parsed(run("gdcmdump", path))


def simpleitk_header(path: Path, _: Path) -> Header:
    """ITK offers no sequences, and so no labels."""
    reader = _simpleitk_reader(path)
    reader.ReadImageInformation()
    return {keyword: reader.GetMetaData(tag.replace(",", "|")).strip("\0 ") for keyword, tag in TOP_LEVEL.items()}


def pydicom_frames(path: Path, _: Path) -> Frames:
    return np.asarray(pydicom.dcmread(path).pixel_array, dtype=bool)


def dcmtk_frames(path: Path, folder: Path) -> Frames:
    run("dcmj2pnm", "--all-frames", "--use-frame-number", "--min-max-window", path, folder / "frame")
    files = sorted(folder.glob("frame.f*.pgm"), key=lambda file: int(file.name.split(".")[1][1:]))
    return np.stack([np.asarray(Image.open(file)) > 0 for file in files])


def gdcmraw_frames(path: Path, folder: Path) -> Frames:
    """gdcmraw hands out the pixel data as it is stored: one bit a pixel."""
    run("gdcmraw", "-i", path, "-o", folder / "pixels", "-t", "7fe0,0010")
    return _unpacked((folder / "pixels").read_bytes(), path)


def gdcm_frames(path: Path, _: Path) -> Frames:
    """Its Python binding decodes, and leaves one bit a pixel."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read(), "gdcm.ImageReader refuses"
    return _unpacked(reader.GetImage().GetBuffer().encode("utf-8", "surrogateescape"), path)


def simpleitk_image(path: Path) -> Any:
    """Read with ITK's GDCM."""
    return _simpleitk_reader(path).Execute()


def simpleitk_frames(path: Path, _: Path) -> Frames:
    return np.asarray(SimpleITK.GetArrayFromImage(simpleitk_image(path)) > 0)


def highdicom_labels(path: Path, sop_instance_uids: list[str]) -> npt.NDArray[np.uint8]:
    """Return the label map on CT instances, shape (slices, rows, columns)."""
    segmentation = highdicom.seg.segread(path)
    return np.asarray(
        segmentation.get_pixels_by_source_instance(
            sop_instance_uids, combine_segments=True, assert_missing_frames_are_empty=True
        )
    )


def _simpleitk_reader(path: Path) -> Any:
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    return reader


def _parsed(dump: str) -> Header:
    """Read a dump of dcmdump or gdcmdump, whose lines look alike."""
    values = _DUMPED.findall(dump)
    first = dict(reversed(values))
    header: Header = {keyword: first[tag].rstrip("\0 ") for keyword, tag in TOP_LEVEL.items()}
    return {**header, "labels": [value.rstrip("\0 ") for tag, value in values if tag == _LABEL]}


def _unpacked(bits: bytes, path: Path) -> Frames:
    """Return frames of bits, the first pixel in the lowest bit, without padding between frames (PS3.5 8.1.1)."""
    header = pydicom.dcmread(path, stop_before_pixels=True)
    shape = (int(header.NumberOfFrames), int(header.Rows), int(header.Columns))
    pixels = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")
    return pixels[: int(np.prod(shape))].reshape(shape).astype(bool)
