"""complete.json: what a finished series was made from, so that annotating again does only what is new."""

import importlib.metadata
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ct_assets.bpr_json.record import BodyPartRecord
from ct_assets.collection import Collection
from ct_assets.collection_database import SERIES_TABLES
from ct_assets.ct_nifti.record import CtRecord
from ct_assets.dicom.written import ObjectsRecord
from ct_assets.organ_seg.record import LabelMapRecord
from ct_assets.store.digest import file_digest, json_digest
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.record import Record, RecordError
from resources.model_store import ModelStore

_RECORDS = (CtRecord, LabelMapRecord, BodyPartRecord, ObjectsRecord)
_NOT_DECISIVE = {"title", "schedule", "viewer_url", "citation", "licence", "attribution", "report_validation", "qc"}


class FileMade(BaseModel):
    """A file as it was made: size in bytes, moment of the last change in ns, SHA-256."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int
    changed_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "FileMade":
        """Describe a file."""
        status = path.stat()
        return cls(size=status.st_size, changed_ns=status.st_mtime_ns, sha256=file_digest(path))

    def is_still(self, path: Path) -> bool:
        """Tell whether a file is what was made; it is read only where its time says that it was written since."""
        status = path.stat()
        if status.st_size != self.size:
            return False
        return status.st_mtime_ns == self.changed_ns or file_digest(path) == self.sha256


class Completion(Record):
    """Content of complete.json: key of the inputs, outcomes of the checks, and what was made.

    ``limits`` is the key of what it was judged by.
    """

    schema_version: Literal[3] = 3
    key: str
    limits: str
    checks: dict[str, str]
    files: dict[str, FileMade]
    seconds: float


def completion_key(files: list[Path], collection: Collection, model_store: ModelStore) -> str:
    """Return a digest of everything that a series is made from.

    Parameters
    ----------
    files : list of Path
        Its DICOM files; their names, sizes and times stand for their content.
    collection : Collection
        Its settings.
    model_store : ModelStore
        The models' files.
    """
    states = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    weights = [model_store.nnunet(collection.organ_segmentation.model, name) for name in collection.models]
    weights.append(model_store.bpreg(collection.body_part_regression.model))
    return json_digest(
        {
            "files": sorted(states),
            "collection": collection.model_dump(mode="json", exclude=_NOT_DECISIVE),
            "models": [model_store.fingerprint(folder) for folder in weights],
            "schema_versions": [
                *(table.version for table, _, _ in SERIES_TABLES),
                *(record.version() for record in _RECORDS),
            ],
            "version": importlib.metadata.version("ct-assets"),
        }
    )


def limits_key(collection: Collection) -> str:
    """Return a digest of what a series is judged by, which changes nothing that was measured.

    Parameters
    ----------
    collection : Collection
        Its `qc`.
    """
    return json_digest(collection.qc.model_dump(mode="json"))


def read_completion(folder: SeriesFolder, key: str) -> Completion | None:
    """Return how a series was finished, or None if it was not, or from other inputs.

    Parameters
    ----------
    folder : SeriesFolder
        The series.
    key : str
        Key of the inputs as they are now.
    """
    try:
        completion = Completion.read(folder.completion, "qc_report")
    except (FileNotFoundError, RecordError):
        return None
    if completion.key != key:
        return None
    files = _files(folder)
    same = files.keys() == completion.files.keys() and folder.qc_page.is_file()
    return completion if same and all(completion.files[name].is_still(path) for name, path in files.items()) else None


def files_made(folder: SeriesFolder) -> dict[str, FileMade]:
    """Describe the files of a series, complete.json and the page apart.

    Parameters
    ----------
    folder : SeriesFolder
        The series.
    """
    return {name: FileMade.of(path) for name, path in _files(folder).items()}


def _files(folder: SeriesFolder) -> dict[str, Path]:
    """Return the files by name; not the page, which a review changes and which says nothing that is not in the tables.

    Hidden files are what a killed run left.
    """
    return {
        path.relative_to(folder.path).as_posix(): path
        for path in sorted(folder.path.rglob("*"))
        if path.is_file() and path not in {folder.completion, folder.qc_page} and not path.name.startswith(".")
    }
