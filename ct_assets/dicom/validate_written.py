"""dciodvfy on everything that was written of a series."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ct_assets.dicom.validators import Validation, ValidationOutcome, validate_dicom
from ct_assets.dicom.written import read_objects

_WORST_FIRST = (ValidationOutcome.REJECTED, ValidationOutcome.NOT_INSTALLED, ValidationOutcome.ACCEPTED)


def validate_written(record: Path) -> dict[str, Validation]:
    """Check the objects of a record with dciodvfy, as many at a time as there are cores.

    Parameters
    ----------
    record : Path
        seg/objects.json or sr/objects.json.

    Returns
    -------
    dict of str to Validation
        Verdict on each file, by its name; an object that was not written has none.

    Raises
    ------
    FileNotFoundError
        If a file that was written is missing.
    """
    files = [written.file for written in read_objects(record).values() if written.reference]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        verdicts = pool.map(validate_dicom, [record.parent / file for file in files])
        return dict(zip(files, verdicts, strict=True))


def worst(verdicts: Iterable[Validation]) -> ValidationOutcome:
    """Return the worst outcome: rejected before not installed before accepted; accepted where there is nothing.

    Parameters
    ----------
    verdicts : iterable of Validation
        Verdicts on several files.
    """
    outcomes = {verdict.outcome for verdict in verdicts}
    return next((outcome for outcome in _WORST_FIRST if outcome in outcomes), ValidationOutcome.ACCEPTED)
