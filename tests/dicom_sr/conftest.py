"""The SEG and the three reports of a real chest CT, written once and validated once."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ct_assets.collection import Compatibility
from ct_assets.dicom.codes import feature_codes, landmark_codes, organ_codes
from ct_assets.dicom.edition import SignOff
from ct_assets.dicom.report_validator import validate_reports
from ct_assets.dicom.series import CtSeries
from ct_assets.dicom.validators import Validation
from ct_assets.dicom.written import PlannedObject, write_objects
from ct_assets.dicom_sr.features import plan_features_sr
from ct_assets.dicom_sr.landmarks import plan_landmarks_sr
from ct_assets.dicom_sr.regions import plan_regions_sr
from ct_assets.dicom_sr.reports import EXPERT_PROVENANCE
from ct_assets.dicom_sr.segments import SegmentReference, model_segments
from ct_assets.organs import EXPERT
from ct_assets.provenance import Provenance
from ct_assets.store.tables import LANDMARKS, SHAPE_FEATURES
from tests.dicom_seg.examples import GEOMETRIES, TRACHEA, Example, demo_provenance, make_example, write_ct

REPORTS = ("features", "landmarks", "regions")
SPECIAL = ("landmarks", "regions", "expert")
OUTSIDE = ("C1", "L5", "pelvis_start", "pelvis_end", "femur_end", "head_end", "eyes_end")


@dataclass(frozen=True)
class Annotated:
    """A series, its SEG, and what the reports say of it."""

    example: Example
    seg: Path
    features: pd.DataFrame
    landmarks: pd.DataFrame
    slice_regions: tuple[tuple[str, ...], ...]
    provenance: Provenance

    def plans(self, folder: Path, compatibility: Compatibility = "corrected") -> list[PlannedObject]:
        """Plan the three reports."""
        record, model = self.example.record, self.example.seg_record.provenance
        features, landmarks, regions = (folder / f"{name}.dcm" for name in REPORTS)
        segments = model_segments(self.seg, record, self.example.seg_record.label_map_digest)
        return [
            plan_features_sr(self.series, record, self.features, segments, model, features),
            plan_landmarks_sr(self.series, record, self.landmarks, self.provenance, landmarks, compatibility),
            plan_regions_sr(self.series, record, self.slice_regions, self.provenance, regions, compatibility),
        ]

    def series(self) -> CtSeries:
        return self.example.series

    def write(
        self,
        folder: Path,
        compatibility: Compatibility = "corrected",
        sign_offs: Mapping[str, SignOff] | None = None,
    ) -> dict[str, Path]:
        """Write the three reports, and their record beside them."""
        write_objects(self.plans(folder, compatibility), folder / "objects.json", sign_offs)
        return {name: folder / f"{name}.dcm" for name in REPORTS}


def _features(example: Example) -> pd.DataFrame:
    """Rows of every organ; the trachea is absent, and values span what DS can hold."""
    provenance = example.seg_record.provenance
    rows = [
        {
            "SeriesInstanceUID": example.record.series_instance_uid,
            "model": provenance.configuration,
            "label": label,
            "organ": organ.name,
            "feature": name,
            "value": None if label == TRACHEA else label / 3 * 10.0 ** (rank - 6),
            "unit": code.unit.value,
            "code": code.quantity.value,
            "components": 1,
            "at_border": [],
            "reason": "absent" if label == TRACHEA else None,
            "segmentation": example.seg_record.label_map_digest,
            "weights_digest": provenance.weights_digest,
            "software": "pyradiomics 3.0.1",
        }
        for label, organ in organ_codes().items()
        for rank, (name, code) in enumerate(feature_codes().items())
    ]
    other_model = [{**row, "model": "2d", "value": 1.0} for row in rows]
    return pd.DataFrame(other_model + rows)[list(SHAPE_FEATURES.columns)]


def _landmarks(example: Example) -> pd.DataFrame:
    """Rows of every landmark; several on one slice, one on the first and one on the last slice, some outside."""
    slices = example.record.slices
    inside = [name for name in landmark_codes() if name not in OUTSIDE]
    places = np.linspace(0, len(slices) - 1, len(inside)).astype(int)
    places[5:7] = places[5]
    at = dict(zip(inside, places.tolist(), strict=True))
    rows = [
        {
            "SeriesInstanceUID": example.record.series_instance_uid,
            "landmark": name,
            "code": code.site.value,
            "score": 1.0,
            "located": name in at,
            "position_mm": slices[at[name]].position_mm if name in at else None,
            "slice_index": at.get(name),
            "SOPInstanceUID": slices[at[name]].sop_instance_uid if name in at else None,
            "reason": None if name in at else "outside the scan",
        }
        for name, code in landmark_codes().items()
    ]
    return pd.DataFrame(rows)[list(LANDMARKS.columns)]


def annotate(example: Example, folder: Path) -> Annotated:
    """Make a SEG and tables of a series; its middle slices have two regions, the last ones none."""
    example.write(folder / "seg.dcm")
    slices = len(example.record.slices)
    regions = tuple(
        (("abdomen",) if 3 * k < slices else ())
        + (("chest",) if slices < 4 * k and 4 * k < 3 * slices else ())
        + (("shoulder-neck",) if k == slices // 2 else ())
        for k in range(slices)
    )
    provenance = demo_provenance(
        configuration="bpr",
        folds=(),
        tta=False,
        step_size=None,
        weights_digest="c" * 64,
        software="bpreg 1.1.0, torch 2.15.0",
    )
    return Annotated(example, folder / "seg.dcm", _features(example), _landmarks(example), regions, provenance)


@pytest.fixture(scope="session")
def annotated(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Annotated:
    """A real chest CT."""
    folder = tmp_path_factory.mktemp("annotated")
    files = sorted((shared_data / "real/chest_ct_64/dicom").glob("*.dcm"))
    return annotate(make_example(files, folder / "series"), folder)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Annotated:
    """A synthetic series of 12 oblique slices."""
    folder = tmp_path_factory.mktemp("small")
    files = write_ct(folder / "dicom", GEOMETRIES["oblique, non-square"])
    return annotate(make_example(files, folder / "series"), folder)


@pytest.fixture(scope="session")
def reports(annotated: Annotated, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The three reports of the real CT."""
    return annotated.write(tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="session")
def special_reports(small: Annotated, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What the three reports do not have: the expert's features, published codes, a sign-off, a predecessor."""
    folder = tmp_path_factory.mktemp("special")
    small.write(folder)
    changed = dataclasses.replace(small, landmarks=small.landmarks.iloc[:-3], slice_regions=small.slice_regions[::-1])
    plans = changed.plans(folder, "published")
    sign_off = SignOff(person="Doe^Jane", organization="Example Hospital", moment="20250102030405+0000")
    write_objects(plans, folder / "objects.json", {plan.content: sign_off for plan in plans})
    expert = expert_plan(small, folder / "expert.dcm")
    write_objects([expert], folder / "expert.json")
    return {"landmarks": folder / "landmarks.dcm", "regions": folder / "regions.dcm", "expert": folder / "expert.dcm"}


def expert_plan(annotated: Annotated, target: Path) -> PlannedObject:
    """Plan the report on an expert whose segments are those of the SEG, the heart being the fourth."""
    record = annotated.example.record
    seg = next(iter(model_segments(annotated.seg, record, "").values())).seg
    segments = {label: SegmentReference(seg, number, "e" * 64) for label, number in ((1, 1), (2, 4), (4, 2))}
    rows = annotated.features[annotated.features["model"] == "3d_fullres"]
    rows = rows.assign(model=EXPERT, weights_digest=None, segmentation="e" * 64)
    return plan_features_sr(annotated.series, record, rows, segments, EXPERT_PROVENANCE, target)


@pytest.fixture(scope="session")
def pixelmed(reports: dict[str, Path], special_reports: dict[str, Path]) -> dict[str, Validation]:
    """What DicomSRValidator says of all of them, in one JVM."""
    verdicts = dict(validate_reports([*reports.values(), *special_reports.values()]))
    return {
        **{name: verdicts[path] for name, path in reports.items()},
        **{f"special {name}": verdicts[path] for name, path in special_reports.items()},
    }
