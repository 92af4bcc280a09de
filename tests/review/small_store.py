"""A store of small series with everything that can be judged: label maps' records, landmarks, regions, QC tables."""

import json
from typing import Any

import pandas as pd

from ct_assets.bpr_json.record import BodyPartRecord
from ct_assets.organ_seg.record import LabelMapRecord
from ct_assets.organs import ORGANS
from ct_assets.provenance import Provenance
from ct_assets.review.record import Opinion, record_verdict
from ct_assets.review.verdict import Decision
from ct_assets.store.paths import CollectionFolder, SeriesFolder
from ct_assets.store.tables import LANDMARKS, QC, REGIONS, SHAPE_FEATURES

MODELS = ("2d", "3d_fullres")
BODY_MODEL = "bpr_public"

HEART, AORTA, LUNG = (
    ("sphericity", "2d", "heart"),
    ("sphericity", "3d_fullres", "aorta"),
    ("lung_extent", BODY_MODEL, "lung"),
)


def uid(number: int) -> str:
    return f"1.2.826.0.1.{number}"


def add_series(store: CollectionFolder, number: int, models: tuple[str, ...] = MODELS) -> SeriesFolder:
    """Write what organ_seg, bpr_json, shape_features and qc_report would; every finding passes."""
    folder = store.series(uid(number))
    for model in models:
        write_label_map(folder, model, f"{number:064d}")
    write_body_part(folder)
    write_features(folder, models)
    write_qc(folder, number, {})
    return folder


def write_label_map(folder: SeriesFolder, model: str, digest: str, seconds: float = 1.0) -> None:
    LabelMapRecord(
        series_instance_uid=folder.series_instance_uid,
        source_digest="cd" * 32,
        label_map_digest=digest,
        provenance=_provenance(model),
        organs={},
        seconds=seconds,
    ).write(folder.label_map_record(model))


def write_body_part(
    folder: SeriesFolder, *, height: float = 10.0, score: float = 40.0, seconds: float = 1.0, chest: float = 0.8
) -> None:
    series = folder.series_instance_uid
    BodyPartRecord(
        series_instance_uid=series,
        source_digest="cd" * 32,
        provenance=_provenance("bpr", BODY_MODEL),
        landmark_rule="corrected",
        body_part_examined="CHEST",
        valid_z_spacing=True,
        reverse_z_ordering=False,
        slope_ratio=1.0,
        expected_z_spacing_mm=5.0,
        lung_extent_mm=250.0,
        slice_scores=(score, None, 60.0),
        slice_regions=(("abdomen",), ("chest",), ("chest",)),
        reason=None,
        seconds=seconds,
    ).write(folder.bpr_record)
    rows = [
        (series, "lung_start", "1", 40.0, True, height, 0, f"{series}.1", None),
        (series, "lung_end", "1", 60.0, True, height + 250, 2, f"{series}.3", None),
        (series, "L5", "1", 12.0, False, None, None, None, "beyond the scored slices"),
    ]
    landmarks = pd.DataFrame(rows, columns=list(LANDMARKS.columns)).astype({"slice_index": "Int64"})
    LANDMARKS.write(landmarks.astype({"position_mm": float}), folder.landmarks)
    regions = [(series, "abdomen", "1", 0, 0, 1, 1 - chest), (series, "chest", "1", 1, 2, 2, chest)]
    REGIONS.write(pd.DataFrame(regions, columns=list(REGIONS.columns)), folder.regions)


def write_features(folder: SeriesFolder, models: tuple[str, ...] = MODELS) -> None:
    uid = folder.series_instance_uid
    rows = [
        [uid, model, label, organ, "Sphericity", 0.5, "1", "QCFX", 1, [], None, "0" * 64, "0", "test"]
        for model in (*models, "expert")
        for label, organ in ORGANS.items()
    ]
    SHAPE_FEATURES.write(pd.DataFrame(rows, columns=list(SHAPE_FEATURES.columns)), folder.shape_features)


def write_qc(
    folder: SeriesFolder, number: int, failing: dict[tuple[str, str, str], float], models: tuple[str, ...] = MODELS
) -> None:
    """Write a QC table; values by rule, model and subject fail where the limits are 1 to 3."""
    rows = [("sphericity", model, organ) for model in models for organ in ORGANS.values()]
    rows += [("lung_extent", BODY_MODEL, "lung"), ("regions", BODY_MODEL, "chest")]
    rows += [("z_spacing", BODY_MODEL, "slice scores"), ("lung_ends", BODY_MODEL, "lung_start")]
    frame = pd.DataFrame(rows, columns=["rule", "model", "subject"])
    frame["value"] = [failing.get(row, 2.0) for row in rows]
    frame["outcome"] = ["fail" if row in failing else "pass" for row in rows]
    frame["metric"] = frame["rule"]
    constant: dict[str, Any] = {
        "collection": "demo",
        "PatientID": f"P{number}",
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": folder.series_instance_uid,
        "unit": "1",
        "lower": 1.0,
        "upper": 3.0,
        "limits_from": "the collection",
        "explanation": "",
    }
    QC.write(frame.assign(**constant)[list(QC.columns)], folder.qc_table)


def damage_reviews(store: CollectionFolder, series: str) -> str:
    """Cut the last verdict on a series in half, and return the name of its file."""
    path = sorted((store.reviews / series).glob("*.json"))[-1]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path.name


def written(store: CollectionFolder, series: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((store.reviews / series).glob("*.json"))]


def _provenance(configuration: str, name: str = "segthor") -> Provenance:
    return Provenance(
        name=name, configuration=configuration, weights_digest="ab" * 32, software="test 0", demonstration=False
    )


def say(store: CollectionFolder, verdict: str, number: int, model: str = "", subject: str = "") -> None:
    record_verdict(store, "demo", uid(number), Opinion(Decision(verdict), "Jane Doe", model, subject, "a comment"))
