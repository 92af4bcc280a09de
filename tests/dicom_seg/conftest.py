"""Examples shared by the tests of SEG."""

from pathlib import Path

import pytest

from tests.dicom_seg.examples import EXAMPLES, GEOMETRIES, Example, make_example, write_ct, write_example


@pytest.fixture(scope="session", params=EXAMPLES)
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Example:
    """Every geometry, synthetic, of the demo collection and real."""
    return write_example(request.param, tmp_path_factory.mktemp("example"), shared_data)


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
