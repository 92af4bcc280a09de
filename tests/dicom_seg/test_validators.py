from pathlib import Path

import pydicom
import pytest
from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian

from ct_assets.dicom.validate_written import validate_written, worst
from ct_assets.dicom.validators import Validation, ValidationOutcome, validate_dicom, without_patient
from tests.dicom_seg.examples import Example


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


def test_not_installed_is_an_outcome_of_its_own(
    axial_seg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert validate_dicom(axial_seg).outcome is ValidationOutcome.NOT_INSTALLED


@pytest.mark.parametrize(
    "line",
    [
        "Warning - (0x0010,0x0010) PN Patient's Name PN [0] = <Miller>Secret^Jane> - retired form",
        "Error - (0x0010,0x0020) LO Patient ID LO [0] = <Secret",
        "Error - (0x0008,0x0050) SH Accession Number SH [0] = <Secret>",
    ],
)
def test_values_that_identify_are_struck_out(line: str) -> None:
    assert "Secret" not in without_patient(line)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.dcm"):
        validate_dicom(tmp_path / "absent.dcm")


def test_a_deflated_seg_is_checked_uncompressed(axial: Example, tmp_path: Path) -> None:
    axial.write(tmp_path / "seg.dcm", deflate=True)
    assert read_file_meta_info(tmp_path / "seg.dcm").TransferSyntaxUID == DeflatedExplicitVRLittleEndian
    validation = validate_dicom(tmp_path / "seg.dcm")
    assert validation.outcome is ValidationOutcome.ACCEPTED, validation
    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    del dataset.SegmentSequence
    dataset.save_as(tmp_path / "seg.dcm")
    assert validate_dicom(tmp_path / "seg.dcm").outcome is ValidationOutcome.REJECTED


def test_the_worst_verdict_counts(axial: Example, tmp_path: Path) -> None:
    axial.write(tmp_path / "seg.dcm")
    verdicts = validate_written(tmp_path / "seg.json")
    assert list(verdicts) == ["seg.dcm"]
    accepted = verdicts["seg.dcm"]
    rejected = Validation("dciodvfy", ValidationOutcome.REJECTED, ("Error",))
    absent = Validation("dciodvfy", ValidationOutcome.NOT_INSTALLED)
    assert worst([]) is worst([accepted]) is ValidationOutcome.ACCEPTED
    assert worst([accepted, absent]) is ValidationOutcome.NOT_INSTALLED
    assert worst([absent, rejected, accepted]) is ValidationOutcome.REJECTED
