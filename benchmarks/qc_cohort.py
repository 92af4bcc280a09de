"""The cohort report at NLST's size: a synthetic QC table of 1,039 series, four organs and three models."""

import time

import numpy as np
import pandas as pd

from ct_assets.cohort_report.page import cohort_page
from ct_assets.collection import ORGANS, Collection
from ct_assets.qc_report.rules import judge
from ct_assets.store.tables import QC

SERIES = 1039
CONFIGURATIONS = ["2d", "3d_lowres", "3d_fullres"]


def cohort_report_at_scale() -> tuple[float, float]:
    """Render the report; return the wall-clock seconds it took and its size in MB."""
    collection = _collection()
    table = _qc_table(collection)
    started = time.perf_counter()
    page = cohort_page(collection, table)
    return time.perf_counter() - started, len(page.encode()) / 1e6


def _collection() -> Collection:
    return Collection.model_validate(
        {
            "name": "bench",
            "title": "Benchmark",
            "source": {"kind": "idc", "collection_id": "nlst", "mirror": "/nowhere"},
            "organ_segmentation": {"model": "segthor", "configurations": CONFIGURATIONS},
            "body_part_regression": {"model": "bpr_public"},
            "viewer_url": "https://viewer.example.org/{study}?series={series}",
        }
    )


def _qc_table(collection: Collection) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for number in range(SERIES):
        for organ in ORGANS.values():
            lower, upper = collection.qc.sphericity[organ]
            for model, value in zip(CONFIGURATIONS, rng.normal(0.7, 0.08, len(CONFIGURATIONS)), strict=True):
                rows.append(
                    {
                        "collection": collection.name,
                        "PatientID": f"{100000 + number}",
                        "StudyInstanceUID": f"1.2.826.0.1.3680043.8.498.1.{number}",
                        "SeriesInstanceUID": f"1.2.826.0.1.3680043.8.498.2.{number}",
                        "model": model,
                        "subject": organ,
                        "metric": "sphericity",
                        "value": value,
                        "unit": "1",
                        "explanation": "",
                        "lower": lower,
                        "upper": upper,
                        "rule": "sphericity",
                        "outcome": str(judge(value, lower, upper)),
                    }
                )
    return pd.DataFrame(rows)[list(QC.columns)]
