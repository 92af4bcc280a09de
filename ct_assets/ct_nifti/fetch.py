"""Fetch what a series needs from its public bucket, and decide on its headers what selection could not."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pyarrow.parquet as pq

from ct_assets.cohort_table.index.header_index import index_folder
from ct_assets.cohort_table.selection import cohort
from ct_assets.cohort_table.source.folder import judge_instances
from ct_assets.cohort_table.source.judged import NoCtError
from ct_assets.collection import Collection, selection_digest
from ct_assets.ct_nifti.convert import Rejected
from ct_assets.ct_nifti.source import indexed_files
from ct_assets.source_settings import FolderSource
from ct_assets.store.paths import CollectionFolder
from resources.series_download import Fetched, RemoteSeries

logger = logging.getLogger(__name__)


class FetchFailedError(RuntimeError):
    """A series that could not be fetched; the message names it, the object and the remedy."""


class Fetcher(Protocol):
    """What fetches series; the resource `dicom_source` does."""

    def fetch(self, series: Sequence[RemoteSeries], folder: Path) -> list[Fetched]:
        """Fetch series into a folder each."""


def remote_series(store: CollectionFolder, series_instance_uids: Sequence[str] | None = None) -> list[RemoteSeries]:
    """Return where selected series, and the experts' segmentations of them, can be fetched.

    Parameters
    ----------
    store : CollectionFolder
        The collection, with its cohort table.
    series_instance_uids : sequence of str, optional
        CT series; default: all that are selected.

    Returns
    -------
    list of RemoteSeries
        Empty for a collection whose files are in a folder.

    Raises
    ------
    LookupError
        If a series is not selected.
    """
    if not store.cohort.remote_series.is_file():
        return []
    chosen = None if series_instance_uids is None else [("SeriesInstanceUID", "in", list(series_instance_uids))]
    columns = ["SeriesInstanceUID", "selected", "expert_files"]
    rows = pq.read_table(store.cohort.cohort, columns=columns, filters=chosen).to_pylist()
    experts = {row["SeriesInstanceUID"]: row["expert_files"] or [] for row in rows if row["selected"]}
    unknown = [uid for uid in series_instance_uids or () if uid not in experts]
    if unknown:
        message = f"series {unknown[0]} is not selected; materialize cohort_table, or read the reason there"
        raise LookupError(message)
    # An expert's file that is in the mirror already is named by its file, below the folder of its series.
    wanted = list(
        dict.fromkeys(uid for ct, files in experts.items() for uid in (ct, *(f.split("/")[0] for f in files)))
    )
    if not wanted:
        return []
    found = pq.read_table(store.cohort.remote_series, filters=[("SeriesInstanceUID", "in", wanted)]).to_pylist()
    places = {row["SeriesInstanceUID"]: row for row in found}
    return [
        RemoteSeries(uid, places[uid]["url"], places[uid]["instances"], places[uid]["series_size"])
        for uid in wanted
        if uid in places
    ]


def fetch_needed(
    collection: Collection, store: CollectionFolder, fetcher: Fetcher, source: Path, series_instance_uid: str
) -> None:
    """Fetch a series and its experts' segmentations, where they are in a bucket; what is there already stays.

    A segmentation that cannot be fetched is left out with a warning: what the models make does not depend on it.

    Parameters
    ----------
    collection : Collection
        The collection; one whose files are in a folder needs nothing.
    store : CollectionFolder
        Its tables.
    fetcher : Fetcher
        The resource `dicom_source`.
    source : Path
        Folder of the DICOM files: the mirror.
    series_instance_uid : str
        CT series.

    Raises
    ------
    FetchFailedError
        If the series could not be fetched.
    """
    if isinstance(collection.source, FolderSource):
        return
    needed = remote_series(store, [series_instance_uid])
    if _there(store, source, series_instance_uid):
        needed = [series for series in needed if series.series_instance_uid != series_instance_uid]
    for fetched in fetcher.fetch(needed, source) if needed else []:
        if fetched.status == "failed" and fetched.series.series_instance_uid == series_instance_uid:
            raise FetchFailedError(str(fetched.reason))
        if fetched.status == "failed":
            logger.warning("expert segmentation left out: %s", fetched.reason)


def rejected_on_headers(
    collection: Collection, store: CollectionFolder, files: Sequence[Path], series_instance_uid: str
) -> Rejected | None:
    """Judge a preselected series on its headers; nothing is repeated where the cohort table has decided it.

    Parameters
    ----------
    collection : Collection
        Its selection.
    store : CollectionFolder
        The collection.
    files : sequence of Path
        DICOM files of the series, all in one folder.
    series_instance_uid : str
        SeriesInstanceUID.

    Returns
    -------
    Rejected or None
        Why the series is unfit; None if it is fit or was decided before.
    """
    filters = [("SeriesInstanceUID", "=", series_instance_uid)]
    rows = pq.read_table(store.cohort.cohort, columns=["decided"], filters=filters).to_pylist()
    if not rows or rows[0]["decided"]:
        return None
    reason = _reason(collection, files[0].parent, series_instance_uid)
    return Rejected(reason, selection_digest(collection)) if reason else None


def _there(store: CollectionFolder, source: Path, series_instance_uid: str) -> bool:
    """Tell whether a series was decided on files that are still there, in whatever folders of the mirror they are."""
    filters = [("SeriesInstanceUID", "=", series_instance_uid)]
    rows = pq.read_table(store.cohort.cohort, columns=["decided"], filters=filters).to_pylist()
    files = [source / file for file in indexed_files(store, series_instance_uid)]
    return bool(rows and rows[0]["decided"] and files) and all(file.is_file() for file in files)


def _reason(collection: Collection, folder: Path, series_instance_uid: str) -> str | None:
    try:
        judged = judge_instances(collection, index_folder(folder))
    except NoCtError as error:
        return str(error)
    table = cohort(judged.series, judged.criteria, collection.selection, collection=collection.name)
    row = table[table["SeriesInstanceUID"] == series_instance_uid]
    if row.empty:
        return f"the files fetched are of series {', '.join(table['SeriesInstanceUID'])}"
    reason = row["reason"].iloc[0]
    return str(reason) if reason else None
