"""dcm2niix as a function: files in, the volumes that it makes out."""

import logging
import math
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib

from ct_assets.store.space import NoSpaceLeftError

logger = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 900
_NOT_WRITTEN = "Unable to write"


class ConversionError(RuntimeError):
    """dcm2niix is missing or broke; the message says what to do."""


@dataclass(frozen=True)
class Conversion:
    """Volumes (uncompressed NIfTI), warnings, and the converter's name and version."""

    volumes: tuple[Path, ...]
    messages: tuple[str, ...]
    converter: str


def run_dcm2niix(files: list[Path], scratch: Path) -> Conversion:
    """Convert the files of one series.

    Parameters
    ----------
    files : list of Path
        DICOM files of one series.
    scratch : Path
        Empty folder to work in.

    Returns
    -------
    Conversion
        Volumes may be none or several: the caller judges.

    Raises
    ------
    ConversionError
        If the program cannot be started, crashes, or does not end.
    NoSpaceLeftError
        If the disk of the scratch folder is full, which would look like a series that has no volume.
    """
    source, target = scratch / "dicom", scratch / "nifti"
    source.mkdir()
    target.mkdir()
    for number, file in enumerate(files):
        (source / f"{number:06d}.dcm").symlink_to(file.resolve())
    command = [_program(), "-z", "n", "-b", "n", "-m", "y", "-f", "volume", "-o", str(target), str(source)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"dcm2niix did not run ({error}); reinstall the environment"
        raise ConversionError(message) from error
    output = (result.stdout + result.stderr).replace(str(scratch), "")
    if result.returncode < 0:
        message = f"dcm2niix was ended by signal {-result.returncode}: {output[-400:]}"
        raise ConversionError(message)
    volumes = tuple(sorted(target.glob("*.nii")))
    if _NOT_WRITTEN in output or not all(_is_whole(volume) for volume in volumes):
        message = f"no space left in {scratch.parent} for dcm2niix; free some, or set TMPDIR to a larger folder"
        raise NoSpaceLeftError(message)
    logger.info("dcm2niix made %d volumes of %d files (exit code %d)", len(volumes), len(files), result.returncode)
    return Conversion(volumes, _messages(output), _version(output))


def _is_whole(volume: Path) -> bool:
    """Tell whether a file has all voxels that its header states."""
    image = nib.load(volume)
    expected: int = image.dataobj.offset + math.prod(image.shape) * image.get_data_dtype().itemsize
    return volume.stat().st_size >= expected


def _program() -> str:
    from dcm2niix import bin as program

    return str(program)


def _messages(output: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in output.splitlines() if re.match(r"\s*(warning|error)", line, re.IGNORECASE))


def _version(output: str) -> str:
    found = re.search(r"v(\d+\.\d+\.\d+)", output)
    return f"dcm2niix {found.group(1) if found else 'of unknown version'}"
