"""What a ZIP archive says it holds, let in only if none of it can do harm where it is unpacked."""

import re
import stat
import unicodedata
import zipfile
from pathlib import PurePosixPath

_DRIVE = re.compile(r"[A-Za-z]:")
_ENCRYPTED = 0x1
_MOST_MEMBERS = 10_000
_LONGEST_PART = 200
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # of the others Python unpacks a block of any size at once
_KINDS = {0, stat.S_IFREG, stat.S_IFDIR}


class ModelArchiveError(ValueError):
    """An archive that is not unpacked; the message names it, the member and the reason."""


def checked_members(archive: zipfile.ZipFile, label: str, largest: int) -> dict[str, zipfile.ZipInfo]:
    """Return the files of an archive by name, after checking all of its members.

    Parameters
    ----------
    archive : ZipFile
        The archive, open.
    label : str
        What messages call it.
    largest : int
        Most bytes that all of it may be, unpacked.

    Raises
    ------
    ModelArchiveError
        If a member would leave the folder, is no plain file or folder, is encrypted, or has the place of another; if
        there are too many, or if they would be too large.
    """
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS:
        message = f"{label}: has {len(members)} members, more than {_MOST_MEMBERS}; nothing was unpacked"
        raise ModelArchiveError(message)
    for member in members:
        if reason := _unsafe(member):
            raise refused(label, member, reason)
    _check_places(label, members)
    total = sum(member.file_size for member in members)
    if total > largest:
        message = (
            f"{label}: would be {total} bytes, unpacked, more than the {largest} that are allowed; nothing was unpacked"
        )
        raise ModelArchiveError(message)
    return {member.filename: member for member in members if not member.is_dir()}


def refused(label: str, member: zipfile.ZipInfo, reason: str) -> ModelArchiveError:
    """Return the error that names a member.

    Parameters
    ----------
    label : str
        What messages call the archive.
    member : ZipInfo
        Its member.
    reason : str
        What is wrong with it.
    """
    return ModelArchiveError(
        f"{label}: member {member.orig_filename[:_LONGEST_PART]!r} {reason}; nothing was installed"
    )


def _unsafe(member: zipfile.ZipInfo) -> str | None:
    """Return why a member is not let in."""
    name = member.orig_filename
    parts = name.removesuffix("/").split("/")
    kind = stat.S_IFMT(member.external_attr >> 16)
    checks = {
        "has a backslash in its name": "\\" in name,
        "has a drive letter": _DRIVE.match(name) is not None,
        "has an absolute path": name.startswith("/"),
        "leaves the folder": ".." in parts,
        "has a name that is no path": any(
            part in {"", "."} or not part.isprintable() or len(part.encode()) > _LONGEST_PART for part in parts
        ),
        "is a symbolic link": kind == stat.S_IFLNK,
        "is a special file": kind not in _KINDS | {stat.S_IFLNK},
        "is encrypted": bool(member.flag_bits & _ENCRYPTED),
        "is compressed in a way other than deflate": member.compress_type not in _METHODS,
    }
    return next((reason for reason, found in checks.items() if found), None)


def _check_places(label: str, members: list[zipfile.ZipInfo]) -> None:
    """Refuse two members in one place, also where the file system takes upper and lower case for the same."""
    files: set[str] = set()
    folders: set[str] = set()
    for member in members:
        place = _place(member.filename.removesuffix("/"))
        if place in files or (place in folders and member.is_dir()):
            raise refused(label, member, "is there twice")
        (folders if member.is_dir() else files).add(place)
    for member in members:
        above = {_place(str(parent)) for parent in PurePosixPath(member.filename).parents}
        if above & files or (not member.is_dir() and _place(member.filename) in folders):
            raise refused(label, member, "is in the place of another")


def _place(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
