"""Expert segmentations of a series, on its grid."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from ct_assets.collection import Collection
from ct_assets.ct_nifti.record import CtRecord
from ct_assets.ct_nifti.segmentation import read_expert
from ct_assets.ct_nifti.structure import ExpertStructure, UnusableSegmentationError
from ct_assets.ct_nifti.structure_set import RT_STRUCTURE_SET_STORAGE, read_structure_set
from ct_assets.dicom.read import read_dicom
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.uid import is_uid

logger = logging.getLogger(__name__)


def load_expert(
    collection: Collection, store: CollectionFolder, record: CtRecord, source: Path
) -> dict[str, ExpertStructure]:
    """Read the structures that experts segmented in a series.

    Parameters
    ----------
    collection : Collection
        Its `expert` names the structures; without it there are none.
    store : CollectionFolder
        Its cohort table names the files.
    record : CtRecord
        The series.
    source : Path
        Folder of the DICOM files.

    Returns
    -------
    dict
        Organ, or "lungs", to what was drawn of it; only what is there.

    Notes
    -----
    A file that cannot be used, or a structure that an earlier file has drawn already, is left out with a warning: what
    the models made does not depend on it, and what would be compared with it is then not evaluated.
    """
    if collection.expert is None:
        return {}
    structures: dict[str, ExpertStructure] = {}
    for file in series_expert_files(collection, store, record.series_instance_uid, source):
        try:
            read = read_structure_set if _sop_class(file) == RT_STRUCTURE_SET_STORAGE else read_expert
            found = read(file, record, collection.expert.structures, collection.expert.lungs)
        except UnusableSegmentationError as error:
            logger.warning("expert segmentation left out: %s", error)
            continue
        for name, structure in found.items():
            if name in structures:
                logger.warning("expert segmentation %s: %s left out, another file has drawn it", file, name)
            structures.setdefault(name, structure)
    return structures


def _sop_class(path: Path) -> str | None:
    """Return the SOP class of a file; none where it has none, which its reader then tells."""
    try:
        header = read_dicom(path, stop_before_pixels=True, specific_tags=["SOPClassUID"])
    except Exception:  # pydicom raises errors of many kinds on damage
        return None
    return str(header.get("SOPClassUID"))


def series_expert_files(
    collection: Collection, store: CollectionFolder, series_instance_uid: str, source: Path
) -> list[Path]:
    """Return the files of the experts' segmentations of a series; none where the collection has no expert.

    Parameters
    ----------
    collection : Collection
        Its `expert`.
    store : CollectionFolder
        Its cohort table names the files.
    series_instance_uid : str
        SeriesInstanceUID of the CT.
    source : Path
        Folder of the DICOM files.
    """
    if collection.expert is None:
        return []
    filters = [("SeriesInstanceUID", "=", series_instance_uid)]
    rows = pq.read_table(store.cohort.cohort, columns=["expert_files"], filters=filters).to_pylist()
    return expert_files(source, rows[0]["expert_files"] or []) if rows else []


def expert_files(source: Path, names: Sequence[str]) -> list[Path]:
    """Return the files that the cohort table names: a SEG or RTSTRUCT that was fetched is in the folder of its series.

    Parameters
    ----------
    source : Path
        Folder of the DICOM files.
    names : sequence of str
        `expert_files` of a row of the cohort table.
    """
    files: list[Path] = []
    for name in names:
        if (source / name).is_dir():
            files += sorted((source / name).iterdir())
        elif is_uid(name):
            logger.warning("expert segmentation %s has not been fetched, and is left out", name)
        else:
            files.append(source / name)
    return files
