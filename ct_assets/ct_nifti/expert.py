"""Expert segmentations of a series, as masks on its grid."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from ct_assets.collection import Collection
from ct_assets.ct_nifti.record import CtRecord
from ct_assets.ct_nifti.segmentation import read_expert
from ct_assets.store.paths import CollectionFolder


def load_expert_masks(
    collection: Collection, store: CollectionFolder, record: CtRecord, source: Path
) -> dict[str, npt.NDArray[np.bool_]]:
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
        Organ, or "lungs", to mask of shape (columns, rows, slices); only what is there.

    Raises
    ------
    UnusableSegmentationError
        If a file does not lie on the grid of the series.
    """
    if collection.expert is None:
        return {}
    filters = [("SeriesInstanceUID", "=", record.series_instance_uid)]
    rows = pq.read_table(store.cohort.cohort, columns=["expert_files"], filters=filters).to_pylist()
    masks: dict[str, npt.NDArray[np.bool_]] = {}
    for file in (rows[0]["expert_files"] or []) if rows else []:
        found = read_expert(source / file, record, collection.expert.structures, collection.expert.lungs)
        for name, mask in found.items():
            masks[name] = masks[name] | mask if name in masks else mask
    return masks
