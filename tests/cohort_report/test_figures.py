"""Figures from the published sphericities, and box statistics against numpy and pandas."""

import numpy as np
import pandas as pd
import pytest

from ct_assets.cohort_report.box import POINTS_DRAWN, Group, box_content, box_statistics, drawn, numbers
from ct_assets.cohort_report.figures import DARK2, CohortFigure, paper_figures
from ct_assets.cohort_report.plots import plots
from ct_assets.cohort_report.series_index import SeriesIndex
from ct_assets.collection import Collection
from ct_assets.store.tables import QC

Published = tuple[Collection, pd.DataFrame]


def figure(published: Published, identifier: str) -> CohortFigure:
    collection, qc = published
    return next(entry for entry in paper_figures(qc, collection, SeriesIndex(qc)) if entry.identifier == identifier)


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
    figures = paper_figures(nlst[1], nlst[0], SeriesIndex(nlst[1]))
    assert [entry.number for entry in figures] == [4, 4, 4, 5, 6, 7, 8, 9]
    assert [entry.number for entry in figures if entry.groups] == [5, 6]
    empty = QC.empty()
    assert not any(entry.groups for entry in paper_figures(empty, nlst[0], SeriesIndex(empty)))


def test_points_name_their_series_by_its_place_in_one_list(nsclc: Published) -> None:
    collection, qc = nsclc
    index = SeriesIndex(qc)
    content = plots(
        paper_figures(qc, collection, index), None, index, viewer="https://x.org/{study}", series_pages=True
    )
    groups = content["figures"]["figure-5-heart_sphericity"]["groups"]
    assert [group["colour"] for group in groups] == list(DARK2[:4])
    assert [group["name"] for group in groups] == ["2d", "3d_lowres", "3d_fullres", "manual"]
    series = content["series"]
    assert len(series["series"]) == len(set(series["series"])) == 414
    expected = qc.set_index(["model", "SeriesInstanceUID"])
    for group, model in zip(groups, ("2d", "3d_lowres", "3d_fullres", "expert"), strict=True):
        assert group["n"] == len(group["values"]) == len(group["series"])
        for place, value in zip(group["series"], group["values"], strict=True):
            row = expected.loc[(model, series["series"][place])]
            assert (row["value"], row["PatientID"], row["StudyInstanceUID"]) == (
                value,
                series["patient"][place],
                series["study"][place],
            )
    limits = qc.loc[qc["model"] == "2d", ["lower", "upper"]].iloc[0].tolist()
    assert groups[0]["limits"] == pytest.approx(limits)
    assert groups[3]["limits"] == [None, None]


def test_a_limit_that_differs_by_series_is_not_drawn(nsclc: Published) -> None:
    collection, qc = nsclc
    ratios = qc.head(3).assign(metric="region_ratio", subject="chest", model="bpr", lower=[0.1, 0.2, 0.3])
    figures = paper_figures(ratios, collection, SeriesIndex(ratios))
    assert figures[-1].groups[0].limits == (None, None)
    assert "Dotted" not in figures[-1].caption


def test_a_large_group_draws_its_outliers_and_a_sample() -> None:
    values = np.random.default_rng(0).normal(size=20_000)
    group = Group("all", np.arange(20_000), values, "#000")
    shown = drawn(group)
    q1, q3 = np.percentile(values, [25, 75])
    outside = (values < q1 - 1.5 * (q3 - q1)) | (values > q3 + 1.5 * (q3 - q1))
    assert 50 < outside.sum() < 300
    assert len(shown) == POINTS_DRAWN
    assert set(np.flatnonzero(outside)) <= set(shown.series)
    assert np.array_equal(shown.values, values[shown.series])
    gaps = np.diff([place for place in shown.series if not outside[place]])
    assert gaps.max() < 2 * np.median(gaps)
    assert box_content(group)["box"][2] == pytest.approx(np.median(values), rel=1e-5)
    assert drawn(Group("few", np.arange(9), values[:9], "#000")).series.tolist() == list(range(9))


def test_numbers_are_short_and_missing_ones_null() -> None:
    assert numbers([0.123456789, 712345.6, float("nan"), 2.0, -1e-9]) == [0.123457, 712346, None, 2, -1e-9]
    assert numbers([712345.6], digits=5) == [712350]


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
