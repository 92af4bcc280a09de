from pathlib import Path

import pydicom
import pytest

from ct_assets.dicom import validators
from ct_assets.dicom.validators import ValidationOutcome, validate_dicom, validate_report


def test_an_object_that_lacks_an_attribute_is_rejected(axial_seg: Path, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(axial_seg)
    del dataset.SegmentSequence
    dataset.save_as(tmp_path / "seg.dcm")
    validation = validate_dicom(tmp_path / "seg.dcm")
    assert validation.outcome is ValidationOutcome.REJECTED
    assert any("SegmentSequence" in error for error in validation.errors)


def test_a_file_that_is_no_dicom_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "text.dcm").write_text("no DICOM")
    assert validate_dicom(tmp_path / "text.dcm").outcome is ValidationOutcome.REJECTED


def test_a_seg_is_no_report(axial_seg: Path) -> None:
    validation = validate_report(axial_seg)
    assert validation.outcome is ValidationOutcome.REJECTED
    assert any("absent from its output" in error for error in validation.errors)


def test_a_validator_that_hangs_rejects(axial_seg: Path) -> None:
    validation = validate_report(axial_seg, timeout=0.01)
    assert validation.outcome is ValidationOutcome.REJECTED
    assert "stopped after 0.01 s" in validation.errors


def test_not_installed_is_an_outcome_of_its_own(
    axial_seg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validators, "PIXELMED_JAR", tmp_path / "absent.jar")
    assert validate_report(axial_seg).outcome is ValidationOutcome.NOT_INSTALLED
    monkeypatch.setenv("PATH", str(tmp_path))
    assert validate_dicom(axial_seg).outcome is ValidationOutcome.NOT_INSTALLED


@pytest.mark.parametrize("validate", [validate_dicom, validate_report])
def test_a_missing_file_is_an_error(tmp_path: Path, validate: object) -> None:
    assert callable(validate)
    with pytest.raises(FileNotFoundError, match=r"absent\.dcm"):
        validate(tmp_path / "absent.dcm")
