"""QC tables made from the published sphericities."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ct_assets.cohort_report.distributions import distributions
from ct_assets.collection import Collection
from ct_assets.organs import EXPERT
from ct_assets.qc_report.judge import judged
from ct_assets.qc_report.limits import LimitsInForce
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import QC, SHAPE_FEATURES
from tests.review.small_store import AORTA, HEART, LUNG, add_series, write_qc


def collection_of(name: str, **changes: Any) -> Collection:
    content = {
        "name": name,
        "title": f"Published {name}",
        "source": {"kind": "idc", "collection_id": name, "mirror": "/nowhere"},
        "organ_segmentation": {"model": "segthor", "configurations": ["2d", "3d_lowres", "3d_fullres"]},
        "body_part_regression": {"model": "bpr_public"},
        "viewer_url": "https://viewer.example.org/{study}?series={series}",
    }
    return Collection.model_validate({**content, **changes})


def qc_from_published(file: Path, collection: Collection) -> pd.DataFrame:
    published = pd.read_csv(file, dtype={"PatientID": str})
    rows = pd.DataFrame(
        {
            "collection": collection.name,
            **{key: published[key] for key in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")},
            "model": published["SeriesDescription"].str.extract(r"^(2d|3d_lowres|3d_fullres)")[0].fillna(EXPERT),
            "subject": published["region"].str.lower(),
            "metric": "sphericity",
            "value": published["Sphericity"],
            "unit": "1",
            "explanation": "",
        }
    )
    for name in ("rule", "limits_from", "outcome"):
        rows[name] = ""
    rows["lower"] = rows["upper"] = float("nan")
    rows = rows[list(QC.columns)]
    cohort = distributions(rows, SHAPE_FEATURES.empty())
    return judged(rows, LimitsInForce(collection.qc, cohort), collection.qc.largest_region)


@pytest.fixture(scope="session")
def nsclc(shared_data: Path) -> tuple[Collection, pd.DataFrame]:
    collection = collection_of("nsclc_radiomics")
    return collection, qc_from_published(shared_data / "published" / "nsclc_radiomics_heart_sphericity.csv", collection)


@pytest.fixture(scope="session")
def nlst(shared_data: Path) -> tuple[Collection, pd.DataFrame]:
    collection = collection_of("nlst")
    return collection, qc_from_published(shared_data / "published" / "nlst_sphericity.csv", collection)


@pytest.fixture
def store(tmp_path: Path) -> CollectionFolder:
    """Series 1 fails twice, series 2 once and worst, series 3 not at all."""
    made = CollectionFolder(tmp_path / "demo")
    for number, failing in ((1, {HEART: 4.0, LUNG: 0.5}), (2, {AORTA: 13.0}), (3, {})):
        write_qc(add_series(made, number), number, failing)
    return made
