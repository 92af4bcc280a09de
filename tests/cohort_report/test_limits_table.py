"""What the page says of the limits that judged a cohort."""

import numpy as np
import pandas as pd

from ct_assets.cohort_report.limits_table import LimitCell, limit_rows
from ct_assets.qc_report.judge import judged
from ct_assets.qc_report.limits import LimitsInForce
from ct_assets.qc_report.rule import Rule
from ct_assets.qc_settings import QualityControl
from ct_assets.store.tables import DISTRIBUTIONS, QC

MODELS = ["2d", "3d_fullres"]


def rows(*found: tuple[str, str, str, float | None, str]) -> pd.DataFrame:
    frame = pd.DataFrame([dict.fromkeys(QC.columns, "")] * len(found))
    for place, name in enumerate(("metric", "subject", "model", "value", "unit")):
        frame[name] = [entry[place] for entry in found]
    frame = frame.assign(SeriesInstanceUID="1.1", lower=np.nan, upper=np.nan).astype({"value": float})
    return judged(frame, LimitsInForce(QualityControl(), DISTRIBUTIONS.empty()), "chest")


def test_models_have_columns_and_shared_ranges_one_cell() -> None:
    table, notes = limit_rows(
        rows(
            *(("voxels", organ, model, 5.0, "{voxels}") for organ in ("heart", "aorta") for model in MODELS),
            ("dice", "heart", "2d", 0.5, "1"),
            ("dice", "heart", "3d_fullres", None, "1"),
            ("dice", "esophagus", "2d", 0.9, "1"),
            ("lung_extent", "lung", "bpr_public", 250.0, "mm"),
            ("region_ratio", "chest", "bpr_public", 0.8, "1"),
            ("region_ratio", "abdomen", "bpr_public", 0.4, "1"),
            ("volume", "heart", "expert", 700.0, "mL"),
        ),
        MODELS,
    )
    found = {(row.rule, row.subject): row for row in table}
    assert [row.rule for row in table] == sorted((row.rule for row in table), key=list(Rule).index)
    assert found[Rule.DICE, "heart"].cells == (LimitCell("\u2265 0.78", 1, 1, 2),)
    assert found[Rule.DICE, "esophagus"].cells == (LimitCell("\u2265 0.55", 1, 0), None)
    assert found[Rule.ORGAN_MISSING, "aorta, heart"].cells == (LimitCell("\u2265 1", 4, 0, 2),)
    lung = found[Rule.LUNG_EXTENT, "lung"]
    assert (lung.cells, lung.unit, lung.source) == (
        (LimitCell("217\u2013328", 1, 0, 2),),
        "mm",
        "the collection's settings",
    )
    assert found[Rule.REGIONS, "chest"].cells == (LimitCell("no other region has more slices", 1, 0, 2),)
    assert (Rule.VOLUME, "heart") not in found
    assert notes == []


def test_published_limits_carry_their_bias() -> None:
    table, notes = limit_rows(
        rows(
            ("sphericity", "heart", "2d", 0.75, "1"),
            ("sphericity", "heart", "3d_fullres", 0.75, "1"),
            ("sphericity", "aorta", "3d_fullres", 0.5, "1"),
            ("volume", "heart", "2d", 700.0, "mL"),
        ),
        MODELS,
    )
    by_source = {(row.subject, row.source): row.note for row in table if row.rule is Rule.SPHERICITY}
    assert by_source == {
        ("aorta", "published, NLST, n = 1,039"): 1,
        ("heart", "published, NLST, n = 1,039"): 1,
        ("heart", "published, NSCLC-Radiomics, n = 414"): 2,
    }
    assert notes[0].startswith("NLST: Drawn by a model and verified by nobody")
    assert notes[1].startswith("NSCLC-Radiomics: Drawn by a model: smoother")
    assert [row.source for row in table if row.rule is Rule.VOLUME] == [
        "plausible range, until the cohort is large enough"
    ]


def test_nothing_judged() -> None:
    assert limit_rows(QC.empty(), MODELS) == ([], [])
