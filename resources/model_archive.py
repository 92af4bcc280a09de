"""Unpack a model from a ZIP archive that comes from outside: what it needs, and only after all of it was checked."""

import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from resources.archive_members import ModelArchiveError, checked_members, refused
from resources.archive_parts import chosen_members
from resources.model_catalogue import CatalogueModel
from resources.model_download import require_space
from resources.model_progress import Report, Step, unreported

_CHUNK = 1 << 20
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,  # UnicodeError of names among them
    NotImplementedError,  # so zipfile says that it does not know a version or a compression
    RuntimeError,  # so it says that a password is needed
)


def unpack_model(path: Path, model: CatalogueModel, target: Path, label: str, report: Report = unreported) -> None:
    """Unpack the files of a model.

    Parameters
    ----------
    path : Path
        ZIP archive.
    model : CatalogueModel
        What is looked for in it.
    target : Path
        Folder of the model, empty.
    label : str
        What messages call the archive.
    report : callable
        Called as files are written.

    Raises
    ------
    ModelArchiveError
        If it is no ZIP archive, has a member that is not let in, has not the model, or has it more than once or
        incomplete.
    NoSpaceError
        If the disk has too little room.
    """
    try:
        archive = zipfile.ZipFile(path)
    except _UNREADABLE as error:
        message = f"{label}: is no ZIP archive that can be read ({error}); nothing was installed"
        raise ModelArchiveError(message) from error
    with archive:
        members = checked_members(archive, label, model.largest)
        chosen = chosen_members(members, model, label)
        total = sum(member.file_size for member in chosen.values())
        require_space(target, total, f"unpacking {label}")
        done = 0
        report(Step.UNPACKING, done, total)
        for name, member in chosen.items():
            file = target / name
            file.parent.mkdir(parents=True, exist_ok=True)
            for size in _extracted(archive, label, member, file):
                done += size
                report(Step.UNPACKING, done, total)


def _extracted(archive: zipfile.ZipFile, label: str, member: zipfile.ZipInfo, file: Path) -> Iterator[int]:
    """Write a member, and give the size of each piece that was written."""
    written = 0
    with file.open("xb") as output:
        for piece in _pieces(archive, label, member):
            written += len(piece)
            if written > member.file_size:  # zipfile stops there too; the disk is not left to its care
                raise refused(label, member, f"is longer than the {member.file_size} bytes it says")
            output.write(piece)
            yield len(piece)
        output.flush()
        os.fsync(output.fileno())
    if written != member.file_size:
        raise refused(label, member, f"has {written} bytes, not the {member.file_size} it says")


def _pieces(archive: zipfile.ZipFile, label: str, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Read a member; what goes wrong here is the archive's fault, not that of the disk that is written."""
    try:
        with archive.open(member) as source:
            while piece := source.read(_CHUNK):
                yield piece
    except _UNREADABLE as error:
        raise refused(label, member, f"cannot be unpacked ({error})") from error
