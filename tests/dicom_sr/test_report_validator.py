"""Many reports in one JVM: the same verdicts as the command line's, and nothing that goes wrong stops the others."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from ct_assets.dicom import report_validator
from ct_assets.dicom.report_validator import PIXELMED_JAR, installed, validate_reports, validator_version
from ct_assets.dicom.validators import Validation, ValidationOutcome
from tests.dicom_sr.conftest import Annotated

LIMITS = [f"-Djdk.xml.xpath{limit}Limit=0" for limit in ("TotalOp", "ExprOp", "ExprGrp")]


def _command_line(path: Path) -> list[str]:
    command = ["java", *LIMITS, "-cp", str(PIXELMED_JAR), "com.pixelmed.validate.DicomSRValidator", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = (done.stdout + done.stderr).splitlines()
    return sorted(line.strip() for line in lines if line.strip().startswith(("Error", "Warning")))


@pytest.fixture(scope="module")
def faulty(special_reports: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with an error, a code that is no longer what its meaning says, and a name that is no ASCII."""
    path = tmp_path_factory.mktemp("faulty") / "nicht gültig\nzwei Zeilen.dcm"
    dataset = pydicom.dcmread(special_reports["expert"])
    del dataset.VerificationFlag
    measurements = next(i for i in dataset.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "126010")
    group = measurements.ContentSequence[0].ContentSequence
    measured = next(item for item in group if item.ValueType == "NUM")
    measured.ConceptNameCodeSequence[0].CodeMeaning = "Something else"
    finding = next(item for item in group if item.ConceptNameCodeSequence[0].CodeValue == "121071")
    finding.RelationshipType = "HAS PROPERTIES"
    dataset.save_as(path)
    return path


def test_one_jvm_says_what_the_command_line_says(special_reports: dict[str, Path], faulty: Path) -> None:
    good = special_reports["expert"]
    verdicts = dict(validate_reports([faulty, good], threads=2))
    assert verdicts[good].outcome is ValidationOutcome.ACCEPTED
    bad = verdicts[faulty]
    assert bad.outcome is ValidationOutcome.REJECTED
    assert bad.validator == "DicomSRValidator"
    expected = _command_line(faulty)
    assert expected
    assert sorted({*bad.errors, *bad.warnings}) == sorted(set(expected))


def test_what_is_no_report_and_what_is_no_dicom_is_rejected_among_good_ones(
    special_reports: dict[str, Path], small: Annotated, tmp_path: Path
) -> None:
    (tmp_path / "text.dcm").write_text("no DICOM")
    good = [special_reports["landmarks"], special_reports["regions"]]
    verdicts = dict(validate_reports([good[0], small.seg, tmp_path / "text.dcm", good[1]]))
    assert [verdicts[path].outcome for path in good] == [ValidationOutcome.ACCEPTED] * 2
    assert verdicts[small.seg].outcome is verdicts[tmp_path / "text.dcm"].outcome is ValidationOutcome.REJECTED
    assert any("Root Template Validation Complete" in error for error in verdicts[small.seg].errors)


def test_a_report_at_which_the_jvm_dies_is_rejected_and_the_others_go_on(
    special_reports: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = list(special_reports.values())
    deadly = str(paths.index(special_reports["regions"]))
    finish, events = report_validator._Run._finish, report_validator._Run._events

    def lethal(self, name: str, *said: tuple[str, ...]) -> tuple[str, Validation]:
        """Lose the answer of one report, as if it had ended the JVM."""
        if name == deadly:
            self.begun[name] = 0.0
            raise SystemError
        return finish(self, name, *said)

    def caught(self, process, queue) -> Iterator[tuple[str, Validation]]:
        try:
            yield from events(self, process, queue)
        except SystemError:
            process.kill()

    monkeypatch.setattr(report_validator._Run, "_finish", lethal)
    monkeypatch.setattr(report_validator._Run, "_events", caught)
    verdicts = dict(validate_reports(paths, threads=2))
    assert set(verdicts) == set(paths)
    for path in paths:
        outcome = ValidationOutcome.REJECTED if path == special_reports["regions"] else ValidationOutcome.ACCEPTED
        assert verdicts[path].outcome is outcome, verdicts[path]
    assert "ended while it worked" in verdicts[special_reports["regions"]].errors[0]


def test_a_report_that_takes_too_long_is_rejected(special_reports: dict[str, Path]) -> None:
    ((_, verdict),) = validate_reports([special_reports["landmarks"]], timeout=0.01)
    assert verdict.outcome is ValidationOutcome.REJECTED
    assert verdict.errors == ("stopped after 0.01 s",)


def test_not_installed_is_an_outcome_of_its_own(
    special_reports: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert installed()
    assert validator_version().startswith("DicomSRValidator ")
    monkeypatch.setattr(report_validator, "PIXELMED_JAR", tmp_path / "absent.jar")
    verdicts = [verdict for _, verdict in validate_reports(list(special_reports.values()))]
    assert [verdict.outcome for verdict in verdicts] == [ValidationOutcome.NOT_INSTALLED] * len(special_reports)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.dcm"):
        list(validate_reports([tmp_path / "absent.dcm"]))


def test_the_compiler_is_part_of_what_must_be_installed() -> None:
    assert shutil.which("javac"), "tools/install_debian_packages.sh installs a JDK"
