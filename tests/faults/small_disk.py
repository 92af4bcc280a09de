"""A disk that is full: a file system of its own for a process, or, where that is not allowed, a limit of file sizes."""

import ctypes
import os
import resource
from collections.abc import Callable
from pathlib import Path

_CLONE_NEWUSER, _CLONE_NEWNS = 0x10000000, 0x00020000
_MS_REMOUNT, _MS_REC, _MS_PRIVATE = 1 << 5, 1 << 14, 1 << 18
_ROOM = "512m"


def fill(folder: Path) -> Callable[[], None]:
    """Make the disk of a folder full for this process; what is returned makes room.

    The folder keeps its files. What the process writes into it nobody else sees, and it is gone with the process.
    """
    try:
        _mount_over(folder)
    except OSError:
        # Python ignores SIGXFSZ, so that a file that grows too large is an error as on a full disk.
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    used = os.statvfs(folder)
    pages = max(1, used.f_blocks - used.f_bfree)  # none would be no limit
    _mount(folder, f"size={pages * used.f_frsize}", _MS_REMOUNT)
    return lambda: _mount(folder, f"size={_ROOM}", _MS_REMOUNT)


def _mount_over(folder: Path) -> None:
    """Give this process a file system of its own at the folder, with the folder's files."""
    content = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    uid, gid = os.getuid(), os.getgid()
    _require(_libc().unshare(_CLONE_NEWUSER | _CLONE_NEWNS))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    _require(_libc().mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
    _mount(folder, f"size={_ROOM}", 0)
    for name, part in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(part)


def _mount(folder: Path, options: str, flags: int) -> None:
    _require(_libc().mount(b"none", os.fsencode(folder), b"tmpfs", flags, options.encode()))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _require(status: int) -> None:
    if status:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
