"""The series whose reports are validated."""

from tests.dicom_sr.conftest import small  # noqa: F401  # a fixture
