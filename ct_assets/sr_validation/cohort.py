"""DicomSRValidator on the reports of a collection: of which series, and what it says of each report."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from ct_assets.collection import ReportValidation
from ct_assets.dicom.report_validator import VALIDATOR, installed, validate_reports, validator_version
from ct_assets.dicom.validators import Validation, ValidationOutcome
from ct_assets.dicom.written import read_objects
from ct_assets.store.digest import file_digest
from ct_assets.store.paths import CollectionFolder, SeriesFolder
from ct_assets.store.tables import SR_VALIDATION

logger = logging.getLogger(__name__)

REMEDY = (
    "DicomSRValidator is not installed, so nothing was validated; install default-jdk-headless and "
    "libpixelmed-java (Debian)"
)
"""What to do where the validator is not there."""

_SAVE_EVERY = 25
_MESSAGES_SHOWN = 5


@dataclass(frozen=True)
class CohortValidation:
    """What the validator said of a collection.

    ``rows`` are those of SR_VALIDATION, ``reused`` of them were known before; they are of ``chosen`` series among all
    ``series`` that have reports.
    """

    rows: pd.DataFrame
    reused: int
    chosen: int
    series: int

    @property
    def outcome(self) -> ValidationOutcome | None:
        """Rejected if one report is, not installed if one could not be validated, else accepted; None: no reports."""
        found = set(self.rows["outcome"])
        order = (ValidationOutcome.REJECTED, ValidationOutcome.NOT_INSTALLED, ValidationOutcome.ACCEPTED)
        return next((outcome for outcome in order if outcome.value in found), None)


def chosen_series(uids: Iterable[str], settings: ReportValidation) -> list[str]:
    """Return the series whose reports are validated: all, or a sample that is the same every time.

    Parameters
    ----------
    uids : iterable of str
        SeriesInstanceUIDs of the series that have reports.
    settings : ReportValidation
        Up to how many series all are validated, how large the sample is otherwise, and its seed.
    """
    known = sorted(set(uids))
    if len(known) <= settings.all_up_to:
        return known
    return sorted(sorted(known, key=lambda uid: _rank(uid, settings.seed))[: settings.sample])


def validate_cohort(
    folder: CollectionFolder,
    settings: ReportValidation,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> CohortValidation:
    """Validate the reports of a collection and write sr_validation.parquet.

    The verdict on a file that has not changed is kept. An interrupted call loses at most the last few verdicts.

    Parameters
    ----------
    folder : CollectionFolder
        The collection.
    settings : ReportValidation
        Which series.
    progress : callable, optional
        Told how many reports of how many are done.

    Returns
    -------
    CohortValidation
        Verdicts on all reports of the chosen series.
    """
    with_reports = {series.series_instance_uid: series for series in folder.all_series() if series.reports}
    chosen = [with_reports[uid] for uid in chosen_series(with_reports, settings)]
    reports = {path: _report(series, path) for series in chosen for path in series.reports}
    known = known_verdicts(folder.cohort.sr_validation)
    done = {
        path: {**report, **known[report["sha256"]]} for path, report in reports.items() if report["sha256"] in known
    }
    reused, wanted = len(done), [path for path in reports if path not in done]
    progress(reused, len(reports))
    try:
        for path, verdict in validate_reports(wanted):
            done[path] = {**reports[path], **_said(verdict)}
            progress(len(done), len(reports))
            if len(done) % _SAVE_EVERY == 0:
                _write(done, folder)
    finally:
        rows = _write(done, folder)
    return CohortValidation(rows, reused, len(chosen), len(with_reports))


def _rank(uid: str, seed: int) -> str:
    return hashlib.sha256(f"{seed} {uid}".encode()).hexdigest()


def _report(series: SeriesFolder, path: Path) -> dict[str, Any]:
    written = next((one for one in read_objects(series.sr_objects).values() if one.file == path.name), None)
    return {
        "SeriesInstanceUID": series.series_instance_uid,
        "file": path.relative_to(series.path).as_posix(),
        "SOPInstanceUID": written.reference.sop_instance_uid if written and written.reference else None,
        "sha256": file_digest(path),
    }


def known_verdicts(path: Path) -> dict[str, dict[str, Any]]:
    """Return what the validator that is installed has said before; nothing if there is none or the table is unusable.

    Parameters
    ----------
    path : Path
        sr_validation.parquet.

    Returns
    -------
    dict of str to dict
        Validator, outcome and messages by the SHA-256 of the report; a report that it did not reach is not there.
    """
    if not path.is_file() or not installed():
        return {}
    try:
        rows = SR_VALIDATION.read(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        logger.warning("%s is left out, and everything is validated: %s", path, error)
        return {}
    rows = rows[(rows["validator"] == validator_version()) & (rows["outcome"] != ValidationOutcome.NOT_INSTALLED.value)]
    columns = ["validator", "outcome", "messages"]
    return dict(zip(rows["sha256"], rows[columns].to_dict("records"), strict=True))


def _said(verdict: Validation) -> dict[str, Any]:
    # A verdict without a version is not kept: a report at which Java ran out of time or memory gets another try.
    known = verdict.outcome is not ValidationOutcome.NOT_INSTALLED and verdict.complete
    return {
        "validator": validator_version() if known else VALIDATOR,
        "outcome": verdict.outcome.value,
        "messages": [*verdict.errors, *verdict.warnings],
    }


def _write(done: dict[Path, dict[str, Any]], folder: CollectionFolder) -> pd.DataFrame:
    rows = pd.DataFrame(list(done.values()), columns=list(SR_VALIDATION.columns))
    rows = rows.sort_values(["SeriesInstanceUID", "file"], ignore_index=True)
    SR_VALIDATION.write(rows, folder.cohort.sr_validation)
    return rows


def rejections(rows: pd.DataFrame) -> Sequence[str]:
    """Return the rejected reports with what was said of them, one text each.

    Parameters
    ----------
    rows : DataFrame
        Rows of SR_VALIDATION.
    """
    rejected = rows[rows["outcome"] == ValidationOutcome.REJECTED.value]
    return [
        f"{uid}: {file}: {_shortened(messages)}"
        for uid, file, messages in rejected[["SeriesInstanceUID", "file", "messages"]].itertuples(index=False)
    ]


def _shortened(messages: Sequence[str]) -> str:
    more = len(messages) - _MESSAGES_SHOWN
    return "; ".join([*messages[:_MESSAGES_SHOWN], *([f"and {more} more"] if more > 0 else [])])
