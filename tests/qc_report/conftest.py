"""A small synthetic series: a body with two lungs and four ellipsoid organs, in any voxel order."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from ct_assets.bpr_json.record import BodyPartRecord
from ct_assets.collection import Collection
from ct_assets.ct_nifti.record import CtRecord, SliceRecord
from ct_assets.organ_seg.record import LabelMapRecord, OrganFinding
from ct_assets.organs import ORGANS
from ct_assets.provenance import Provenance
from ct_assets.qc_report.inputs import SeriesInputs
from ct_assets.store.tables import LANDMARKS, REGIONS, SHAPE_FEATURES

SERIES_UID = "1.2.826.0.1.3680043.8.498.1"
SHAPE = (44, 40, 56)
"""Voxels to the patient's left, back and head."""
SPACING = (7.0, 8.0, 5.5)

_ORGANS = {
    "esophagus": ((22, 25, 30), (2, 2, 20)),
    "heart": ((25, 16, 22), (7, 6, 9)),
    "trachea": ((22, 22, 44), (2, 2, 9)),
    "aorta": ((25, 27, 28), (2, 2, 18)),
}
_LUNGS = [((12, 20, 28), (8, 11, 23)), ((34, 20, 28), (7, 11, 23))]
REGIONS_FROM_FEET = {"chest": (8, 55), "abdomen": (0, 20)}
"""Lowest and highest slice of each region, counted from the feet."""

LUNG_SLICES = (5, 51)
"""Lowest and highest slice with lung, counted from the feet."""


def ellipsoid(centre: tuple[int, ...], radii: tuple[int, ...], shape: tuple[int, ...] = SHAPE) -> npt.NDArray[np.bool_]:
    grid = np.indices(shape, dtype=float)
    return sum(((grid[axis] - centre[axis]) / radii[axis]) ** 2 for axis in range(3)) <= 1


@dataclass(frozen=True)
class VoxelOrder:
    """How a volume with axes to the patient's left, back and head is stored: which axes are reversed."""

    reverse: tuple[bool, bool, bool] = (False, False, False)

    def stored(self, volume: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return volume[tuple(slice(None, None, -1 if flip else 1) for flip in self.reverse)]

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """Index to RAS in mm."""
        affine = np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0])
        affine[:3, 3] = (120.0, 130.0, -400.0)
        for axis, flip in enumerate(self.reverse):
            if flip:
                affine[:3, 3] += affine[:3, axis] * (SHAPE[axis] - 1)
                affine[:3, axis] *= -1
        return affine


def body() -> dict[str, npt.NDArray[Any]]:
    ct = np.full(SHAPE, -1000.0, dtype=np.float32)
    ct[3:-3, 4:-4] = 40
    for centre, radii in _LUNGS:
        ct[ellipsoid(centre, radii)] = -850
    labels = np.zeros(SHAPE, dtype=np.uint8)
    for label, organ in ORGANS.items():
        mask = ellipsoid(*_ORGANS[organ])
        labels[mask] = label
        ct[mask] = -980 if organ == "trachea" else 60
    lungs = np.any([ellipsoid(*lung) for lung in _LUNGS], axis=0)
    return {"ct": ct, "labels": labels, "lungs": lungs}


def demo_collection(**changes: Any) -> Collection:
    content = {
        "name": "demo",
        "title": "Synthetic series",
        "demonstration": True,
        "source": {"kind": "folder", "path": "/nowhere"},
        "organ_segmentation": {"model": "demo", "configurations": ["3d_fullres", "2d"]},
        "body_part_regression": {"model": "demo"},
        "expert": {"structures": {"heart": "Heart", "esophagus": "Esophagus"}, "lungs": ["Lungs"]},
    }
    return Collection.model_validate({**content, **changes})


def feature_rows(model: str, organs: dict[str, float | None]) -> pd.DataFrame:
    labels = {organ: label for label, organ in ORGANS.items()}
    rows = [
        {
            "SeriesInstanceUID": SERIES_UID,
            "model": model,
            "label": labels[organ],
            "organ": organ,
            "feature": "Sphericity",
            "value": value,
            "unit": "1",
            "code": "QCFX",
            "components": 0 if value is None else 1,
            "at_border": [],
            "reason": "empty segmentation" if value is None else None,
            "segmentation": "cd" * 32,
            "weights_digest": "0" * 64,
            "software": "test",
        }
        for organ, value in organs.items()
    ]
    return pd.DataFrame(rows, columns=list(SHAPE_FEATURES.columns))


@pytest.fixture
def make_inputs() -> Callable[..., SeriesInputs]:
    """Return a function that makes a series; keyword arguments replace fields of SeriesInputs."""

    def make(
        reverse: tuple[bool, bool, bool] = (False, False, False), *, demonstration: bool = True, **changes: Any
    ) -> SeriesInputs:
        order = VoxelOrder(reverse)
        volumes = {name: order.stored(volume) for name, volume in body().items()}
        provenance = Provenance(
            name="demo",
            configuration="3d_fullres",
            folds=(0,),
            weights_digest="ab" * 32,
            software="ct-assets 0",
            demonstration=demonstration,
        )
        positions = order.affine[2, 2] * np.arange(SHAPE[2]) + order.affine[2, 3]
        from_feet = range(SHAPE[2])[::-1] if reverse[2] else range(SHAPE[2])
        labels = volumes["labels"]
        record = CtRecord(
            patient_id="DEMO-001",
            study_instance_uid="1.2.826.0.1.3680043.8.498.2",
            series_instance_uid=SERIES_UID,
            frame_of_reference_uid=None,
            fit=True,
            shape=SHAPE,
            affine=tuple(tuple(row) for row in order.affine.tolist()),
            spacing_mm=SPACING,
            slices=tuple(
                SliceRecord(sop_instance_uid=f"{SERIES_UID}.{k}", file=f"{k}.dcm", position_mm=position)
                for k, position in enumerate(positions)
            ),
            source_digest="cd" * 32,
            converter="test",
        )
        finding = {
            organ: OrganFinding(label=label, voxels=int((labels == label).sum()), volume_ml=1.0, box=None)
            for label, organ in ORGANS.items()
        }
        lung = [positions[list(from_feet).index(k)] for k in LUNG_SLICES]
        defaults: dict[str, Any] = {
            "collection": demo_collection(),
            "record": record,
            "ct": volumes["ct"],
            "label_maps": {"3d_fullres": labels, "2d": labels.copy()},
            "label_map_records": {
                model: LabelMapRecord(
                    series_instance_uid=SERIES_UID,
                    source_digest="cd" * 32,
                    label_map_digest="ef" * 32,
                    provenance=provenance.model_copy(update={"configuration": model}),
                    organs=finding,
                    seconds=1.5,
                )
                for model in ("3d_fullres", "2d")
            },
            "features": pd.concat(
                feature_rows(model, {"esophagus": 0.41, "heart": 0.80, "trachea": 0.49, "aorta": 0.50})
                for model in ("3d_fullres", "2d")
            ),
            "body_part": BodyPartRecord(
                series_instance_uid=SERIES_UID,
                source_digest="cd" * 32,
                provenance=provenance,
                landmark_rule="corrected",
                body_part_examined="CHEST",
                valid_z_spacing=True,
                reverse_z_ordering=False,
                slope_ratio=1.0,
                expected_z_spacing_mm=SPACING[2],
                lung_extent_mm=abs(lung[1] - lung[0]),
                slice_scores=tuple(float(score) for score in np.linspace(30, 75, SHAPE[2])[list(from_feet)]),
                slice_regions=tuple(
                    tuple(name for name, (low, high) in REGIONS_FROM_FEET.items() if low <= rank <= high)
                    for rank in from_feet
                ),
                reason=None,
                seconds=0.5,
            ),
            "landmarks": _landmarks({"lung_start": lung[0] + 5.5, "lung_end": lung[1], "Th12": lung[0] + 20}),
            "regions": _regions(REGIONS_FROM_FEET, reverse=reverse[2]),
            "expert": {
                "heart": volumes["labels"] == 2,
                "esophagus": volumes["labels"] == 1,
                "lungs": volumes["lungs"],
            },
        }
        return SeriesInputs(**{**defaults, **changes})

    return make


def _landmarks(located: dict[str, float]) -> pd.DataFrame:
    rows = [(SERIES_UID, name, "1", 50.0, True, position, 0, "1.2", None) for name, position in located.items()]
    rows.append((SERIES_UID, "L5", "1", 12.0, False, None, None, None, "below the scan"))
    return pd.DataFrame(rows, columns=list(LANDMARKS.columns))


def _regions(from_feet: dict[str, tuple[int, int]], *, reverse: bool) -> pd.DataFrame:
    rows = []
    for name, (low, high) in from_feet.items():
        first, last = (SHAPE[2] - 1 - high, SHAPE[2] - 1 - low) if reverse else (low, high)
        rows.append([SERIES_UID, name, "1", first, last, high - low + 1, (high - low + 1) / SHAPE[2]])
    return pd.DataFrame(rows, columns=list(REGIONS.columns))
