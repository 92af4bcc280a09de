"""PixelMed's DicomSRValidator on many reports in one JVM, whose start and rules would cost seconds for each."""

import base64
import os
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import IO

from ct_assets.dicom.validators import Validation, ValidationOutcome, starting_with, without_patient
from ct_assets.store.digest import file_digest
from ct_assets.store.leftovers import scratch_folder

VALIDATOR = "DicomSRValidator"
"""Name of the validator in verdicts."""

PIXELMED_JAR = Path("/usr/share/java/pixelmed.jar")
"""Where Debian's libpixelmed-java puts PixelMed."""

TIMEOUT = 300.0
"""Seconds that one report may take; one of 600 groups takes four."""

_DRIVER = Path(__file__).with_name("ValidateReports.java")
_OPTIONS = (
    *(f"-Djdk.xml.xpath{limit}Limit=0" for limit in ("TotalOp", "ExprOp", "ExprGrp")),
    "-XX:MaxRAMPercentage=60",
    # Half of the time at the start, and less of it later: the code of the rules is too large for the other compiler.
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
)
_START_TIMEOUT = 300.0
_REPORTS_PER_THREAD = 100
_COMPLETE = ("Root Template Validation Complete", "IOD validation complete")
_VERSION_LENGTH = 12
_JUDGEMENT = 1  # to be raised when the same output gets another verdict


class ValidatorError(OSError):
    """DicomSRValidator is installed and does not work; the message says what Java said."""


def installed() -> bool:
    """Tell whether DicomSRValidator can run: Java with its compiler, and PixelMed's library."""
    return shutil.which("java") is not None and shutil.which("javac") is not None and PIXELMED_JAR.is_file()


@cache
def validator_version() -> str:
    """Return what decides on a verdict: the digest of PixelMed's library, and how its output is judged here."""
    return f"{VALIDATOR} {file_digest(PIXELMED_JAR)[:_VERSION_LENGTH]}, judgement {_JUDGEMENT}"


def validate_reports(
    paths: Sequence[Path], *, threads: int | None = None, timeout: float = TIMEOUT
) -> Iterator[tuple[Path, Validation]]:
    """Check reports against their IOD and root template, and yield each verdict as soon as it is there.

    A report that takes too long, or at which the JVM dies, is rejected with that reason, and the others go on.

    Parameters
    ----------
    paths : sequence of Path
        DICOM SR files.
    threads : int, optional
        Reports at a time, at most; default: one for every 100 reports, since each thread loads the rules for itself, up
        to the number of cores.
    timeout : float
        Seconds that one report may take.

    Yields
    ------
    path : Path
        One of the files, in the order of completion.
    validation : Validation
        Rejected if the validator reports an error, does not complete, or warns: no warning is expected of our reports.

    Raises
    ------
    FileNotFoundError
        If one of the files does not exist.
    ValidatorError
        If the JVM does not get as far as the first report.
    """
    for path in paths:
        if not path.is_file():
            message = f"{path} is missing; there is nothing to validate"
            raise FileNotFoundError(message)
    if not installed():
        yield from ((path, Validation(VALIDATOR, ValidationOutcome.NOT_INSTALLED)) for path in paths)
        return
    together, alone = [str(index) for index in range(len(paths))], list[str]()
    while together or alone:
        names = together or alone[:1]
        run = _Run(paths, names, min(threads or _threads(len(names)), len(names)), timeout)
        for name, verdict in run.verdicts():
            yield paths[int(name)], verdict
        # What was at work when the JVM ended is tried once more, alone, to learn which report ended it.
        suspects = [name for name in names if name in run.begun]
        if not suspects and not run.done:
            message = f"{VALIDATOR} does not start: {run.last_words}"
            raise ValidatorError(message)
        if together:
            alone += suspects
            together = [name for name in names if name not in run.done and name not in run.begun]
        else:
            for name in suspects:
                reason = f"{VALIDATOR} ended while it worked: {run.last_words}"
                yield paths[int(name)], Validation(VALIDATOR, ValidationOutcome.REJECTED, (reason,), complete=False)
            alone = alone[1:]


def _threads(reports: int) -> int:
    return min(os.cpu_count() or 1, 1 + reports // _REPORTS_PER_THREAD)


class _Run:
    """One JVM at work: what it has begun and not finished, and what is done."""

    def __init__(self, paths: Sequence[Path], names: Sequence[str], threads: int, timeout: float) -> None:
        self._paths, self._names, self._threads, self._timeout = paths, names, threads, timeout
        self.begun: dict[str, float] = {}
        self.done: set[str] = set()
        self.last_words = ""

    def verdicts(self) -> Iterator[tuple[str, Validation]]:
        """Yield name and verdict of each report until the JVM ends or one takes too long."""
        with scratch_folder() as scratch, (scratch / "log").open("w+b") as log:
            for name in self._names:
                (Path(scratch) / name).symlink_to(self._paths[int(name)].resolve())
            # Links with plain names: a path may hold what neither Java nor a line can carry.
            (scratch / "names").write_text("".join(f"{name}\n" for name in self._names), encoding="ascii")
            command = ["java", *_OPTIONS, "-cp", str(PIXELMED_JAR), str(_DRIVER), str(self._threads)]
            with (scratch / "names").open("rb") as names:
                process = subprocess.Popen(command, cwd=scratch, stdin=names, stdout=subprocess.PIPE, stderr=log)
            assert process.stdout is not None
            events: queue.Queue[bytes] = queue.Queue()
            reader = threading.Thread(target=_forward, args=(process.stdout, events), daemon=True)
            reader.start()
            try:
                yield from self._events(process, events)
            finally:
                process.kill()
                process.wait()
                reader.join()
                process.stdout.close()
                log.seek(0)
                self.last_words = _last_words(process.returncode, log.read().decode(errors="replace"))

    def _events(
        self, process: "subprocess.Popen[bytes]", events: "queue.Queue[bytes]"
    ) -> Iterator[tuple[str, Validation]]:
        started = time.monotonic()
        while self.begun or self.done or time.monotonic() - started < _START_TIMEOUT:
            late = [name for name, since in self.begun.items() if time.monotonic() - since > self._timeout]
            for name in late:
                yield self._finish(name, (f"stopped after {self._timeout:g} s",), (), complete=False)
            if late:
                return
            try:
                event = events.get(timeout=min(1.0, self._timeout))
            except queue.Empty:
                continue
            if not event:
                process.wait()
                return
            kind, name, *rest = event.decode().split()
            text = base64.b64decode(rest[0]).decode(errors="replace") if rest else ""
            if kind == "begun":
                self.begun[name] = time.monotonic()
            elif kind == "failed":
                yield self._finish(name, (without_patient(text),), ())
            elif kind == "done":
                yield self._finish(name, *_said([without_patient(line) for line in text.splitlines()]))

    def _finish(
        self, name: str, errors: tuple[str, ...], warnings: tuple[str, ...], *, complete: bool = True
    ) -> tuple[str, Validation]:
        self.begun.pop(name, None)
        self.done.add(name)
        outcome = ValidationOutcome.REJECTED if errors or warnings else ValidationOutcome.ACCEPTED
        return name, Validation(VALIDATOR, outcome, errors, warnings, complete)


def _forward(output: IO[bytes], events: "queue.Queue[bytes]") -> None:
    for line in output:
        events.put(line)
    events.put(b"")


def _last_words(status: int, log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if "Error" in line or "Exception" in line]
    return ": ".join([f"status {status}", *map(without_patient, lines[-1:])])


def _said(lines: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return errors and warnings; success is both lines that say validation is complete, and no error."""
    errors = starting_with(lines, "Error")
    missing = [phrase for phrase in _COMPLETE if not any(phrase in line for line in lines)]
    if missing:
        errors = (*errors, f"absent from the output of {VALIDATOR}: {', '.join(missing)}", *lines[-3:])
    return errors, starting_with(lines, "Warning")
