"""sign_offs.json: the persons who answer for what reports say; other content is unsigned again."""

from pathlib import Path
from typing import Literal

from ct_assets.dicom.edition import SignOff
from ct_assets.dicom.written import NothingWrittenError, read_objects
from ct_assets.store.digest import file_digest
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.record import Record


class SignOffs(Record):
    """Content of sign_offs.json: who answers for which content, by its digest in sr/objects.json."""

    schema_version: Literal[1] = 1
    sign_offs: dict[str, SignOff]


def read_sign_offs(path: Path) -> dict[str, SignOff]:
    """Return who answers for which content.

    Parameters
    ----------
    path : Path
        sign_offs.json; without it nobody does.

    Raises
    ------
    RecordError
        If the file is damaged: a signature is not forgotten silently.
    """
    return SignOffs.read(path, "sign-off").sign_offs if path.is_file() else {}


def sign(folder: SeriesFolder, sign_off: SignOff) -> list[str]:
    """Note that a person answers for what the reports of a series say now.

    Parameters
    ----------
    folder : SeriesFolder
        The series.
    sign_off : SignOff
        Person, organization and moment.

    Returns
    -------
    list of str
        Names of the reports.

    Raises
    ------
    NothingWrittenError
        If the series has no report, or one that is not the file that was written.
    """
    present = {name: report for name, report in read_objects(folder.sr_objects).items() if report.reference}
    if not present:
        message = f"series {folder.series_instance_uid} has no report to sign; materialize dicom_sr first"
        raise NothingWrittenError(message)
    changed = [
        report.file
        for report in present.values()
        if not (folder.sr_objects.parent / report.file).is_file()
        or file_digest(folder.sr_objects.parent / report.file) != report.sha256
    ]
    if changed:
        names = ", ".join(changed)
        message = f"series {folder.series_instance_uid}: {names} cannot be signed; materialize dicom_sr again first"
        raise NothingWrittenError(message)
    signed = {report.content: sign_off for report in present.values()}
    SignOffs(sign_offs={**read_sign_offs(folder.sign_offs), **signed}).write(folder.sign_offs)
    return list(present)
