"""Series of the Imaging Data Commons without an account: preselected on metadata, decided on headers after download."""

import logging
from collections.abc import Callable
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ct_assets.cohort_table.criteria.judge import criteria, judge
from ct_assets.cohort_table.criteria.measures import header_measures
from ct_assets.cohort_table.index.header_index import EmptySourceError, index_folder
from ct_assets.cohort_table.source.engine import duckdb_engine, opened
from ct_assets.cohort_table.source.experts import expert_folders
from ct_assets.cohort_table.source.folder import clinical_of, with_files
from ct_assets.cohort_table.source.geometry_index import INDEXES, checked_index, index_address, with_verdicts
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
    instances = _indexed(mirror, previous)
    with duckdb_engine() as backend:
        everything = idc_series(backend, source.collection_id)
        series = with_verdicts(metadata_measures(everything), backend, settings, indexes)
        if instances is not None:
            headers = opened(backend, "instances", instances)
            complete = _complete(header_measures(headers, settings), everything)
            series = _stacked(complete, series.anti_join(complete, _KEY))
        judged = judge(series, settings, clinical=clinical_of(collection, backend)).to_pandas()
        if instances is not None:
            judged = with_files(judged, headers)
            notes = (*notes, *_incomplete(judged, instances))
        experts = expert_folders(everything, collection)
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
            found[name] = checked_index(name, index_file(index_address(name)))
        except Exception as error:
            logger.warning("IDC's %s could not be had: %s", name, error)
            notes.append(
                f"IDC's {name} could not be had, so its criteria wait for the download of each series: {error}"
            )
            break  # where one cannot be reached, the others cannot either
    return found, tuple(notes)


def _indexed(mirror: Path, previous: pa.Table | None) -> pa.Table | None:
    """Return the header index of the mirror; none where nothing has been fetched."""
    try:
        return index_folder(mirror, previous=previous)
    except EmptySourceError:
        return None


def _complete(on_headers: ir.Table, everything: ir.Table) -> ir.Table:
    """Keep the series that are in the mirror as IDC has them: half a series, or another version, decides nothing."""
    known = everything.select(_KEY, images="instances", bytes="series_size")
    both = on_headers.inner_join(known, _KEY)
    same = (both["instances"] == both["images"]) & (both["series_size"] == both["bytes"])
    return both.filter(same).select(*on_headers.columns)


def _incomplete(judged: pd.DataFrame, instances: pa.Table) -> tuple[str, ...]:
    """Say how many series of the collection are in the mirror but not as IDC has them."""
    there = set(pc.unique(instances["SeriesInstanceUID"]).to_pylist())
    count = int((judged["selected"] & ~judged["decided"] & judged[_KEY].isin(there)).sum())
    told = f"{count} series in the mirror are incomplete or of another version: ct_nifti completes them"
    return (told,) if count else ()


def _stacked(on_headers: ir.Table, on_metadata: ir.Table) -> ir.Table:
    """Union by column; verdicts are for series without headers only."""
    missing = {name: kind for name, kind in on_metadata.schema().items() if name not in on_headers.columns}
    added = on_headers.mutate(**{name: ibis.null(kind) for name, kind in missing.items()})
    return added.select(*on_metadata.columns).union(on_metadata)


def _remote(everything: ir.Table, judged: pd.DataFrame, experts: dict[str, list[str]], bucket: str) -> pd.DataFrame:
    """Return where the selected series and their experts' are."""
    selected = set(judged.loc[judged["selected"], _KEY])
    wanted = selected | {drawn for uid in selected for drawn in experts.get(uid, [])}
    series = remote_series(everything, bucket).to_pandas()
    found: pd.DataFrame = series[series[_KEY].isin(wanted)].sort_values(_KEY, ignore_index=True)
    return found[list(REMOTE_SERIES.columns)]
