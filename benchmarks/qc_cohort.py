"""Benchmark of the cohort report at NLST's size: 1,039 series, four organs, three models and an expert.

`make_report` reads the tables of every series, judges them by the fences of the cohort, and writes tables and page.
"""

import json
import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ct_assets.cohort_report.report import make_report
from ct_assets.collection import Collection
from ct_assets.ct_nifti.record import CtRecord, SliceRecord
from ct_assets.dicom.codes import feature_codes
from ct_assets.organs import EXPERT, ORGANS, Organ
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.table import Table
from ct_assets.store.tables import CHARACTERISTICS, COHORT, QC, SELECTION_FLOW, SHAPE_FEATURES

SERIES = 1039
SLICES = 148
MODELS = ("2d", "3d_lowres", "3d_fullres")

_PREFIX = "1.2.840.113654.2.55.2382949032412359032748374822"
_TYPICAL: dict[str, float] = {
    "Elongation": 0.7, "Flatness": 0.6, "LeastAxisLength": 71.0, "MajorAxisLength": 118.0, "Maximum3DDiameter": 143.0,
    "MeshVolume": 702_000.0, "MinorAxisLength": 92.0, "Sphericity": 0.8, "SurfaceArea": 48_000.0,
    "SurfaceVolumeRatio": 0.07, "VoxelVolume": 703_000.0, "Compactness1": 0.037, "Compactness2": 0.51,
    "SphericalDisproportion": 1.25,
}  # fmt: skip
_DIGEST = "0" * 64
_SIZE = {"esophagus": 0.05, "heart": 1.0, "trachea": 0.06, "aorta": 0.3}
_SPHERICITY = {"esophagus": 0.41, "heart": 0.8, "trachea": 0.495, "aorta": 0.5}
_DICE: dict[Organ, float] = {"heart": 0.89, "esophagus": 0.77}


def cohort_report_at_scale() -> tuple[float, float]:
    """Return the seconds of `make_report`, and the size of its page in MB."""
    with tempfile.TemporaryDirectory(prefix="bench-qc-cohort-") as scratch:
        collection, store = write_cohort(Path(scratch), SERIES)
        started = time.perf_counter()
        report = make_report(collection, store)
        seconds = time.perf_counter() - started
        assert report.qc["SeriesInstanceUID"].nunique() == SERIES
        return seconds, store.cohort.report.stat().st_size / 1e6


def write_cohort(folder: Path, series: int) -> tuple[Collection, CollectionFolder]:
    """Write the store of a cohort in which every table of every series is there, every twelfth with an expert.

    Parameters
    ----------
    folder : Path
        Empty folder.
    series : int
        How many.
    """
    collection = Collection.model_validate(
        {
            "name": "bench",
            "title": "A cohort of made-up values",
            "source": {"kind": "idc", "collection_id": "nlst", "mirror": str(folder / "dicom")},
            "organ_segmentation": {"model": "segthor", "configurations": MODELS},
            "body_part_regression": {"model": "bpr_public"},
            "expert": {"structures": {"heart": "Heart", "esophagus": "Esophagus"}, "lungs": ["Lung"]},
        }
    )
    store = CollectionFolder(folder / collection.name)
    random = np.random.default_rng(20240104)
    identities = [
        (f"{100_000 + number // 2}", f"{_PREFIX}1.{number}", f"{_PREFIX}2.{number}") for number in range(series)
    ]
    for number, (patient, study, uid) in enumerate(identities):
        models = (*MODELS, EXPERT) if number % 12 == 0 else MODELS
        target = store.series(uid)
        target.path.mkdir(parents=True)
        target.ct_record.write_text(_ct_record(patient, study, uid).model_dump_json())
        features = _features(uid, models, random)
        _write(SHAPE_FEATURES, features, target.shape_features)
        _write(QC, _qc(collection.name, (patient, study, uid), features, random), target.qc_table)
    _write_cohort_tables(collection.name, store, identities)
    return collection, store


def _write(table: Table, rows: pd.DataFrame, path: Path) -> None:
    """Write without the syncs of `Table.write`, of which thousands take a minute."""
    pq.write_table(pa.Table.from_pandas(rows, schema=table.schema, preserve_index=False), path, compression="zstd")


def _ct_record(patient: str, study: str, uid: str) -> CtRecord:
    slices = tuple(
        SliceRecord(sop_instance_uid=f"{uid}.{k}", file=f"{uid}/{k:04d}.dcm", position_mm=2.0 * k)
        for k in range(SLICES)
    )
    return CtRecord(
        patient_id=patient,
        study_instance_uid=study,
        series_instance_uid=uid,
        frame_of_reference_uid=f"{uid}.9999",
        fit=True,
        shape=(512, 512, SLICES),
        affine=((-0.7, 0, 0, 0), (0, -0.7, 0, 0), (0, 0, 2, 0), (0, 0, 0, 1)),
        spacing_mm=(0.7, 0.7, 2.0),
        slices=slices,
        source_digest="0" * 64,
        converter="dcm2niix",
    )


@lru_cache
def _typical(models: tuple[str, ...]) -> pd.DataFrame:
    """Return the rows of a series in which every organ is as organs typically are."""
    rows = []
    for model in models:
        for label, organ in ORGANS.items():
            for name, code in feature_codes().items():
                scale = _SIZE[organ] if name in {"MeshVolume", "VoxelVolume"} else 1.0
                value = _SPHERICITY[organ] if name == "Sphericity" else _TYPICAL[name] * scale
                unit, quantity = code.unit.value, code.quantity.value
                measured = ["", model, label, organ, name, value, unit, quantity]
                rows.append([*measured, 1, [], None, _DIGEST, _DIGEST, "pyradiomics 3.0.1"])
    return pd.DataFrame(rows, columns=list(SHAPE_FEATURES.columns))


def _features(uid: str, models: tuple[str, ...], random: np.random.Generator) -> pd.DataFrame:
    typical = _typical(models)
    return typical.assign(
        SeriesInstanceUID=uid, value=typical["value"] * (1 + 0.02 * random.standard_t(5, len(typical)))
    )


def _qc(
    collection: str, identity: tuple[str, str, str], features: pd.DataFrame, random: np.random.Generator
) -> pd.DataFrame:
    """Return rows of every metric, judged by nothing: make_report judges them."""
    found: list[tuple[str, float | None, str, str, str]] = []
    values = features.set_index(["model", "organ", "feature"])["value"].to_dict()
    models = features["model"].unique()
    for model in models:
        for organ in ORGANS.values():
            found.append(("sphericity", values[model, organ, "Sphericity"], "1", organ, model))
            found.append(("volume", values[model, organ, "VoxelVolume"] / 1000, "mL", organ, model))
            if model != EXPERT:
                found.append(("voxels", float(random.integers(1000, 900_000)), "{voxels}", organ, model))
    has_expert = EXPERT in models
    for model in MODELS:
        for organ, typical in _DICE.items():
            if not has_expert:
                found += [("dice", None, "1", organ, model), ("hd95_volumetric", None, "mm", organ, model)]
                continue
            dice, distance = 1 - (1 - typical) * random.lognormal(0, 0.3), 4 * random.lognormal(0, 0.5)
            found.append(("dice", max(float(dice), 0.0), "1", organ, model))
            for metric, factor in (("hausdorff", 4.0), ("hd95_volumetric", 1.0), ("hd95_surface", 1.9)):
                found.append((metric, float(distance * factor), "mm", organ, model))
    extent = None if random.random() < 0.37 else float(random.normal(274, 18))
    found.append(("lung_extent", extent, "mm", "lung", "bpr_public"))
    for end, spread in (("lung_start", 12.0), ("lung_end", 6.0)):
        value = float(random.exponential(spread)) if has_expert else None
        found.append(("expert_difference", value, "mm", end, "bpr_public"))
    for region, share in (("chest", 0.847), ("abdomen", 0.45), ("shoulder-neck", 0.148)):
        found.append(("region_ratio", float(random.normal(share, 0.05)), "1", region, "bpr_public"))
    found.append(("slope_ratio", float(random.normal(1, 0.05)), "1", "slice scores", "bpr_public"))
    rows = pd.DataFrame(found, columns=["metric", "value", "unit", "subject", "model"])
    missing = rows["value"].isna()
    keys = dict(zip(("PatientID", "StudyInstanceUID", "SeriesInstanceUID"), identity, strict=True))
    unseen = missing & (rows["metric"] == "lung_extent")
    outcome = np.where(unseen, "not measurable", np.where(missing, "not evaluated", ""))
    why = np.where(unseen, "lung_start not located", np.where(missing, "the series has no expert segmentation", ""))
    rows = rows.assign(
        collection=collection, **keys, rule="", lower=np.nan, upper=np.nan, limits_from="", outcome=outcome,
        explanation=why,
    )  # fmt: skip
    return rows[list(QC.columns)].astype({"value": float})


def _write_cohort_tables(name: str, store: CollectionFolder, identities: list[tuple[str, str, str]]) -> None:
    excluded = [(f"{900_000 + k}", f"{_PREFIX}3.{k}", f"{_PREFIX}4.{k}") for k in range(len(identities))]
    cohort = [
        [name, *identity, "Chest", "CT", SLICES, 2.0, 2.0, chosen, True, [] if chosen else ["minimum_slices"], [],
         "" if chosen else "has 40 slices, fewer than 101", [], SLICES * 526_000]
        for identities_of, chosen in ((identities, True), (excluded, False))
        for identity in identities_of
    ]  # fmt: skip
    COHORT.write(pd.DataFrame(cohort, columns=list(COHORT.columns)), store.cohort.cohort)
    flow = [
        [0, "ct", "is CT", 2 * len(identities), 0, 0],
        [1, "minimum_slices", "has at least 101 slices", len(identities), len(identities), 0],
    ]
    SELECTION_FLOW.write(pd.DataFrame(flow, columns=list(SELECTION_FLOW.columns)), store.cohort.selection_flow)
    counts = [[what, 2 * len(identities), len(identities)] for what in ("patients", "studies", "series")] + [
        ["bytes", 2 * len(identities) * SLICES * 526_000, len(identities) * SLICES * 526_000]
    ]
    CHARACTERISTICS.write(pd.DataFrame(counts, columns=list(CHARACTERISTICS.columns)), store.cohort.characteristics)


def main() -> None:
    """Print the figures; with a folder, keep the cohort there."""
    if len(sys.argv) > 1:
        make_report(*write_cohort(Path(sys.argv[1]), SERIES))
        return
    seconds, size = cohort_report_at_scale()
    print(json.dumps({"cohort_report_seconds": round(seconds, 2), "cohort_report_mb": round(size, 2)}))


if __name__ == "__main__":
    main()
