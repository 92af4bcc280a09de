"""Series of the Imaging Data Commons without an account: preselected on metadata, decided on headers after download."""

import logging
from collections.abc import Callable
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from ct_assets.cohort_table.criteria.judge import criteria, judge
from ct_assets.cohort_table.criteria.measures import header_measures
from ct_assets.cohort_table.index.header_index import index_folder
from ct_assets.cohort_table.source.engine import duckdb_engine, opened
from ct_assets.cohort_table.source.folder import clinical_of, expert_files, with_files
from ct_assets.cohort_table.source.geometry_index import INDEXES, index_address, with_verdicts
from ct_assets.cohort_table.source.idc_metadata import idc_series, installed_version, metadata_measures, remote_series
from ct_assets.cohort_table.source.judged import Judged
from ct_assets.collection import Collection
from ct_assets.source_settings import IdcSource
from ct_assets.store.tables import REMOTE_SERIES

logger = logging.getLogger(__name__)

_KEY = "SeriesInstanceUID"


def series_of_idc(
    collection: Collection,
    mirror: Path,
    previous: pa.Table | None = None,
    *,
    index_file: Callable[[str], Path] | None = None,
) -> Judged:
    """Judge the CT series of an IDC collection: on headers those in the mirror, on metadata the others.

    Parameters
    ----------
    collection : Collection
        Its source is an `IdcSource`.
    mirror : Path
        Folder with the series fetched so far; may be missing or empty.
    previous : pyarrow.Table, optional
        Header index of the mirror of an earlier time.
    index_file : callable, optional
        Address of one of IDC's larger indexes to its local file, fetched where needed; an error becomes a note.

    Raises
    ------
    UnknownCollectionError
        If IDC has no such collection.
    ClinicalTableError
        If the clinical table cannot be used.
    """
    source, settings = collection.source, collection.selection
    assert isinstance(source, IdcSource)
    indexes, notes = _indexes(index_file) if index_file and source.geometry_index else ({}, ())
    instances = index_folder(mirror, previous=previous) if _any_file(mirror) else None
    with duckdb_engine() as backend:
        everything = idc_series(backend, source.collection_id)
        on_metadata = with_verdicts(metadata_measures(everything), backend, settings, indexes)
        downloaded: dict[str, list[str]] = {}
        if instances is not None:
            headers = opened(backend, "instances", instances)
            on_headers = header_measures(headers, settings)
            on_headers = on_headers.semi_join(on_metadata, _KEY)  # a mirror may hold more than the collection
            downloaded = expert_files(headers, collection)
            on_metadata = _stacked(on_headers, on_metadata.anti_join(on_headers, _KEY))
        judged = judge(on_metadata, settings, clinical=clinical_of(collection, backend)).to_pandas()
        if instances is not None:
            judged = with_files(judged, headers)
        experts = {**_expert_folders(everything, collection), **downloaded}
        version = installed_version(backend)
        return Judged(
            series=judged,
            criteria=criteria(settings),
            origin={
                "kind": "idc",
                "collection_id": source.collection_id,
                "idc_version": version.idc_version,
                "metadata": version.package,
                "indexes": sorted(indexes),
                "bucket": source.bucket,
            },
            instances=instances,
            remote=_remote(everything, judged, experts, source.bucket),
            experts=experts,
            notes=notes,
        )


def _indexes(index_file: Callable[[str], Path]) -> tuple[dict[str, Path], tuple[str, ...]]:
    found: dict[str, Path] = {}
    notes: list[str] = []
    for name in INDEXES:
        try:
            found[name] = index_file(index_address(name))
        except Exception as error:
            logger.warning("IDC's %s could not be had: %s", name, error)
            notes.append(
                f"IDC's {name} could not be had, so its criteria wait for the download of each series: {error}"
            )
            break  # where one cannot be reached, the others cannot either
    return found, tuple(notes)


def _any_file(mirror: Path) -> bool:
    return mirror.is_dir() and any(entry.is_dir() and not entry.name.startswith(".") for entry in mirror.iterdir())


def _stacked(on_headers: ir.Table, on_metadata: ir.Table) -> ir.Table:
    """Union by column; verdicts are for series without headers only."""
    missing = {name: kind for name, kind in on_metadata.schema().items() if name not in on_headers.columns}
    added = on_headers.mutate(**{name: ibis.null(kind) for name, kind in missing.items()})
    return added.select(*on_metadata.columns).union(on_metadata)


def _expert_folders(everything: ir.Table, collection: Collection) -> dict[str, list[str]]:
    """Return where expert SEGs of the same study will be in the mirror; reading them shows which CT they refer to."""
    if collection.expert is None:
        return {}
    ct = everything.filter(everything["Modality"] == "CT").select(_KEY, "StudyInstanceUID")
    segs = everything.filter(
        everything["Modality"] == "SEG", everything["SeriesDescription"] == collection.expert.series_description
    ).select("StudyInstanceUID", seg=everything[_KEY])
    pairs = ct.inner_join(segs, "StudyInstanceUID").select(_KEY, "seg").order_by(_KEY, "seg")
    folders: dict[str, list[str]] = {}
    for row in pairs.to_pyarrow().to_pylist():
        folders.setdefault(row[_KEY], []).append(row["seg"])
    return folders


def _remote(everything: ir.Table, judged: pd.DataFrame, experts: dict[str, list[str]], bucket: str) -> pd.DataFrame:
    """Return where the selected series and their experts' are."""
    selected = set(judged.loc[judged["selected"], _KEY])
    wanted = selected | {seg for uid in selected for seg in experts.get(uid, [])}
    series = remote_series(everything.filter(everything["Modality"].isin(["CT", "SEG"])), bucket).to_pandas()
    found: pd.DataFrame = series[series[_KEY].isin(wanted)].sort_values(_KEY, ignore_index=True)
    return found[list(REMOTE_SERIES.columns)]
