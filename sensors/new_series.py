"""Sensor new_series: asks for a new cohort_table when files come or go; cohort_table registers the partitions."""

import os
from collections.abc import Iterable
from pathlib import Path

import dagster as dg

from ct_assets.partitions import Scope
from ct_assets.store.digest import combined_digest
from resources.dicom_source import DicomSource, SourceUnavailableError

_INTERVAL_SECONDS = 60


def fingerprint(entries: Iterable[tuple[str, int, int]]) -> str:
    """Return a digest of a listing, whatever its order.

    Parameters
    ----------
    entries : iterable of (str, int, int)
        Path, size in bytes, modification time in ns.
    """
    return combined_digest(f"{path}|{size}|{changed}" for path, size, changed in sorted(entries))


def list_files(folder: Path) -> list[tuple[str, int, int]]:
    """List the files below a folder with size and modification time, without opening them.

    Parameters
    ----------
    folder : Path
        Folder to walk.
    """
    entries = []
    for root, _, names in os.walk(folder, followlinks=True):
        for name in names:
            path = Path(root) / name
            try:
                status = path.stat()
            except FileNotFoundError:
                continue  # removed while we looked: the next tick sees the rest
            entries.append((path.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns))
    return entries


def new_series_sensor(scope: Scope) -> dg.SensorDefinition:
    """Return the new_series sensor of a collection."""
    collection = scope.collection

    @dg.sensor(
        name=f"{collection.name}_new_series",
        target=dg.AssetSelection.assets(scope.cohort_key("cohort_table")),
        minimum_interval_seconds=_INTERVAL_SECONDS,
        description="Asks for cohort_table when the DICOM files of the collection change.",
    )
    def new_series(context: dg.SensorEvaluationContext, dicom_source: DicomSource) -> dg.SensorResult | dg.SkipReason:
        try:
            folder = dicom_source.folder(collection)
        except SourceUnavailableError as error:
            return dg.SkipReason(str(error))
        seen = fingerprint(list_files(folder))
        if seen == context.cursor:
            return dg.SkipReason(f"no change in {folder}")
        # No run key: a folder that returns to an earlier state must be asked for again.
        return dg.SensorResult(run_requests=[dg.RunRequest()], cursor=seen)

    return new_series
