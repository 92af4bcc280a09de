"""Small files that are sound, to be broken."""

from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.ct_nifti.structure_sets import Contour, Frames, write_structure_set
from tests.dicom_seg.examples import GEOMETRIES, Example, make_example, write_ct


@pytest.fixture(scope="session")
def ct(tmp_path_factory) -> Example:
    folder = tmp_path_factory.mktemp("axial")
    return make_example(write_ct(folder / "dicom", GEOMETRIES["axial"]), folder / "series")


@pytest.fixture(scope="session")
def seg(ct, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("seg") / "seg.dcm"
    ct.write(path)
    return path


@pytest.fixture(scope="session")
def structure_set(ct, tmp_path_factory) -> Path:
    frames = Frames(ct)
    contours = [Contour(frames.circle(index, radius, points=24)) for index in (3, 4) for radius in (9.0, 4.0)]
    rois = {"Heart": contours, "Lung": contours[:1]}
    return write_structure_set(tmp_path_factory.mktemp("rt") / "rt.dcm", ct.record, rois)


@pytest.fixture(scope="session")
def contents(ct, seg, structure_set) -> list[bytes]:
    """A CT image, a SEG and an RTSTRUCT, each in three transfer syntaxes."""
    plain = [ct.series.instances[0].path, seg, structure_set]
    return [path.read_bytes() for path in plain] + [
        _in(syntax, path) for syntax in (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian) for path in plain
    ]


def _in(syntax: str, path: Path) -> bytes:
    dataset, target = pydicom.dcmread(path), BytesIO()
    for _ in dataset.iterall():
        pass
    dataset.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(target, dataset, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True)
    return target.getvalue()
