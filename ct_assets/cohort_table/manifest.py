"""Manifest: the selected series with their files, sizes and places, in an order that never changes."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, Field, ValidationError

from ct_assets.cohort_table.source.judged import Judged
from ct_assets.collection import Collection
from ct_assets.store.uid import MAXIMUM_UID_LENGTH
from resources.series_download import RemoteSeries

MANIFEST_VERSION = 2
"""schema_version of manifest.json."""


class ManifestError(ValueError):
    """A file that is no manifest, or one from which nothing can be fetched; the message names it."""


_S5CMD_ENDPOINTS = {"gcs": "--endpoint-url https://storage.googleapis.com "}


def manifest(cohort: pd.DataFrame, judged: Judged, collection: Collection) -> dict[str, Any]:
    """Describe the selected series so that the cohort can be reproduced.

    Parameters
    ----------
    cohort : DataFrame
        `COHORT` rows.
    judged : Judged
        Where they come from, and their files.
    collection : Collection
        The collection.

    Returns
    -------
    dict
        JSON-serializable, sorted by SeriesInstanceUID and file. The same metadata give the same content.
    """
    selected = cohort[cohort["selected"]].sort_values("SeriesInstanceUID")
    files = _files(judged, set(selected["SeriesInstanceUID"]))
    places = {} if judged.remote is None else judged.remote.set_index("SeriesInstanceUID").to_dict("index")
    series = []
    for row in selected.to_dict("records"):
        uid = str(row["SeriesInstanceUID"])
        entry: dict[str, Any] = {
            "SeriesInstanceUID": uid,
            "StudyInstanceUID": row["StudyInstanceUID"],
            "PatientID": row["PatientID"],
            "decided": bool(row["decided"]),
            "instances": int(row["instances"]),
            "bytes": int(row["series_size"]),
        }
        if uid in places:
            entry |= _place(places[uid])
            entry["experts"] = [
                {"SeriesInstanceUID": seg, **_place(places[seg])} for seg in row["expert_files"] if seg in places
            ]
        if uid in files:
            entry["files"] = files[uid]
        series.append(entry)
    return {
        "schema_version": MANIFEST_VERSION,
        "collection": collection.name,
        "source": judged.origin,
        "selection": collection.selection.model_dump(mode="json"),
        "series": series,
    }


def s5cmd_manifest(content: dict[str, Any]) -> str:
    """Return the commands with which `s5cmd` downloads the series of a manifest, one folder each.

    Parameters
    ----------
    content : dict
        What `manifest` gives.

    Returns
    -------
    str
        Text for `s5cmd run`; without commands where the source is a folder.
    """
    endpoint = _S5CMD_ENDPOINTS.get(content["source"].get("bucket", ""), "")
    lines = [f"# s5cmd --no-sign-request {endpoint}run manifest.s5cmd"]
    for series in content["series"]:
        for part in (series, *series.get("experts", [])):
            if "url" in part:
                objects = part["url"].replace("gs://", "s3://") + "*"
                lines.append(f"cp {shlex.quote(objects)} {shlex.quote(part['SeriesInstanceUID'] + '/')}")
    return "\n".join(lines) + "\n"


class _Part(BaseModel):
    """A series of a manifest as far as it matters for fetching."""

    SeriesInstanceUID: str = Field(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=MAXIMUM_UID_LENGTH)
    url: str | None = Field(default=None, pattern=r"^(s3|gs)://[A-Za-z0-9._-]+/[A-Za-z0-9._/-]+/$")
    objects: int | None = Field(default=None, ge=0)
    object_bytes: int | None = Field(default=None, ge=0)


class _Series(_Part):
    experts: list[_Part] = []


class _Manifest(BaseModel):
    schema_version: int
    series: list[_Series]


def series_of_manifest(path: Path, series_instance_uids: Sequence[str] | None = None) -> list[RemoteSeries]:
    """Return what a manifest names, experts' segmentations included, so that the cohort can be fetched again.

    Parameters
    ----------
    path : Path
        manifest.json.
    series_instance_uids : sequence of str, optional
        CT series; default: all.

    Raises
    ------
    ManifestError
        If the file is no manifest, lacks a series, or names none that is in a bucket.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["schema_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{path}: is no manifest of a cohort ({type(error).__name__}: {error})"
        raise ManifestError(message) from error
    if version != MANIFEST_VERSION:
        message = f"{path}: is version {version}, expected {MANIFEST_VERSION}; materialize cohort_table again"
        raise ManifestError(message)
    try:
        series = _Manifest.model_validate(content).series
    except ValidationError as error:
        first = error.errors()[0]
        message = f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise ManifestError(message) from error
    absent = set(series_instance_uids or ()) - {entry.SeriesInstanceUID for entry in series}
    if absent:
        message = f"{path}: has no series {min(absent)}"
        raise ManifestError(message)
    chosen = [e for e in series if series_instance_uids is None or e.SeriesInstanceUID in series_instance_uids]
    parts = {part.SeriesInstanceUID: part for entry in chosen for part in (entry, *entry.experts) if part.url}
    if not parts:
        message = f"{path}: names no series in a public bucket; its files are where its source says"
        raise ManifestError(message)
    return [RemoteSeries(uid, str(part.url), part.objects, part.object_bytes) for uid, part in parts.items()]


def series_files(instances: pa.Table, series_instance_uid: str) -> list[str]:
    """Return the files of one CT series, relative to the source, every instance once; none where it is not known.

    Parameters
    ----------
    instances : pyarrow.Table
        Header index, or the part of it that holds the series.
    series_instance_uid : str
        SeriesInstanceUID.
    """
    return sorted(_images(instances.filter(pc.equal(instances["SeriesInstanceUID"], series_instance_uid)))["file"])


def _images(instances: pa.Table) -> pd.DataFrame:
    images = instances.filter(pc.and_(pc.equal(instances["Modality"], "CT"), pc.is_null(instances["copy_of"])))
    frame: pd.DataFrame = images.select(["SeriesInstanceUID", "file", "instance_size"]).to_pandas()
    return frame


def _files(judged: Judged, selected: set[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the files of each series that are known, with sizes and, where the source has them, MD5."""
    known = judged.files
    if known is None and judged.instances is not None:
        known = _images(judged.instances).rename(columns={"instance_size": "bytes"})
    if known is None:
        return {}
    known = known[known["SeriesInstanceUID"].isin(selected)].sort_values(["SeriesInstanceUID", "file"])
    columns = [name for name in ("file", "bytes", "md5") if name in known.columns]
    return {
        str(uid): [
            {"file": file, "bytes": int(size), **({"md5": md5[0]} if md5 and md5[0] else {})}
            for file, size, *md5 in rows[columns].itertuples(index=False)
        ]
        for uid, rows in known.groupby("SeriesInstanceUID", sort=True)
    }


def _place(row: dict[Any, Any]) -> dict[str, Any]:
    return {
        "crdc_series_uuid": row["crdc_series_uuid"],
        "url": row["url"],
        "objects": int(row["instances"]),
        "object_bytes": int(row["series_size"]),
    }
