"""Install a published model in the model store: fetched from Zenodo or from an archive at hand, whole or not at all."""

import contextlib
import errno
import logging
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from resources.archive_members import ModelArchiveError
from resources.cloud_clients import NoAnswerError, RemoteError, UnreachableError
from resources.installed_model import Installation, installation, is_installed, weights_digests
from resources.model_archive import unpack_model
from resources.model_catalogue import CatalogueModel, doi
from resources.model_download import NoSpaceError, download, reported_md5
from resources.model_progress import Report, unreported
from resources.model_source import SOURCE, ModelSource, write_source
from resources.series_folder import PARTIAL, put_in_place, recover, series_lock, sync_folder
from resources.zenodo import Zenodo, ZenodoFile

logger = logging.getLogger(__name__)

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


class ModelInstallError(RuntimeError):
    """A model cannot be put where it belongs; the message names the folder and the remedy."""


def fetch_model(
    model: CatalogueModel, root: Path, zenodo: Zenodo, *, again: bool = False, report: Report = unreported
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
    report : callable
        Called as the work goes on.

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
            return _present(model, root, report)
        with _arrived(root / PARTIAL / model.name) as folder:
            file, part = _from_zenodo(zenodo, model, folder, report)
            label = f"{file.name} of Zenodo record {file.record}"
            try:
                unpack_model(part, model, place, label, report)
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
                weights_sha256=weights_digests(place, report),
            )
            installed = _finish(model, root, place, source)
            part.unlink()
            return installed


def install_archive(
    model: CatalogueModel, root: Path, archive: Path, *, again: bool = False, report: Report = unreported
) -> Installation:
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
    report : callable
        Called as the work goes on.

    Raises
    ------
    ModelArchiveError
        If it is not the model, or not safe to unpack.
    NoSpaceError, ModelInstallError
        If the disk is full, or the folder cannot be written or replaced.
    """
    with _place(model, root, again=again) as place:
        if place is None:
            return _present(model, root, report)
        unpack_model(archive, model, place, str(archive), report)
        source = ModelSource(
            name=model.name,
            version=None,
            zenodo_record=None,
            doi=None,
            file=archive.name,
            size=archive.stat().st_size,
            md5=reported_md5(archive, report),
            md5_compared=False,
            weights_sha256=weights_digests(place, report),
        )
        return _finish(model, root, place, source)


@contextlib.contextmanager
def _place(model: CatalogueModel, root: Path, *, again: bool) -> Iterator[Path | None]:
    """Give a folder to build the model in, which no other process uses; None if it is installed and stays."""
    target, place = root / model.name, root / PARTIAL / f"{model.name}.new"
    if is_installed(model, target) and not again:
        yield None
        return
    with _clear_errors(root), series_lock(place.with_suffix(".lock"), threading.Event()):
        recover(place, target)
        if is_installed(model, target) and not again:  # by the process that held the lock
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
def _arrived(folder: Path) -> Iterator[Path]:
    """Give the folder of what has arrived, which goes when nothing is in it."""
    folder.mkdir(exist_ok=True)
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _from_zenodo(zenodo: Zenodo, model: CatalogueModel, folder: Path, report: Report) -> tuple[ZenodoFile, Path]:
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


def _finish(model: CatalogueModel, root: Path, place: Path, source: ModelSource) -> Installation:
    write_source(place, source)
    for folder in [path for path in place.rglob("*") if path.is_dir()]:
        sync_folder(folder)
    put_in_place(place, root / model.name)
    return installation(model, root / model.name, source.weights_sha256, new=True)


def _present(model: CatalogueModel, root: Path, report: Report) -> Installation:
    folder = root / model.name
    return installation(model, folder, weights_digests(folder, report), new=False)


def _check_replaceable(target: Path, model: CatalogueModel) -> None:
    """Check that nothing is lost but an older or incomplete state of the model."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        message = f"{target} is not a folder of its own; move it elsewhere and fetch again"
        raise ModelInstallError(message)
    places = {target / part.into for part in model.parts}
    above = {target, *(folder for place in places for folder in place.parents if target in folder.parents)}
    entries = {entry for folder in above if folder.is_dir() for entry in folder.iterdir()}
    strange = sorted(entries - places - above - {target / SOURCE})
    if strange:
        name = strange[0].relative_to(target)
        message = f"{target} holds {name}, which is not of this model; move it elsewhere and fetch again"
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
