"""Series of the Imaging Data Commons in BigQuery, decided on all headers there by the expressions used elsewhere."""

from typing import Protocol

import ibis
import ibis.expr.types as ir
import pandas as pd

from ct_assets.cohort_table.criteria.common import COMPLETE_FILES
from ct_assets.cohort_table.criteria.judge import criteria, judge
from ct_assets.cohort_table.criteria.measures import header_measures
from ct_assets.cohort_table.source.clinical import ClinicalTableError, in_bigquery, patients
from ct_assets.cohort_table.source.experts import of_expert
from ct_assets.cohort_table.source.idc_metadata import GCS_BUCKETS
from ct_assets.cohort_table.source.judged import Judged, NoCtError
from ct_assets.collection import Collection
from ct_assets.selection_settings import BIGQUERY_PREFIX, Clinical
from ct_assets.source_settings import BigQuerySource

DICOM_ALL = {
    "collection_id": "string",
    "analysis_result_id": "string",
    "PatientID": "string",
    "StudyInstanceUID": "string",
    "SeriesInstanceUID": "string",
    "SOPInstanceUID": "string",
    "SOPClassUID": "string",
    "Modality": "string",
    "SeriesDescription": "string",
    "ImageType": "array<string>",
    "ImagePositionPatient": "array<string>",
    "ImageOrientationPatient": "array<string>",
    "PixelSpacing": "array<string>",
    "SliceThickness": "string",
    "Rows": "int64",
    "Columns": "int64",
    "FrameOfReferenceUID": "string",
    "instance_size": "int64",
    "instance_hash": "string",
    "aws_bucket": "string",
    "crdc_series_uuid": "string",
    "crdc_instance_uuid": "string",
}
"""Columns of IDC's `dicom_all` that are used; DICOM decimal strings are strings there."""

WITHOUT = frozenset({COMPLETE_FILES.name})
"""Criteria that need files, which BigQuery has not; each file is checked when it is fetched."""


class Queries(Protocol):
    """What runs SQL in BigQuery; the resource `warehouse` does."""

    def query(self, sql: str) -> pd.DataFrame:
        """Return the rows of a query in BigQuery's SQL."""


def series_of_bigquery(collection: Collection, warehouse: Queries) -> Judged:
    """Judge the CT series of an IDC collection in BigQuery.

    Parameters
    ----------
    collection : Collection
        Its source is a `BigQuerySource`.
    warehouse : Queries
        Runs the SQL.

    Raises
    ------
    NoCtError
        If the table has no CT of the collection.
    ClinicalTableError
        If the clinical table is a file.
    """
    source = collection.source
    assert isinstance(source, BigQuerySource)
    judged = warehouse.query(series_sql(collection))
    if judged.empty:
        message = f"no CT of collection {source.collection_id} in {source.table}; change source.collection_id or table"
        raise NoCtError(message)
    files = warehouse.query(files_sql(collection)).sort_values(["SeriesInstanceUID", "file"], ignore_index=True)
    experts = warehouse.query(experts_sql(collection)) if collection.expert else files.iloc[:0]
    return Judged(
        series=judged,
        criteria=criteria(collection.selection, without=WITHOUT),
        origin={
            "kind": "bigquery",
            "table": source.table,
            "collection_id": source.collection_id,
            "idc_version": int(warehouse.query(version_sql(source))["idc_version"].iloc[0]),
            "bucket": source.bucket,
        },
        remote=_remote(pd.concat([files, experts]), source.bucket),
        files=files[["SeriesInstanceUID", "file", "bytes", "md5"]],
        experts=_expert_folders(judged, experts),
    )


def series_expression(collection: Collection) -> ir.Table:
    """Return the judged series of a BigQuery collection as an Ibis expression.

    Parameters
    ----------
    collection : Collection
        Its source is a `BigQuerySource`.

    Raises
    ------
    ClinicalTableError
        If the clinical table is a file, which BigQuery cannot read.
    """
    settings = collection.selection
    clinical = _patients(settings.clinical) if settings.clinical else None
    return judge(header_measures(_ct_images(collection), settings), settings, clinical=clinical, without=WITHOUT)


def series_sql(collection: Collection) -> str:
    """Return the SQL that judges every CT series of a collection."""
    return str(ibis.to_sql(series_expression(collection), dialect="bigquery"))


def files_sql(collection: Collection) -> str:
    """Return the SQL that lists the objects of the selected series, with sizes and MD5."""
    return _objects_sql(_ct_images(collection), _selected(collection).select("SeriesInstanceUID"))


def experts_sql(collection: Collection) -> str:
    """Return the SQL that lists the objects that experts drew in the studies of the selected series."""
    assert collection.expert is not None
    drawn = of_expert(_original(collection), collection.expert)
    return _objects_sql(drawn, _selected(collection).select("StudyInstanceUID").distinct())


def _selected(collection: Collection) -> ir.Table:
    judged = series_expression(collection)
    return judged.filter(judged["selected"])


def _objects_sql(instances: ir.Table, chosen: ir.Table) -> str:
    """Return the SQL for the objects of the chosen series or studies, each of which is there once.

    A semi join would become a subquery that is asked about every image.
    """
    (key,) = chosen.columns
    instances = instances.inner_join(chosen, key)
    objects = instances.select(
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "Modality",
        "crdc_series_uuid",
        "aws_bucket",
        file=instances["crdc_instance_uuid"] + ".dcm",
        bytes=instances["instance_size"],
        md5=instances["instance_hash"],
    )
    return str(ibis.to_sql(objects, dialect="bigquery"))


def version_sql(source: BigQuerySource) -> str:
    """Return the SQL that asks which IDC release a dataset is."""
    versions = _table(source.table.rpartition(".")[0] + ".version_metadata", {"idc_version": "int64"})
    return str(ibis.to_sql(versions.agg(idc_version=versions["idc_version"].max()), dialect="bigquery"))


def _ct_images(collection: Collection) -> ir.Table:
    instances = _original(collection)
    return instances.filter(instances["Modality"] == "CT")


def _original(collection: Collection) -> ir.Table:
    """Return the instances of a collection, without analysis results of others."""
    source = collection.source
    assert isinstance(source, BigQuerySource)
    table = _table(source.table, DICOM_ALL)
    return table.filter(table["collection_id"] == source.collection_id, table["analysis_result_id"].isnull())


def _patients(clinical: Clinical) -> ir.Table:
    if not in_bigquery(clinical):
        message = (
            f"clinical table {clinical.table} is a file, which BigQuery cannot read; load it into BigQuery and write "
            f"{BIGQUERY_PREFIX}project.dataset.table"
        )
        raise ClinicalTableError(message)
    # Declared as numbers so that they are cast to text, which BigQuery does with text as well.
    columns = {clinical.patient_id: "int64", clinical.column: "int64"}
    return patients(_table(clinical.location.removeprefix(BIGQUERY_PREFIX), columns), clinical)


def _table(name: str, columns: dict[str, str]) -> ir.Table:
    project, dataset, table = name.rsplit(".", 2)
    return ibis.table(columns, name=table, catalog=project, database=dataset)


def _expert_folders(judged: pd.DataFrame, experts: pd.DataFrame) -> dict[str, list[str]]:
    """Return where what experts drew in the study of each selected series will be in the mirror."""
    of_study = experts.groupby("StudyInstanceUID")["SeriesInstanceUID"].agg(lambda uids: sorted(set(uids))).to_dict()
    selected = judged[judged["selected"]]
    pairs = zip(selected["SeriesInstanceUID"], selected["StudyInstanceUID"], strict=True)
    return {uid: of_study[study] for uid, study in pairs if study in of_study}


def _remote(files: pd.DataFrame, bucket: str) -> pd.DataFrame:
    """Return where the series are (`ct_assets.store.tables.REMOTE_SERIES`)."""
    series = files.groupby("SeriesInstanceUID", as_index=False, sort=True).agg(
        Modality=("Modality", "first"),
        crdc_series_uuid=("crdc_series_uuid", "first"),
        aws_bucket=("aws_bucket", "first"),
        instances=("file", "size"),
        series_size=("bytes", "sum"),
    )
    names = series.pop("aws_bucket")
    scheme = "s3://"
    if bucket == "gcs":
        names, scheme = names.map(lambda name: GCS_BUCKETS.get(name, name)), "gs://"
    series["url"] = scheme + names + "/" + series["crdc_series_uuid"] + "/"
    return series
