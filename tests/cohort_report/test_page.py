"""The cohort page: contents, order, self-containment."""

import json
import re
import time
from pathlib import Path

import pandas as pd
import pytest

from ct_assets.cohort_report.compact import UnreadableTable
from ct_assets.cohort_report.page import cohort_page
from ct_assets.collection import Collection
from ct_assets.store.tables import COHORT, QC, SELECTION_FLOW

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


def test_big_cohort_is_quick(nlst: Published) -> None:
    start = time.perf_counter()
    html = cohort_page(*nlst)
    assert time.perf_counter() - start < 30
    assert len(html) < 15_000_000
