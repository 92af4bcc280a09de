"""What independent validators say of the objects that we make; dciodvfy (dicom3tools) on one of them."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from ct_assets.store.leftovers import scratch_folder

DEFAULT_TIMEOUT = 300.0
"""Seconds after which a validator counts as failed."""

_PERSONAL = re.compile(r"\((?:0x)?0010,|\bPN\b|\((?:0x)?0008,(?:0x)?00[59]0|\((?:0x)?0020,(?:0x)?0010")
_QUOTED_VALUE = re.compile(r"= <(.*>|.*$)")


class ValidationOutcome(Enum):
    """What a validator said of a file; a validator that is not there says nothing."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    NOT_INSTALLED = "not installed"


@dataclass(frozen=True)
class Validation:
    """Verdict of one validator on one file, with its messages; values of patients and persons are struck out.

    ``complete``: the validator came to an end, so that it would say the same again.
    """

    validator: str
    outcome: ValidationOutcome
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    complete: bool = True


def validate_dicom(path: Path, timeout: float = DEFAULT_TIMEOUT) -> Validation:
    """Check an object against its IOD with ``dciodvfy -new``; it cannot read deflated files, so it gets them inflated.

    Parameters
    ----------
    path : Path
        DICOM file.
    timeout : float
        Seconds to wait.

    Returns
    -------
    Validation
        Rejected if dciodvfy reports an error or fails itself.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    validator = "dciodvfy"
    _require(path)
    if shutil.which(validator) is None:
        return Validation(validator, ValidationOutcome.NOT_INSTALLED)
    with _inflated(path) as readable:
        status, lines = _run([validator, "-new", str(readable)], timeout)
    errors = starting_with(lines, "Error")
    if status != 0 and not errors:
        errors = (f"{validator} ended with status {status}", *lines[-3:])
    return _verdict(validator, errors, starting_with(lines, "Warning"))


def without_patient(line: str) -> str:
    """Return a message of a validator without the values of patients and persons that it quotes.

    Parameters
    ----------
    line : str
        Message.
    """
    return _QUOTED_VALUE.sub("= <...>", line) if _PERSONAL.search(line) else line


def starting_with(lines: list[str], word: str) -> tuple[str, ...]:
    """Return the messages that begin with a word, such as Error.

    Parameters
    ----------
    lines : list of str
        What a validator said.
    word : str
        The word.
    """
    return tuple(line.strip() for line in lines if line.strip().startswith(word))


@contextmanager
def _inflated(path: Path) -> Iterator[Path]:
    """Give the file, or its twin in Explicit VR Little Endian if it is deflated."""
    try:
        syntax = read_file_meta_info(path).get("TransferSyntaxUID")
    except (InvalidDicomError, OSError, EOFError):
        syntax = None
    if syntax != DeflatedExplicitVRLittleEndian:
        yield path
        return
    with scratch_folder() as scratch:
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.save_as(scratch / path.name, enforce_file_format=True)
        yield scratch / path.name


def _verdict(validator: str, errors: tuple[str, ...], warnings: tuple[str, ...]) -> Validation:
    outcome = ValidationOutcome.REJECTED if errors else ValidationOutcome.ACCEPTED
    return Validation(validator, outcome, errors, warnings)


def _require(path: Path) -> None:
    if not path.is_file():
        message = f"{path} is missing; there is nothing to validate"
        raise FileNotFoundError(message)


def _run(command: list[str], timeout: float) -> tuple[int, list[str]]:
    """Return the exit status (-1 after a timeout) and the lines of both output streams."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return -1, [f"stopped after {timeout:g} s"]
    return done.returncode, [without_patient(line) for line in done.stdout.decode(errors="replace").splitlines()]
