"""Unpack a model from a ZIP archive that comes from outside: the files it needs, from the one folder that has them."""

import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from resources.archive_members import ModelArchiveError, checked_members, refused
from resources.model_catalogue import CatalogueModel
from resources.model_download import require_space

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
_SHOWN = 5
_FOREIGN = "__MACOSX"  # what the Macintosh adds to archives, with the same names


def unpack_model(path: Path, model: CatalogueModel, target: Path, label: str) -> None:
    """Unpack the files of a model.

    Parameters
    ----------
    path : Path
        ZIP archive.
    model : CatalogueModel
        What is looked for in it.
    target : Path
        Folder to write, which must not exist.
    label : str
        What messages call the archive.

    Raises
    ------
    ModelArchiveError
        If it is no ZIP archive, has a member that is not let in, has not the model, or has it more than once.
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
        chosen = _chosen(members, model, label)
        target.mkdir(parents=True)
        require_space(target, sum(member.file_size for member in chosen.values()), f"unpacking {label}")
        for name, member in chosen.items():
            file = target / name
            file.parent.mkdir(parents=True, exist_ok=True)
            _extract(archive, label, member, file)


def _chosen(members: dict[str, zipfile.ZipInfo], model: CatalogueModel, label: str) -> dict[str, zipfile.ZipInfo]:
    """Return the files to install, by their name below the model's folder."""
    present = {PurePosixPath(name): name for name in members if _FOREIGN not in PurePosixPath(name).parts}
    required = [PurePosixPath(name) for name in model.required]
    # Every folder that has any of them, with what it has.
    having: dict[PurePosixPath, set[str]] = {}
    for file in present:
        for wanted in required:
            depth = len(wanted.parts)
            if file.parts[-depth:] == wanted.parts:
                having.setdefault(PurePosixPath(*file.parts[:-depth]), set()).add(str(wanted))
    whole = sorted(folder for folder, found in having.items() if len(found) == len(required))
    if len(whole) != 1:
        raise _not_one(label, model, having, whole, sorted(members))
    folder = whole[0]
    if model.whole:
        return {str(file.relative_to(folder)): members[name] for file, name in present.items() if _below(file, folder)}
    return {str(wanted): members[present[folder / wanted]] for wanted in required}


def _below(file: PurePosixPath, folder: PurePosixPath) -> bool:
    return folder in file.parents


def _not_one(
    label: str,
    model: CatalogueModel,
    having: dict[PurePosixPath, set[str]],
    whole: list[PurePosixPath],
    names: list[str],
) -> ModelArchiveError:
    if whole:
        places = ", ".join(f"{folder}/" for folder in whole)
        reason = f"has the model {model.name} more than once: {places}"
    elif having:
        folder = max(sorted(having), key=lambda folder: len(having[folder]))
        missing = ", ".join(name for name in model.required if name not in having[folder])
        reason = f"is not the model {model.name}: {missing} is missing in its folder {folder}/"
    else:
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        reason = f"is not the model {model.name}: it has no {', '.join(model.required)}, but {shown or 'no files'}"
    return ModelArchiveError(f"{label}: {reason}; nothing was installed")


def _extract(archive: zipfile.ZipFile, label: str, member: zipfile.ZipInfo, file: Path) -> None:
    written = 0
    with file.open("xb") as output:
        for piece in _pieces(archive, label, member):
            written += len(piece)
            if written > member.file_size:  # zipfile stops there too; the disk is not left to its care
                raise refused(label, member, f"is longer than the {member.file_size} bytes it says")
            output.write(piece)
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
