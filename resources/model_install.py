"""Install a published model in the model store: fetched from Zenodo or from an archive at hand, whole or not at all."""

import contextlib
import errno
import logging
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ct_assets.store.digest import file_digest
from resources.archive_members import ModelArchiveError
from resources.cloud_clients import NoAnswerError, RemoteError, UnreachableError
from resources.model_archive import unpack_model
from resources.model_catalogue import CatalogueModel, doi
from resources.model_download import NoSpaceError, Report, download
from resources.model_files import missing_files, model_parts
from resources.model_source import SOURCE, ModelSource, read_source, write_source
from resources.series_folder import PARTIAL, put_in_place, recover, series_lock, sync_folder
from resources.zenodo import Zenodo, ZenodoFile

logger = logging.getLogger(__name__)

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


class ModelInstallError(RuntimeError):
    """A model cannot be put where it belongs; the message names the folder and the remedy."""


@dataclass(frozen=True)
class Installation:
    """A model that is installed.

    `new` tells whether this call did it, `weights` has the digest of each model in the folder, and `source` is None
    where nobody wrote down where it came from.
    """

    folder: Path
    new: bool
    weights: dict[str, str]
    source: ModelSource | None

    @property
    def changed(self) -> bool:
        """Tell whether the weights are others than those that were installed."""
        return self.source is not None and self.source.weights_sha256 != self.weights


def fetch_model(
    model: CatalogueModel, root: Path, zenodo: Zenodo, *, again: bool = False, report: Report | None = None
) -> Installation:
    """Fetch a model from Zenodo and install it, unless it is installed.

    What has arrived when a fetch is broken off stays in ``<root>/.partial``, where the next one goes on.

    Parameters
    ----------
    model : CatalogueModel
        The model.
    root : Path
        Folder of the model store; made if needed.
    zenodo : Zenodo
        Where from.
    again : bool
        Replace a model that is installed.
    report : callable, optional
        Called with the bytes that are there and those of the archive.

    Raises
    ------
    RemoteError
        If the archive cannot be had, or is not what Zenodo says.
    ModelArchiveError
        If it is not the model, or not safe to unpack.
    NoSpaceError, ModelInstallError
        If the disk is full, or the folder cannot be written or replaced.
    """
    with _place(model, root, again=again) as place:
        if place is None:
            return _present(root / model.name)
        with _parts(root / PARTIAL / model.name) as parts:
            file, part = _from_zenodo(zenodo, model, parts, report)
            label = f"{file.name} of Zenodo record {file.record}"
            try:
                unpack_model(part, model, place / model.into, label)
            except ModelArchiveError:
                part.unlink()  # to fetch the same again would not help
                raise
            source = ModelSource(
                name=model.name,
                version=model.version,
                zenodo_record=file.record,
                doi=doi(file.record),
                file=file.name,
                size=file.size,
                md5=file.md5,
                md5_compared=True,
                weights_sha256=_weights(place),
            )
            installed = _finish(place, root / model.name, source)
            part.unlink()
            return installed


def install_archive(model: CatalogueModel, root: Path, archive: Path, *, again: bool = False) -> Installation:
    """Install a model from an archive at hand, unless it is installed; nothing is compared with Zenodo.

    Parameters
    ----------
    model : CatalogueModel
        The model.
    root : Path
        Folder of the model store; made if needed.
    archive : Path
        ZIP file.
    again : bool
        Replace a model that is installed.

    Raises
    ------
    ModelArchiveError
        If it is not the model, or not safe to unpack.
    NoSpaceError, ModelInstallError
        If the disk is full, or the folder cannot be written or replaced.
    """
    with _place(model, root, again=again) as place:
        if place is None:
            return _present(root / model.name)
        unpack_model(archive, model, place / model.into, str(archive))
        source = ModelSource(
            name=model.name,
            version=None,
            zenodo_record=None,
            doi=None,
            file=archive.name,
            size=archive.stat().st_size,
            md5=file_digest(archive, "md5"),
            md5_compared=False,
            weights_sha256=_weights(place),
        )
        return _finish(place, root / model.name, source)


@contextlib.contextmanager
def _place(model: CatalogueModel, root: Path, *, again: bool) -> Iterator[Path | None]:
    """Give a folder to build the model in, which no other process uses; None if it is installed and stays."""
    target, place = root / model.name, root / PARTIAL / f"{model.name}.new"
    if _installed(model, target) and not again:
        yield None
        return
    with _clear_errors(root), series_lock(place.with_suffix(".lock"), threading.Event()):
        recover(place, target)
        if _installed(model, target) and not again:  # by the process that held the lock
            yield None
            return
        _check_replaceable(target, model)
        shutil.rmtree(place, ignore_errors=True)
        try:
            place.mkdir()
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def _parts(folder: Path) -> Iterator[Path]:
    """Give the folder of what has arrived, which goes when nothing is in it."""
    folder.mkdir(exist_ok=True)
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _from_zenodo(zenodo: Zenodo, model: CatalogueModel, folder: Path, report: Report | None) -> tuple[ZenodoFile, Path]:
    """Download the archive from the first record that gives it."""
    faults = []
    for record in model.records:
        try:
            file = zenodo.file(record, model.archive)
            if file.size > model.largest:
                message = f"{file.url}: has {file.size} bytes, more than the {model.largest} that are allowed"
                raise RemoteError(message)
            return file, download(zenodo, file, folder, report)
        except (UnreachableError, NoAnswerError):
            raise  # the other records are in the same place
        except RemoteError as error:
            logger.info("record %d: %s", record, error)
            faults.append(error)
    raise faults[0] if len(faults) == 1 else RemoteError("; ".join(str(fault) for fault in faults))


def _finish(place: Path, target: Path, source: ModelSource) -> Installation:
    write_source(place, source)
    for folder in [path for path in place.rglob("*") if path.is_dir()]:
        sync_folder(folder)
    put_in_place(place, target)
    return Installation(target, new=True, weights=source.weights_sha256, source=source)


def _present(folder: Path) -> Installation:
    return Installation(folder, new=False, weights=_weights(folder), source=read_source(folder))


def _installed(model: CatalogueModel, folder: Path) -> bool:
    return not missing_files(folder / model.into, model.required)


def _weights(folder: Path) -> dict[str, str]:
    return {part.name: part.digest for part in model_parts(folder)}


def _check_replaceable(target: Path, model: CatalogueModel) -> None:
    """Check that nothing is lost but an older or incomplete state of the model."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        message = f"{target} is not a folder of its own; move it elsewhere and fetch again"
        raise ModelInstallError(message)
    strange = sorted(path.name for path in target.iterdir()) if target.exists() else []
    strange = [name for name in strange if name not in {model.into, SOURCE}]
    if strange:
        message = f"{target} holds {strange[0]}, which is not of this model; move it elsewhere and fetch again"
        raise ModelInstallError(message)


@contextlib.contextmanager
def _clear_errors(root: Path) -> Iterator[None]:
    """Say of a disk that is full, or a folder that cannot be written, what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL:
            message = f"no space left in {root}; free some and fetch again, which goes on where it stopped"
            raise NoSpaceError(message) from error
        message = f"cannot write to {root}: {error}; make it writable and fetch again"
        raise ModelInstallError(message) from error
