"""Figures from the published sphericities, and box statistics against numpy and pandas."""

import numpy as np
import pandas as pd
import pytest

from ct_assets.cohort_report.box import box_statistics
from ct_assets.cohort_report.figures import DARK2, CohortFigure, paper_figures
from ct_assets.collection import Collection
from ct_assets.store.tables import QC

Published = tuple[Collection, pd.DataFrame]


def figure(published: Published, identifier: str) -> CohortFigure:
    collection, qc = published
    return next(entry for entry in paper_figures(qc, collection) if entry.identifier == identifier)


def test_heart_sphericity_has_the_published_medians(nsclc: Published) -> None:
    heart = figure(nsclc, "figure-5-heart_sphericity")
    table = heart.summary.set_index("group")
    expected = nsclc[1].groupby("model")["value"]
    assert table["n"].to_dict() == {"2d": 414, "3d_lowres": 414, "3d_fullres": 414, "manual": 122}
    for model, group in (("2d", "2d"), ("3d_lowres", "3d_lowres"), ("3d_fullres", "3d_fullres"), ("expert", "manual")):
        values = expected.get_group(model)
        assert table.loc[group, "median"] == values.median()
        assert table.loc[group, ["q1", "q3"]].tolist() == values.quantile([0.25, 0.75]).tolist()
    # facts/reference_pipeline.md, section 7
    assert table["median"].round(3).to_dict() == {"2d": 0.779, "3d_lowres": 0.784, "3d_fullres": 0.801, "manual": 0.701}


def test_organ_sphericity_has_the_published_medians(nlst: Published) -> None:
    table = figure(nlst, "figure-6-organ_sphericity").summary.set_index("group")
    assert table["n"].tolist() == [1039] * 4
    expected = nlst[1].groupby("subject")["value"].median()
    assert table["median"].to_dict() == expected.to_dict()
    assert table["median"].round(3).to_dict() == {"aorta": 0.499, "esophagus": 0.409, "heart": 0.801, "trachea": 0.495}


def test_figures_without_data_are_left_out(nlst: Published) -> None:
    figures = paper_figures(nlst[1], nlst[0])
    assert [entry.number for entry in figures] == [4, 4, 4, 5, 6, 7, 8, 9]
    assert [entry.number for entry in figures if entry.plot] == [5, 6]
    assert all(entry.plot is None for entry in paper_figures(QC.empty(), nlst[0]))


def test_points_carry_patient_series_and_page(nsclc: Published) -> None:
    plot = figure(nsclc, "figure-5-heart_sphericity").plot
    assert plot is not None
    points = [trace for trace in plot["data"] if trace["type"] == "scatter"]
    boxes = [trace for trace in plot["data"] if trace["type"] == "box"]
    assert [trace["marker"]["color"] for trace in points] == list(DARK2[:4])
    patient, series, page = points[0]["customdata"][0]
    assert patient.startswith("LUNG1-")
    assert page == f"../series/{series}/qc.html"
    assert len(points[0]["y"]) == len(points[0]["customdata"]) == 414
    assert boxes[0]["median"][0] == np.median(points[0]["y"])
    for place, trace in enumerate(points):
        assert place - 0.5 < min(trace["x"]) <= max(trace["x"]) < place


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_box_statistics(size: int) -> None:
    values = np.random.default_rng(size).normal(size=size)
    box = box_statistics(values)
    q1, q3 = np.percentile(values, [25, 75])
    assert (box.of.q1, box.of.median, box.of.q3) == pytest.approx((q1, np.median(values), q3))
    assert box.of.upper_fence - q3 == pytest.approx(1.5 * (q3 - q1))
    assert q1 - box.of.lower_fence == pytest.approx(1.5 * (q3 - q1))
    assert box.upper_whisker == values[values <= box.of.upper_fence].max()


def test_box_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        box_statistics([])


def test_outliers_are_those_of_the_fences(nsclc: Published) -> None:
    values = nsclc[1].loc[nsclc[1]["model"] == "2d", "value"]
    q1, q3 = np.percentile(values, [25, 75])
    expected = ((values < q1 - 1.5 * (q3 - q1)) | (values > q3 + 1.5 * (q3 - q1))).sum()
    table = figure(nsclc, "figure-5-heart_sphericity").summary.set_index("group")
    assert table.loc["2d", "outliers"] == expected > 0
