"""Fetch what a series needs from its public bucket, and decide on its headers what selection could not."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pandas as pd
import pyarrow.parquet as pq

from ct_assets.cohort_table.index.header_index import index_folder
from ct_assets.cohort_table.selection import cohort
from ct_assets.cohort_table.source.folder import judge_instances
from ct_assets.cohort_table.source.judged import NoCtError
from ct_assets.collection import Collection
from ct_assets.store.paths import CollectionFolder
from resources.series_download import Fetched, RemoteSeries


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


def fetch_needed(store: CollectionFolder, fetcher: Fetcher, mirror: Path, series_instance_uid: str) -> None:
    """Fetch a series and its experts' segmentations, where they are in a bucket; what is there already stays.

    Parameters
    ----------
    store : CollectionFolder
        The collection.
    fetcher : Fetcher
        The resource `dicom_source`.
    mirror : Path
        Where to.
    series_instance_uid : str
        CT series.

    Raises
    ------
    FetchFailedError
        If one of them could not be fetched.
    """
    needed = remote_series(store, [series_instance_uid])
    failed = [fetched for fetched in fetcher.fetch(needed, mirror) if fetched.status == "failed"] if needed else []
    if failed:
        raise FetchFailedError("; ".join(str(fetched.reason) for fetched in failed))


def undecided_reasons(
    collection: Collection, store: CollectionFolder, files: Sequence[Path], series_instance_uid: str
) -> tuple[str, ...]:
    """Judge a preselected series on its headers; none is repeated where the cohort table has decided it.

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
    tuple of str
        Why the series is unfit; empty if it is fit or was decided before.
    """
    filters = [("SeriesInstanceUID", "=", series_instance_uid)]
    rows = pq.read_table(store.cohort.cohort, columns=["decided"], filters=filters).to_pylist()
    if not rows or rows[0]["decided"]:
        return ()
    try:
        judged = judge_instances(collection, index_folder(files[0].parent))
    except NoCtError as error:
        return (str(error),)
    table: pd.DataFrame = cohort(judged.series, judged.criteria, collection.selection, collection=collection.name)
    row = table[table["SeriesInstanceUID"] == series_instance_uid]
    if row.empty:
        return (f"the files fetched are of series {', '.join(table['SeriesInstanceUID'])}",)
    reason = row["reason"].iloc[0]
    return (str(reason),) if reason else ()
