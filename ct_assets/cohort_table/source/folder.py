"""Series of a folder of DICOM files, decided on their headers."""

from pathlib import Path

import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
from ibis.backends.duckdb import Backend

from ct_assets.cohort_table.criteria.judge import criteria, judge
from ct_assets.cohort_table.criteria.measures import ct_images, header_measures
from ct_assets.cohort_table.index.header_index import index_folder
from ct_assets.cohort_table.source.clinical import patients, read_clinical
from ct_assets.cohort_table.source.engine import duckdb_engine, opened
from ct_assets.cohort_table.source.experts import expert_files
from ct_assets.cohort_table.source.judged import Judged, NoCtError
from ct_assets.collection import Collection


def series_of_folder(collection: Collection, folder: Path, previous: pa.Table | None = None) -> Judged:
    """Index a folder and judge its CT series.

    Parameters
    ----------
    collection : Collection
        Its `selection` gives profile and thresholds, its `expert` what an expert's file is.
    folder : Path
        Folder of DICOM files.
    previous : pyarrow.Table, optional
        Header index of an earlier time; files that have not changed are not read again.

    Raises
    ------
    EmptySourceError
        If the folder is missing or empty.
    NoCtError
        If it holds no CT image.
    ClinicalTableError
        If the clinical table cannot be used.
    """
    return judge_instances(collection, index_folder(folder, previous=previous))


def judge_instances(collection: Collection, instances: pa.Table | Path) -> Judged:
    """Judge the CT series of a header index.

    Parameters
    ----------
    collection : Collection
        The collection.
    instances : pyarrow.Table or Path
        Header index, or the Parquet file that holds it, which may be larger than memory.

    Raises
    ------
    NoCtError
        If the index has no CT image.
    ClinicalTableError
        If the clinical table cannot be used.
    """
    settings = collection.selection
    with duckdb_engine() as backend:
        table = opened(backend, "instances", instances)
        judged = judge(
            header_measures(table, settings), settings, clinical=clinical_of(collection, backend)
        ).to_pandas()
        if judged.empty:
            raise NoCtError(_what_is_there(table))
        return Judged(
            series=with_files(judged, table),
            criteria=criteria(settings),
            origin={"kind": "folder"},
            instances=instances if isinstance(instances, pa.Table) else None,
            experts=expert_files(table, collection),
        )


def with_files(judged: pd.DataFrame, instances: ir.Table) -> pd.DataFrame:
    """Name a file for each of the values that may not differ within a series and do; such series are few.

    Parameters
    ----------
    judged : DataFrame
        Judged series.
    instances : ibis Table
        Header index.
    """
    told = judged["differing"].tolist()
    for index in np.flatnonzero(judged["differing"].notna()):
        keyword = str(told[index]).split()[0]
        rows = ct_images(
            instances.filter(instances["SeriesInstanceUID"].fill_null("") == judged["SeriesInstanceUID"].iloc[index])
        )
        value = rows[keyword].cast("string").fill_null("missing")
        files = rows.group_by(value=value).agg(file=rows["file"].min()).order_by("value").limit(2).to_pyarrow()
        places = [f"{row['value']} in {row['file']}" for row in files.to_pylist()]
        told[index] = f"{keyword} differs: {' and '.join(places)}"
    return judged.assign(differing=pd.Series(told, index=judged.index, dtype=object))


def clinical_of(collection: Collection, backend: Backend) -> ir.Table | None:
    """Return the patients of the cohort by a clinical table that is a file; none where the collection names none.

    Parameters
    ----------
    collection : Collection
        The collection.
    backend : Backend
        Where to open the file.
    """
    chosen = collection.selection.clinical
    return patients(read_clinical(backend, chosen), chosen) if chosen else None


def _what_is_there(instances: ir.Table) -> str:
    kinds = instances["Modality"].fill_null("unreadable or not DICOM").topk(20, name="files").to_pandas()
    listing = ", ".join(f"{count} {modality}" for modality, count in kinds.itertuples(index=False))
    problems = instances.filter(instances["problem"].notnull()).select("file", "problem").order_by("file").limit(1)
    example = "".join(f"; {file} {problem}" for file, problem in problems.to_pandas().itertuples(index=False))
    total = instances.count().to_pandas()
    return f"no CT image among {total} files ({listing}){example}; give a folder that holds CT series"
