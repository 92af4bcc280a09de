"""Series metadata of the Imaging Data Commons, from the package idc-index-data: no account, no network.

The package has what describes a series as a whole: patient, study, count, size and place of its images. It has no
position, orientation, ImageType or SliceThickness: criteria that need those are not evaluated on it.
"""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import ibis
import ibis.expr.types as ir
import idc_index_data
from ibis.backends.duckdb import Backend

from ct_assets.cohort_table.criteria.measures import complete
from ct_assets.dicom.series import CT_IMAGE_STORAGE

GCS_BUCKETS = {
    "idc-open-data": "idc-open-data",
    "idc-open-data-two": "idc-open-idc1",
    "idc-open-data-cr": "idc-open-cr",
}
"""Mirror in Google Cloud Storage of each bucket in AWS, with equal paths (IDC's documentation)."""

_BYTES_PER_MB = 1_000_000  # series_size_MB is exactly the bytes of the instances by this


class UnknownCollectionError(ValueError):
    """A collection that the metadata do not have; the message names those that are alike."""


@dataclass(frozen=True)
class IdcVersion:
    """The metadata that a cohort was selected from."""

    idc_version: int
    package: str


def installed_version(backend: Backend) -> IdcVersion:
    """Return which IDC release the installed metadata describe.

    Parameters
    ----------
    backend : Backend
        DuckDB.
    """
    versions = backend.read_parquet(str(_file("version_metadata_index")))
    newest = versions["idc_version"].max().to_pandas()
    return IdcVersion(int(newest), f"idc-index-data {version('idc-index-data')}")


def idc_series(backend: Backend, collection_id: str) -> ir.Table:
    """Return the original series of a collection, of all modalities; analysis results of others are left out.

    Parameters
    ----------
    backend : Backend
        DuckDB.
    collection_id : str
        IDC's name of the collection.

    Raises
    ------
    UnknownCollectionError
        If there is no such collection.
    """
    index = backend.read_parquet(str(_file("idc_index")))
    found = index.filter(index["collection_id"] == collection_id, index["analysis_result_id"].isnull())
    if not found.count().to_pandas():
        names = index.select("collection_id").distinct().to_pandas()["collection_id"]
        alike = sorted(name for name in names if set(collection_id.split("_")) & set(name.split("_")))
        message = (
            f"the Imaging Data Commons has no collection {collection_id}; alike: {', '.join(alike[:10]) or 'none'}"
        )
        raise UnknownCollectionError(message)
    return found.mutate(
        instances=found["instanceCount"],
        series_size=(found["series_size_MB"] * _BYTES_PER_MB).round().cast("int64"),
    )


def metadata_measures(series: ir.Table) -> ir.Table:
    """Return the measures of CT series that series metadata give; the others are null.

    Parameters
    ----------
    series : ibis Table
        What `idc_series` gives.
    """
    ct = series.filter(series["Modality"] == "CT")
    supported = ct["SOPClassUID"] == CT_IMAGE_STORAGE
    return complete(
        ct.mutate(
            decided=ibis.literal(False),
            unsupported_images=ibis.ifelse(supported, 0, ct["instances"]),
            unsupported_class=ibis.ifelse(supported, ibis.null("string"), ct["SOPClassUID"]),
        )
    )


def remote_series(series: ir.Table, bucket: str) -> ir.Table:
    """Return where the files of series are (`ct_assets.store.tables.REMOTE_SERIES`).

    Parameters
    ----------
    series : ibis Table
        What `idc_series` gives.
    bucket : str
        aws or gcs.
    """
    names = series["aws_bucket"]
    if bucket == "gcs":
        names = names.cases(*GCS_BUCKETS.items(), else_=names)
    scheme = ibis.literal("gs://" if bucket == "gcs" else "s3://")
    return series.select(
        "SeriesInstanceUID",
        "Modality",
        "crdc_series_uuid",
        "instances",
        "series_size",
        url=scheme + names + "/" + series["crdc_series_uuid"] + "/",
    )


def _file(name: str) -> Path:
    path = idc_index_data.INDEX_METADATA[name]["parquet_filepath"]
    assert isinstance(path, Path), f"idc-index-data lacks {name}"
    return path
