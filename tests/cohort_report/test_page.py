"""The cohort page: contents, order, self-containment."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from ct_assets.cohort_report.compact import UnreadableTable
from ct_assets.cohort_report.page import SERIES_SHOWN, cohort_page
from ct_assets.cohort_report.rejected import RejectedRow
from ct_assets.collection import Collection
from ct_assets.store.tables import CHARACTERISTICS, COHORT, QC, SELECTION_FLOW, SHAPE_FEATURES

Published = tuple[Collection, pd.DataFrame]
PLOTLY = re.compile(r"<script>/\*\*\s*\* plotly\.js.*?</script>", re.DOTALL)


def without_plotly(html: str) -> str:
    return PLOTLY.sub("", html)


def cohort_rows(*rows: tuple[str, str, bool, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            ["x", patient, uid + ".1", uid, "Chest", "CT", 80, 3.0, 3.0, selected, True, [], [], reason, [], 1]
            for patient, uid, selected, reason in rows
        ],
        columns=list(COHORT.columns),
    )


@pytest.fixture(scope="module")
def page(nsclc: Published) -> str:
    return cohort_page(*nsclc)


def test_page_from_published_sphericity_alone(page: str, nsclc: Published) -> None:
    text = without_plotly(page)
    assert len(page) < 15_000_000
    assert text.count('<tr><td class="patient">') == 414
    for median in nsclc[1].groupby("model")["value"].median():
        assert f'<td class="n">{median:.4g}</td>' in text
    assert "10.1038/s41597-023-02864-y" in text
    assert "Left out, because no series has a value:" in text
    assert "demonstration" not in text


def test_page_loads_nothing(page: str) -> None:
    text = without_plotly(page)
    assert page.count("* plotly.js v") == 1
    assert len(text) < len(page) - 3_000_000
    for pattern in (r"\bsrc\s*=", r"@import", r"url\(", r"<link", r"<iframe"):
        assert not re.search(pattern, text)
    assert "default-src 'none'" in text


def test_failing_series_come_first(page: str) -> None:
    body = without_plotly(page).split('id="series-table"')[1].split("</tbody>")[0]
    chips = re.findall(r'class="chip (\w+)', body)
    failing = chips.count("fail")
    assert 0 < failing < len(chips)
    assert set(chips[:failing]) == {"fail"}
    assert "fail" not in chips[failing:]


def test_links_to_series_and_viewer(page: str, nsclc: Published) -> None:
    series = nsclc[1].iloc[0]
    assert f'href="../series/{series["SeriesInstanceUID"]}/qc.html"' in page
    assert f"https://viewer.example.org/{series['StudyInstanceUID']}?series={series['SeriesInstanceUID']}" in page


def test_plots_are_json(page: str) -> None:
    plots = json.loads(re.search(r'id="plots">(.*?)</script>', page, re.DOTALL).group(1))  # type: ignore[union-attr]
    assert list(plots["figures"]) == ["figure-5-heart_sphericity", "figure-6-organ_sphericity"]
    assert plots["links"] == {
        "viewer": "https://viewer.example.org/{study}?series={series}",
        "page": "../series/{series}/qc.html",
    }


def test_selection_exclusions_and_problems(nsclc: Published) -> None:
    collection, qc = nsclc
    first = qc["SeriesInstanceUID"].iloc[0]
    cohort = cohort_rows(
        ("LUNG1-001", first, True, ""),
        ("LUNG1-900", "1.2.900", False, "a slice is missing"),
        ("LUNG1-901", "1.2.901", True, ""),
        ("LUNG1-902", "1.2.902", True, ""),
    )
    flow = pd.DataFrame(
        [[0, "ct", "is CT", 1200, 0, 0], [1, "spacing", "has equal gaps", 900, 310, 7]],
        columns=list(SELECTION_FLOW.columns),
    )
    html = without_plotly(
        cohort_page(
            collection.model_copy(update={"demonstration": True}),
            qc[qc["SeriesInstanceUID"] == first],
            cohort=cohort,
            selection_flow=flow,
            unfit={"1.2.902": "dcm2niix made two volumes"},
            unreadable=[UnreadableTable(Path("/data/1.2.3/qc.parquet"), "cannot be read")],
            versions={"ct-assets": "0.1.0"},
        )
    )
    assert "demonstration model, not for real anatomy" in html
    series, excluded = html.split('id="series-table"')[1].split('id="selection"')
    assert "no QC yet" in series
    assert "1.2.901" in series
    assert "1.2.902" not in series.split("</table>")[0]
    assert "a slice is missing" in excluded
    assert "unfit: dcm2niix made two volumes" in excluded
    assert "width: 75.0%" in excluded
    assert '<td class="n">300</td>' in excluded
    assert '<td class="n">7</td>' in excluded
    assert "1.2.3/qc.parquet" in html
    assert "ct-assets 0.1.0" in html


def test_an_archive_of_excluded_series_is_cut_and_told(nsclc: Published) -> None:
    cohort = cohort_rows(*((f"P{number:06d}", f"1.2.{number}", False, "too short") for number in range(1500)))
    html = without_plotly(cohort_page(*nsclc, cohort=cohort))
    assert html.count("too short") == 1000
    assert "500 more are in cohort.parquet" in html


def test_empty_collection(nsclc: Published) -> None:
    html = without_plotly(cohort_page(nsclc[0], QC.empty()))
    assert "No series has been judged yet." in html
    assert "No series has been selected or judged yet." in html


def test_text_from_outside_is_escaped(nsclc: Published) -> None:
    collection, qc = nsclc
    hostile = qc.head(4).assign(PatientID="</script><img src=x onerror=alert(1)>")
    html = without_plotly(cohort_page(collection, hostile))
    assert "<img" not in html
    assert "&lt;img" in html


def test_table_one_and_what_reviewers_rejected(nsclc: Published) -> None:
    counts = pd.DataFrame(
        [["patients", 26_254, 571], ["series", 203_087, 1039], ["bytes", 11_300_000_000, 81_000_000_000]],
        columns=list(CHARACTERISTICS.columns),
    )
    rejected = RejectedRow(
        "LUNG1-001", "1.2.3", "3d_fullres", "aorta", "R. Viewer", datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "leaks <b>"
    )
    html = without_plotly(cohort_page(*nsclc, characteristics=counts, rejected=[rejected]))
    table = html.split('id="characteristics"')[1].split("</table>")[0]
    assert '<th>patients</th><td class="n">26,254</td><td class="n">571</td>' in table
    assert '<th>size</th><td class="n">11.3 GB</td><td class="n">81.0 GB</td>' in table
    section = html.split('id="rejected"')[1].split("</table>")[0]
    for text in ("3d_fullres", "aorta", "leaks &lt;b&gt;", "R. Viewer", "../series/1.2.3/qc.html", "2026-01-02 03:04"):
        assert text in section
    assert "Rejected by review" not in without_plotly(cohort_page(*nsclc))


def test_a_large_cohort_lists_the_worst_and_says_where_the_rest_is(nsclc: Published) -> None:
    collection, qc = nsclc
    row = qc[qc["outcome"] == "pass"].iloc[0]
    many = pd.DataFrame([row] * 3200).assign(
        SeriesInstanceUID=[f"1.2.{k}" for k in range(3200)], StudyInstanceUID=[f"1.3.{k}" for k in range(3200)],
        value=[row["value"] + 1e-5 * (k % 100) for k in range(3200)],
    )  # fmt: skip
    many.loc[many.index[-1:], "outcome"] = "pass"
    many = pd.concat([many, qc[qc["outcome"] == "fail"].assign(model=row["model"])])
    html = without_plotly(cohort_page(collection, many))
    series = many["SeriesInstanceUID"].nunique()
    assert html.count('<tr><td class="patient">') == SERIES_SHOWN
    assert f"The 2,000 worst of {series:,} series are listed; the rest is in cohort/qc.parquet." in html
    assert "every outlier and an evenly spaced sample of the rest are drawn" in html
    assert "every outlier" not in without_plotly(cohort_page(*nsclc))


def features(qc: pd.DataFrame) -> pd.DataFrame:
    """Return two features of the hearts of a QC table; the first series has no 2d."""
    rows = qc[["SeriesInstanceUID", "model", "value"]].rename(columns={"value": "Sphericity"})
    rows = rows.assign(MeshVolume=700_000 * rows["Sphericity"]).iloc[1:]
    long = rows.melt(["SeriesInstanceUID", "model"], var_name="feature", value_name="value")
    extra = {name: None for name in SHAPE_FEATURES.columns if name not in long}
    return long.assign(**{**extra, "organ": "heart", "label": 2})[list(SHAPE_FEATURES.columns)]


def test_the_explorer_ships_each_feature_aligned_with_one_list(nsclc: Published) -> None:
    collection, qc = nsclc
    html = without_plotly(cohort_page(collection, qc, features=features(qc)))
    content = json.loads(re.search(r'id="plots">(.*?)</script>', html, re.DOTALL).group(1))  # type: ignore[union-attr]
    explorer, series = content["explorer"], content["series"]["series"]
    assert [entry["name"] for entry in explorer["features"]] == ["MeshVolume", "Sphericity"]
    assert [entry["unit"] for entry in explorer["features"]] == ["mm\u00b3", ""]
    assert [entry["title"] for entry in explorer["models"]] == ["2d", "3d_lowres", "3d_fullres", "manual"]
    expected = qc.iloc[1:].set_index(["model", "SeriesInstanceUID"])["value"]
    for model in ("2d", "3d_lowres", "3d_fullres", "expert"):
        cell = explorer["cells"]["Sphericity"]["heart"][model]
        assert len(cell["values"]) == len(explorer["series"]) == 414
        found = {series[k]: v for k, v in zip(explorer["series"], cell["values"], strict=True) if v is not None}
        assert found == expected[model].to_dict()
        assert cell["n"] == len(found)
        assert cell["box"][2] == pytest.approx(expected[model].median(), rel=1e-5)
        assert (cell["limits"][0] is None) == (model == "expert")
    assert explorer["cells"]["MeshVolume"]["heart"]["2d"]["limits"] == [None, None]
    assert 'id="explorer-feature"' in html
    assert 'id="explorer-feature"' not in cohort_page(collection, qc)


def test_models_are_compared_where_there_is_an_expert(nsclc: Published) -> None:
    collection, qc = nsclc
    models = qc[qc["model"] != "expert"]
    dice = models.assign(metric="dice", rule="dice", value=models["value"] + 0.05)
    html = without_plotly(cohort_page(collection, pd.concat([qc, dice])))
    section = html.split('id="models"')[1].split('id="limits"')[0]
    assert "Best of 414" in section
    assert "2d against 3d_fullres" in section
    assert "&lt; 0.001" in section
    assert "Repeated-measures ANOVA over 414 series: F(2, 826)" in section
    assert 'id="models"' not in without_plotly(cohort_page(*nsclc))


def test_without_a_viewer_points_open_the_series_page(nsclc: Published) -> None:
    collection, qc = nsclc
    html = without_plotly(cohort_page(collection.model_copy(update={"viewer_url": "javascript:alert(1)"}), qc))
    assert '"viewer":null' in html
    assert "click to open its page" in html
    assert "shift-click" not in html.split("<script")[0]
    assert "javascript:" not in html


def test_a_series_rejected_as_a_whole_is_listed_apart(nsclc: Published) -> None:
    collection, qc = nsclc
    uid = "1.2.901"
    damaged = RejectedRow("", uid, "", "", "", None, "the history cannot be read")
    html = without_plotly(
        cohort_page(collection, qc, cohort=cohort_rows(("LUNG1-901", uid, True, "")), rejected=[damaged])
    )
    assert "<td>all</td><td>all</td><td>the history cannot be read</td>" in html.split('id="rejected"')[1]
    assert f'href="../series/{uid}/qc.html"' in html.split('id="rejected"')[1].split('id="series"')[0]
    assert uid not in html.split('id="series-table"')[1]
    assert "<b>1</b><span>rejected by review</span>" in html
    assert "no QC yet" not in html
