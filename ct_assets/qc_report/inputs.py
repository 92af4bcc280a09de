"""What the quality control of one series looks at, loaded from its folder."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ct_assets.bpr_json.record import BodyPartRecord, read_body_part_record
from ct_assets.collection import Collection
from ct_assets.ct_nifti.record import CtRecord, read_ct_record
from ct_assets.ct_nifti.volume import load_volume
from ct_assets.organ_seg.record import LabelMapRecord, read_label_map
from ct_assets.provenance import Provenance
from ct_assets.store.paths import SeriesFolder
from ct_assets.store.tables import LANDMARKS, REGIONS, SHAPE_FEATURES

ExpertMasks = dict[str, npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class SeriesInputs:
    """One series with everything that was made of it.

    ``ct``, ``label_maps`` and ``expert`` are on the grid of ct.nii.gz, shape (columns, rows, slices);
    ``label_maps`` is in the order of the collection's models.
    """

    collection: Collection
    record: CtRecord
    ct: npt.NDArray[np.float32]
    label_maps: dict[str, npt.NDArray[np.uint8]]
    label_map_records: dict[str, LabelMapRecord]
    features: pd.DataFrame
    body_part: BodyPartRecord
    landmarks: pd.DataFrame
    regions: pd.DataFrame
    expert: ExpertMasks | None = None

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """Index of ct.nii.gz to RAS in mm, shape (4, 4)."""
        assert self.record.affine is not None, "a fit series has an affine"
        return np.asarray(self.record.affine)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along each axis of ct.nii.gz in mm."""
        assert self.record.spacing_mm is not None, "a fit series has a spacing"
        return self.record.spacing_mm

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """Score of each slice of ct.nii.gz, NaN where there is none, shape (slices,)."""
        return np.asarray(self.body_part.slice_scores, dtype=np.float64)

    @property
    def provenances(self) -> list[Provenance]:
        """Models that made the label maps and the body part regression."""
        return [*(record.provenance for record in self.label_map_records.values()), self.body_part.provenance]

    @property
    def notice(self) -> str | None:
        """Warning of the first demonstration model."""
        return next((provenance.notice for provenance in self.provenances if provenance.notice), None)


def load_inputs(folder: SeriesFolder, collection: Collection, expert: ExpertMasks | None) -> SeriesInputs:
    """Read what earlier assets wrote for a series.

    Parameters
    ----------
    folder : SeriesFolder
        Local folder of the series.
    collection : Collection
        Its collection.
    expert : dict or None
        Expert masks on the grid of ct.nii.gz, by organ, and the lungs as ``lungs``; none: the series has no expert.

    Returns
    -------
    SeriesInputs
        Everything loaded.

    Raises
    ------
    FileNotFoundError
        If an earlier asset has not been materialized.
    UnfitSeriesError
        If the series is unfit.
    ValueError
        If arrays are not on one grid.
    """
    record = read_ct_record(folder.ct_record)
    ct, _ = load_volume(folder.ct_nifti)
    read = {model: read_label_map(folder, model) for model in collection.models}
    label_maps = {model: labels for model, (labels, _) in read.items()}
    for name, array in {**label_maps, **(expert or {})}.items():
        if array.shape != ct.shape:
            message = f"{folder.path}: {name} of shape {array.shape} is not on the CT's grid of shape {ct.shape}"
            raise ValueError(message)
    return SeriesInputs(
        collection=collection,
        record=record,
        ct=ct,
        label_maps=label_maps,
        label_map_records={model: label_map_record for model, (_, label_map_record) in read.items()},
        features=SHAPE_FEATURES.read(folder.shape_features),
        body_part=read_body_part_record(folder.bpr_record),
        landmarks=LANDMARKS.read(folder.landmarks),
        regions=REGIONS.read(folder.regions),
        expert=expert,
    )


def files_of(folder: SeriesFolder) -> list[tuple[str, int]]:
    """List the files of a series for its page.

    Parameters
    ----------
    folder : SeriesFolder
        Local folder of the series.

    Returns
    -------
    list of tuple of str and int
        Path relative to the folder, with forward slashes, and size in bytes; sorted, without the page itself.
    """
    files = [path for path in sorted(folder.path.rglob("*")) if path.is_file() and path != folder.qc_page]
    return [
        (path.relative_to(folder.path).as_posix(), path.stat().st_size)
        for path in files
        if not any(part.startswith(".") for part in path.relative_to(folder.path).parts)
    ]
