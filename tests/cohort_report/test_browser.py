"""The cohort page at NLST's size in a real browser: figures drawn, features chosen, table sorted, points clicked."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page

from benchmarks.qc_cohort import SERIES, write_cohort
from ct_assets.cohort_report.report import make_report
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import SHAPE_FEATURES

FIGURES = ["4-dice", "4-hausdorff", "4-hd95_volumetric", "5-heart_sphericity", "6-organ_sphericity", "7-lung_ends"]
FIGURES += ["8-lung_extent", "9-regions"]
WAIT = 120_000
VIEWER = "https://viewer.imaging.datacommons.cancer.gov/viewer/"
POINT = """([area, trace, k]) => {
  const figure = document.getElementById(area);
  figure.scrollIntoView({block: "center", behavior: "instant"});
  const {xaxis, yaxis} = figure._fullLayout, data = figure.data[trace], box = figure.getBoundingClientRect();
  return [box.left + xaxis._offset + xaxis.l2p(data.x[k]), box.top + yaxis._offset + yaxis.l2p(data.y[k])];
}"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> CollectionFolder:
    collection, folder = write_cohort(tmp_path_factory.mktemp("cohort"), SERIES)
    make_report(collection, folder)
    return folder


@pytest.fixture(scope="module")
def page(store: CollectionFolder, browser: Browser) -> Iterator[Page]:
    problems: list[str] = []
    with browser.new_context(viewport={"width": 1400, "height": 1000}, offline=True) as context:
        opened = context.new_page()
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        opened.on("request", lambda request: problems.append(request.url) if "report.html" not in request.url else None)
        opened.add_init_script("window.opened = []; window.open = (...of) => { window.opened.push(of); return null; };")
        started = time.perf_counter()
        opened.goto(store.cohort.report.as_uri())
        opened.wait_for_selector("html[data-drawn]", state="attached", timeout=WAIT)
        print(f"\nopen to all figures drawn: {time.perf_counter() - started:.1f} s")  # noqa: T201
        yield opened
    assert problems == []


def timed(page: Page, what: str, action: Callable[[], Any]) -> None:
    """Print how long it takes until an action has changed the page and the page is painted again."""
    started = time.perf_counter()
    action()
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    print(f"{what}: {1000 * (time.perf_counter() - started):.0f} ms")  # noqa: T201


def boxes(page: Page, area: str) -> list[float]:
    found: list[float] = page.evaluate(
        "area => document.getElementById(area).data.filter(trace => trace.type === 'box').map(box => box.median[0])",
        area,
    )
    return found


def series_of(page: Page, area: str, trace: int, k: int) -> tuple[str, str]:
    study, series = page.evaluate(
        """([area, trace, k]) => {
          const place = document.getElementById(area).data[trace].customdata[k];
          const {series} = JSON.parse(document.getElementById("plots").textContent);
          return [series.study[place], series.series[place]];
        }""",
        [area, trace, k],
    )
    return study, series


def test_every_figure_is_drawn(page: Page) -> None:
    areas = page.eval_on_selector_all(".plot-area", "all => all.map(area => area.id)")
    assert areas == [*(f"figure-{name}" for name in FIGURES), "explorer-plot"]
    for area in areas:
        drawn = page.locator(f"#{area} .scatterlayer .point").count()
        values = page.evaluate(
            "area => document.getElementById(area).data.filter(trace => trace.type === 'scatter')"
            ".reduce((sum, trace) => sum + trace.y.length, 0)",
            area,
        )
        assert drawn == values > 0
        assert page.locator(f"#{area} .boxlayer path.box").count() == len(boxes(page, area))


def test_choosing_a_feature_draws_its_boxes(page: Page, store: CollectionFolder) -> None:
    values = SHAPE_FEATURES.read(store.cohort.shape_features)

    def medians(feature: str, **chosen: str) -> list[float]:
        rows = values[values["feature"] == feature]
        for column, value in chosen.items():
            rows = rows[rows[column] == value]
        column = "model" if "organ" in chosen else "organ"
        found = rows.groupby(column)["value"].median()
        order = ["2d", "3d_lowres", "3d_fullres", "expert"] if column == "model" else sorted(found.index)
        return [float(found[name]) for name in order]

    feature, view = page.locator("#explorer-feature"), page.locator("#explorer-view")
    assert boxes(page, "explorer-plot") == pytest.approx(medians("Sphericity", organ="heart"), rel=1e-4)
    timed(page, "choosing a feature", lambda: feature.select_option("MeshVolume"))
    assert boxes(page, "explorer-plot") == pytest.approx(medians("MeshVolume", organ="heart"), rel=1e-4)
    assert page.locator("#explorer-plot .ytitle").text_content() == "Volume of Mesh in mm\u00b3"
    timed(page, "choosing a model", lambda: view.select_option("model 3d_fullres"))
    expected = medians("MeshVolume", model="3d_fullres")
    assert boxes(page, "explorer-plot") == pytest.approx(expected, rel=1e-4)
    shown = page.locator("#explorer-quartiles tbody tr").all_text_contents()
    assert [row.split("1,039")[0] for row in shown] == ["aorta", "esophagus", "heart", "trachea"]
    assert feature.locator("option").count() == 14
    page.locator("#explorer-feature").select_option("Sphericity")
    view.select_option("organ heart")


def test_sorting_and_filtering(page: Page) -> None:
    rows = page.locator("#series-table tbody tr")
    assert rows.count() == SERIES
    first = rows.first.locator("td.patient").text_content()
    head = page.locator("#series-table thead th", has_text="Patient")
    timed(page, "sorting", lambda: head.locator("button").click())
    patients = page.eval_on_selector_all("#series-table td.patient", "all => all.map(cell => cell.textContent)")
    assert patients == sorted(patients)
    outside = page.locator("#series-table thead th", has_text="How far outside")
    outside.locator("button").click()
    assert outside.get_attribute("aria-sort") == "descending"
    assert rows.first.locator("td.patient").text_content() == first
    page.locator("#series-table thead th", has_text="Sphericity").locator("button").click()
    outcomes = page.eval_on_selector_all(
        "#series-table tbody tr", "(all, at) => all.map(row => row.cells[at].textContent.trim())",
        page.locator("#series-table thead th").all_text_contents().index("Sphericity"),
    )  # fmt: skip
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {"fail", "pass"}
    timed(page, "filtering", lambda: page.fill("#filter", "100221"))
    shown = page.locator("#series-table tbody tr:not([hidden])")
    assert set(shown.locator("td.patient").all_text_contents()) == {"100221"}
    assert page.locator("#filter-count").text_content() == f"{shown.count()} of 1,039 listed series"
    page.fill("#filter", "")
    assert page.locator("#filter-count").text_content() == "1,039 of 1,039 listed series"
    assert shown.count() == 150
    page.evaluate("document.querySelector('#series-table').parentElement.scrollTop = 1e6")
    page.wait_for_selector("#series-table tbody tr:nth-child(300):not([hidden])", state="attached", timeout=WAIT)


@pytest.mark.parametrize("area", ["figure-5-heart_sphericity", "explorer-plot"])
def test_a_click_opens_the_viewer_and_shift_click_the_series_page(page: Page, area: str) -> None:
    # The lowest point of the first group has nothing beside it that could be hit instead.
    lowest = page.evaluate(
        "area => { const y = document.getElementById(area).data[0].y; return y.indexOf(Math.min(...y)); }", area
    )
    study, series = series_of(page, area, 0, lowest)
    for key, address in (
        (None, f"{VIEWER}{study}?seriesInstanceUID={series}"),
        ("Shift", f"../series/{series}/qc.html"),
    ):
        page.evaluate("window.opened.length = 0")
        x, y = page.evaluate(POINT, [area, 0, lowest])
        page.mouse.move(x - 3, y)
        page.mouse.move(x, y)
        page.wait_for_selector(f"#{area} .hoverlayer .hovertext", timeout=WAIT)
        assert series in str(page.locator(f"#{area} .hoverlayer .hovertext").text_content())
        if key:
            page.keyboard.down(key)
        page.mouse.click(x, y)
        if key:
            page.keyboard.up(key)
        page.wait_for_timeout(400)  # a click waits for a second one
        assert page.evaluate("window.opened.map(of => of[0])") == [address]
        page.mouse.move(5, 5)


def test_the_published_table_as_the_command_draws_it(page: Page, tmp_path: Path, shared_data: Path) -> None:
    from click.testing import CliRunner

    from ct_assets.cli.main import main

    table, out = shared_data / "published" / "nlst_sphericity.csv", tmp_path / "report.html"
    assert CliRunner().invoke(main, ["report", str(table), "--collection", "nlst", "--out", str(out)]).exit_code == 0
    other = page.context.new_page()
    other.goto(out.as_uri())
    other.wait_for_selector("html[data-drawn]", state="attached", timeout=WAIT)
    expected = pd.read_csv(table).groupby("region")["Sphericity"].median()
    assert boxes(other, "figure-6-organ_sphericity") == expected.sort_index().tolist()
    other.close()
