"""Examples shared by the tests of SEG."""

from pathlib import Path

import pytest

from tests.dicom_seg.examples import GEOMETRIES, Example, make_example, write_ct

REAL = {"chest_ct_64": "real/chest_ct_64/dicom", "ibsi_lung_ct": "real/ibsi_lung_ct/dicom/image"}


@pytest.fixture(scope="session", params=[*GEOMETRIES, *REAL])
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Example:
    """Every geometry, synthetic and real."""
    folder = tmp_path_factory.mktemp("example")
    if request.param in REAL:
        files = sorted((shared_data / REAL[request.param]).glob("*.dcm"))
    else:
        files = write_ct(folder / "dicom", GEOMETRIES[request.param])
    return make_example(files, folder / "series")


@pytest.fixture(scope="session")
def axial(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """The plainest geometry."""
    folder = tmp_path_factory.mktemp("axial")
    return make_example(write_ct(folder / "dicom", GEOMETRIES["axial"]), folder / "series")


@pytest.fixture(scope="session")
def axial_seg(axial: Example, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SEG of the plainest geometry."""
    path = tmp_path_factory.mktemp("axial_seg") / "seg.dcm"
    axial.write(path)
    return path
