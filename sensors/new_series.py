"""Sensor new_series: asks for a new cohort_table when files come or go; cohort_table registers the partitions.

It once asked in the middle of a copy: twelve slices of forty were annotated as if they were the series. Now it waits
until two successive listings agree.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import dagster as dg

from ct_assets.partitions import Scope
from ct_assets.store.digest import combined_digest
from ct_assets.store.walk import walk_files
from resources.dicom_source import DicomSource, SourceUnavailableError

_INTERVAL_SECONDS = 60
_UNKNOWN = (-1, -1)


@dataclass(frozen=True)
class Cursor:
    """Fingerprints of the listing seen last, and of the one that cohort_table was last asked for."""

    seen: str | None = None
    asked: str | None = None

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """Read a cursor; one that is missing or foreign is as if nothing had been seen.

        Parameters
        ----------
        text : str or None
            What Dagster kept of the last tick.
        """
        try:
            content = json.loads(text or "{}")
            return cls(*(value if isinstance(value := content.get(key), str) else None for key in ("seen", "asked")))
        except (AttributeError, ValueError):
            return cls()

    def dump(self) -> str:
        """Return the cursor as JSON."""
        return json.dumps(asdict(self))

    def after(self, listing: str) -> "Cursor":
        """Return the next cursor; cohort_table is to be asked for where `asked` differs from this one's.

        Parameters
        ----------
        listing : str
            Fingerprint of the listing of this tick.
        """
        return Cursor(seen=listing, asked=listing if listing == self.seen else self.asked)


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

    Returns
    -------
    list of (str, int, int)
        Path, size in bytes, modification time in ns; both -1 for what cannot be looked at, folders included.
    """
    entries: list[tuple[str, int, int]] = []
    for path in walk_files(folder, lambda path, _: entries.append((path.relative_to(folder).as_posix(), *_UNKNOWN))):
        name = path.relative_to(folder).as_posix()
        try:
            status = path.stat()
        except FileNotFoundError:
            continue  # removed while we looked: the next tick sees the rest
        except OSError:
            entries.append((name, *_UNKNOWN))
        else:
            entries.append((name, status.st_size, status.st_mtime_ns))
    return entries


def new_series_sensor(scope: Scope) -> dg.SensorDefinition:
    """Return the new_series sensor of a collection that is a folder of DICOM files."""
    collection = scope.collection

    @dg.sensor(
        name=f"{collection.name}_new_series",
        target=dg.AssetSelection.assets(scope.cohort_key("cohort_table")),
        minimum_interval_seconds=_INTERVAL_SECONDS,
        description="Asks for cohort_table when the DICOM files of the collection have changed and come to rest.",
    )
    def new_series(context: dg.SensorEvaluationContext, dicom_source: DicomSource) -> dg.SensorResult | dg.SkipReason:
        try:
            folder = dicom_source.folder(collection)
        except SourceUnavailableError as error:
            return dg.SkipReason(str(error))
        before = Cursor.parse(context.cursor)
        now = before.after(fingerprint(list_files(folder)))
        if now.asked != before.asked:
            # No run key: a folder that returns to an earlier state must be asked for again.
            return dg.SensorResult(run_requests=[dg.RunRequest()], cursor=now.dump())
        resting = now.seen == now.asked
        reason = f"no change in {folder}" if resting else f"files in {folder} are still changing; asking when they rest"
        return dg.SensorResult(skip_reason=dg.SkipReason(reason), cursor=now.dump())

    return new_series
