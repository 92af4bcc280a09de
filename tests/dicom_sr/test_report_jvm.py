"""The life of the JVM that validates reports, with a Java that does what the name of a report says."""

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ct_assets.dicom import report_validator
from ct_assets.dicom.report_validator import ValidatorError, validate_reports
from ct_assets.dicom.validators import ValidationOutcome

FAKE_JAVA = """#!{python}
import os, signal, sys, time
sys.stderr.write("INFO: read\\njava.lang.OutOfMemoryError: Java heap space\\n")
for name in map(str.strip, sys.stdin):
    target = os.path.basename(os.readlink(name))
    if target == "no_start.dcm":
        sys.exit(3)
    print("begun", name, flush=True)
    if target == "fatal.dcm":
        os.kill(os.getpid(), signal.SIGKILL)
    if target == "hanging.dcm":
        time.sleep(60)
    print("done", name, "{accepted}", flush=True)
"""
ACCEPTED = "Um9vdCBUZW1wbGF0ZSBWYWxpZGF0aW9uIENvbXBsZXRlCklPRCB2YWxpZGF0aW9uIGNvbXBsZXRl"
"""Both lines that say that validation is complete, in Base64."""


def _outcomes(paths: list[Path], **options: Any) -> dict[str, tuple[ValidationOutcome, tuple[str, ...]]]:
    return {path.name: (said.outcome, said.errors) for path, said in validate_reports(paths, **options)}


def test_the_documents_of_the_rules_are_read_once_per_report(reports: dict[str, Path]) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert all(said.outcome is ValidationOutcome.ACCEPTED for _, said in validate_reports([reports["regions"]] * 8))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Of CPU time: 6 s on a common machine; 65 s if the context groups are read for every code.
    assert after.ru_utime - before.ru_utime < 30


def test_a_jvm_that_is_killed_from_outside_loses_no_report(
    reports: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    class Watched(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Watched)
    paths = [reports["landmarks"], reports["regions"]]
    verdicts = validate_reports(paths, threads=1)
    found = [next(verdicts)]
    started[0].kill()
    found += list(verdicts)
    assert len(started) > 1
    assert sorted(path for path, _ in found) == sorted(paths)
    assert {said.outcome for _, said in found} == {ValidationOutcome.ACCEPTED}


@pytest.fixture
def fake_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a Java on the path that does what the name of a report says; return the folder of the reports."""
    programs, folder = tmp_path / "programs", tmp_path / "reports"
    programs.mkdir()
    folder.mkdir()
    (programs / "java").write_text(FAKE_JAVA.format(python=sys.executable, accepted=ACCEPTED))
    (programs / "javac").write_text("#!/bin/sh\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    (tmp_path / "pixelmed.jar").touch()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(report_validator, "PIXELMED_JAR", tmp_path / "pixelmed.jar")
    return folder


def _files(folder: Path, *names: str) -> list[Path]:
    paths = [folder / f"{name}.dcm" for name in names]
    for path in paths:
        path.touch()
    return paths


def test_a_report_that_ends_the_jvm_is_rejected_with_the_reason_and_the_others_go_on(fake_java: Path) -> None:
    found = _outcomes(_files(fake_java, "a", "fatal", "b", "c"))
    reason = "DicomSRValidator ended while it worked: status -9: java.lang.OutOfMemoryError: Java heap space"
    assert found.pop("fatal.dcm") == (ValidationOutcome.REJECTED, (reason,))
    assert found == dict.fromkeys(("a.dcm", "b.dcm", "c.dcm"), (ValidationOutcome.ACCEPTED, ()))


def test_a_report_that_takes_too_long_is_rejected_and_the_others_go_on(fake_java: Path) -> None:
    found = _outcomes(_files(fake_java, "a", "hanging", "b"), timeout=1)
    assert found.pop("hanging.dcm") == (ValidationOutcome.REJECTED, ("stopped after 1 s",))
    assert found == dict.fromkeys(("a.dcm", "b.dcm"), (ValidationOutcome.ACCEPTED, ()))


def test_neither_is_a_verdict_that_would_come_again(fake_java: Path) -> None:
    paths = _files(fake_java, "a", "fatal", "hanging")
    assert {path.stem: said.complete for path, said in validate_reports(paths, timeout=1)} == {
        "a": True,
        "fatal": False,
        "hanging": False,
    }


def test_a_jvm_that_does_not_start_is_an_error(fake_java: Path) -> None:
    with pytest.raises(ValidatorError, match=r"does not start: status 3: java\.lang\.OutOfMemoryError"):
        list(validate_reports(_files(fake_java, "no_start", "a")))


def test_a_jvm_that_never_begins_is_an_error(fake_java: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_validator, "_START_TIMEOUT", 0.5)
    (fake_java.parent / "programs/java").write_text("#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(ValidatorError, match="does not start"):
        list(validate_reports(_files(fake_java, "a")))


@pytest.mark.parametrize("missing", ["java", "javac", "library"])
def test_not_installed_is_an_outcome_of_its_own(fake_java: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    programs = fake_java.parent / "programs"
    monkeypatch.setenv("PATH", str(programs))
    (fake_java.parent / "pixelmed.jar" if missing == "library" else programs / missing).unlink()
    assert _outcomes(_files(fake_java, "a", "b")) == dict.fromkeys(
        ("a.dcm", "b.dcm"), (ValidationOutcome.NOT_INSTALLED, ())
    )
