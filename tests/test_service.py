"""The service on the demo collection: a backfill by the dialog of the web UI, checks per partition, logs, pages."""

import ipaddress
import re
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser

from ct_assets.demo.collection import make_collection
from ct_assets.qc_report.rule import Rule
from ct_assets.step_name import STAGES
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import COHORT
from tests.planted_faults import planted_faults
from tests.service import Service, serve
from tests.service_graphql import tag, wait
from tests.service_processes import Seen, resident_models, watch


@pytest.fixture(scope="module")
def demo_home(model_home) -> Path:
    make_collection(model_home / "demo/dicom")
    return model_home


@pytest.fixture(scope="module")
def service(demo_home, tmp_path_factory):
    with serve(demo_home, tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def selected(service: Service, demo_home: Path) -> list[str]:
    """The registered partitions, after cohort_table was materialized as the UI does it."""
    service.materialize("cohort_table")
    cohort = COHORT.read(CollectionFolder(demo_home / "demo").cohort.cohort)
    assert len(cohort) == 9
    return list(cohort.loc[cohort["selected"], "SeriesInstanceUID"])


@pytest.fixture(scope="module")
def watched(
    service: Service, selected: list[str], browser: Browser, screenshots: Path
) -> tuple[list[dict[str, Any]], Seen]:
    """The runs of a backfill of all partitions, launched by clicks in the UI, and the processes seen meanwhile."""
    with watch(service.pid) as seen:
        with browser.new_context(viewport={"width": 1500, "height": 950}) as context:
            ui = context.new_page()
            ui.goto(f"{service.url}/locations/ct_assets/jobs/demo_series_annotate", timeout=120_000)
            ui.get_by_role("button", name="Materialize all").click(timeout=120_000)
            ui.get_by_role("button", name="All", exact=True).click(timeout=60_000)
            ui.get_by_text(f"{len(selected)} partitions", exact=True).first.wait_for(timeout=60_000)
            ui.screenshot(path=screenshots / "backfill_dialog.png")
            ui.get_by_role("button", name="Launch backfill").click(timeout=60_000)
            [backfill_id] = wait(120, bool, service.backfills)
        found = service.backfill(backfill_id)
    assert found["status"] == "COMPLETED_SUCCESS", found
    return list(found["runs"]), seen


@pytest.fixture(scope="module")
def backfill(watched: tuple[list[dict[str, Any]], Seen]) -> list[dict[str, Any]]:
    return watched[0]


@pytest.mark.timeout(1200)
def test_a_backfill_of_all_partitions_finishes_with_one_run_per_series(selected, backfill):
    assert sorted(tag(run, "dagster/partition") for run in backfill) == sorted(selected)
    assert len(selected) == 6
    assert {run["status"] for run in backfill} == {"SUCCESS"}


def test_the_partition_bar_is_green_after_it(service, browser, screenshots, selected, backfill):
    with browser.new_context(viewport={"width": 1500, "height": 950}) as context:
        ui = context.new_page()
        for asset in STAGES:
            ui.goto(f"{service.url}/assets/demo/{asset}?view=partitions", timeout=120_000)
            for shown in (f"Materialized ({len(selected)})", "Failed (0)", "Missing (0)", "Materializing (0)"):
                ui.get_by_text(shown).wait_for(timeout=60_000)
        ui.screenshot(path=screenshots / "partitions.png")
        ui.goto(f"{service.url}/locations/ct_assets/jobs/demo_series_annotate", timeout=120_000)
        filled = ui.get_by_text("100% filled")
        filled.first.wait_for(timeout=120_000)  # of the picture's seven assets, as many as it has room for
        assert ui.get_by_text("% filled").count() == filled.count()
        ui.screenshot(path=screenshots / "job.png")


def test_every_runs_log_names_its_series_at_every_stage(service, backfill):
    for run in backfill:
        uid = tag(run, "dagster/partition")
        events = service.events(run["runId"])
        messages = [event["message"] for event in events if event["__typename"] == "LogMessageEvent"]
        assert sum(message == f"series {uid}" for message in messages) == 7


def test_runs_import_no_torch_because_each_model_is_loaded_once_in_a_process_of_its_own(service, selected, watched):
    backfill, seen = watched
    assert {seen.commands[pid] for pid in seen.with_torch} == set(), "neither a run nor the servers map torch"
    for run in backfill:
        messages = service.messages(run["runId"])
        started = re.search(r"Started process for run \(pid: (\d+)\)", messages)
        assert started, messages
        assert int(started[1]) in seen.commands, "the process of the run was watched"
        assert "in a resident actor" in messages
        assert "loading NnunetModel" not in messages
    models = resident_models(service.ray_address, service.ray_token)
    assert sorted(key.partition("-")[0] for key in models) == ["BpregModel", *["NnunetModel"] * 3]
    assert len({state["pid"] for state in models.values()} - set(seen.commands)) == len(models)
    assert {(state["loads"], state["calls"]) for state in models.values()} == {(1, len(selected))}


def test_check_results_show_per_partition(service, selected, backfill):
    results = {}
    for asset in ("ct_nifti", "organ_seg", "bpr_json", "dicom_seg", "dicom_sr", "qc_report"):
        results.update(service.checks(asset))
    for name, statuses in results.items():
        judged = statuses["succeededPartitions"] + statuses["failedPartitions"]
        assert sorted(judged) == sorted(selected), (name, statuses)
    for name in ("fit", "geometry_matches_dicom", "seg_reads_back", "sr_reads_back", "z_ordering", "valid_z_spacing"):
        assert results[name]["failedPartitions"] == []


def test_the_planted_faults_show_and_nothing_else(service, demo_home, selected, backfill):
    """The shifted expert fails Dice; the short scan is not measurable; all other series pass every rule."""
    planted = planted_faults(demo_home, selected)
    checks = service.checks("qc_report")
    assert checks["dice"]["failedPartitions"] == [planted.misdrawn]
    failing = {name for name, statuses in checks.items() if statuses["failedPartitions"]}
    assert (len(checks), failing) == (9, {"dice", "hausdorff"})


@pytest.fixture(scope="module")
def report(service: Service, backfill: list[dict[str, Any]]) -> None:
    service.materialize("cohort_report", checks=tuple(str(rule) for rule in Rule))


def test_the_service_listens_on_loopback_but_for_ray_which_asks_for_a_token(service, backfill):
    """Ray listens on every address whatever it is told; only who can read the token is served."""
    open_to_others = {
        " ".join([process.name(), *process.cmdline()])
        for process in (psutil.Process(service.pid), *psutil.Process(service.pid).children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN and not ipaddress.ip_address(connection.laddr.ip).is_loopback
    }
    ours = [command for command in open_to_others if not re.search(r"^(gcs_server|raylet|ray::)|-m ray\.", command)]
    assert not ours
    assert service.ray_token.stat().st_mode & 0o777 == 0o600
    token = service.ray_token.read_bytes()
    assert len(token) == 64
    others = [file for file in service.ray_token.parent.rglob("*") if file.is_file() and file != service.ray_token]
    assert not [file for file in others if token in file.read_bytes()]
    assert resident_models(service.ray_address, service.ray_token)
    stranger = service.ray_token.with_name("another_token")
    stranger.write_text("0" * 64)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        resident_models(service.ray_address, stranger)
    assert "asks for another token" in refused.value.stderr


def test_a_reviewer_goes_from_a_failing_check_to_the_page_of_the_series(
    service, browser, screenshots, demo_home, selected, report
):
    """In the UI: which series fail and by how much, then the page that the metadata link."""
    shifted = planted_faults(demo_home, selected).misdrawn
    with browser.new_context(viewport={"width": 1500, "height": 950}) as context:
        ui = context.new_page()
        ui.goto(f"{service.url}/assets/demo/qc_report?view=checks&checkDetail=dice", timeout=120_000)
        ui.get_by_text("Latest execution").wait_for(timeout=60_000)
        ui.get_by_text("Partitions", exact=True).last.click()
        ui.get_by_text("Failed (1)").wait_for(timeout=60_000)
        ui.get_by_text(shifted[-6:]).first.click()
        ui.get_by_text("esophagus (3d_fullres)", exact=False).first.wait_for(timeout=60_000)
        ui.screenshot(path=screenshots / "check_of_a_series.png")
        with context.expect_page() as opened:
            ui.locator(f"a[href$='{shifted}/qc.html']").first.click()
        opened.value.get_by_role("heading", name="Planes through the heart").wait_for(timeout=60_000)
        opened.value.screenshot(path=screenshots / "series_page.png", full_page=True)
        ui.goto(f"{service.url}/assets/demo/cohort_report?view=checks&checkDetail=dice", timeout=120_000)
        ui.get_by_text("worst series 1").first.wait_for(timeout=60_000)
        ui.screenshot(path=screenshots / "check_of_the_cohort.png")
        assert ui.locator(f"a[href$='{shifted}/qc.html']").count()
    assert len(list(screenshots.glob("*.png"))) >= 3


def test_a_click_on_a_point_of_the_report_opens_the_page_of_the_series(
    service, browser, screenshots, demo_home, selected, report
):
    folder = CollectionFolder(demo_home / "demo")
    with browser.new_context(viewport={"width": 1500, "height": 1000}) as context:
        page = context.new_page()
        problems = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(folder.cohort.report.as_uri())
        page.wait_for_selector("html[data-drawn]", state="attached", timeout=120_000)
        page.screenshot(path=screenshots / "report.png", full_page=True)
        point = page.locator("#figure-4-dice .scatterlayer .point").first
        point.scroll_into_view_if_needed()
        box = point.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x - 3, y)
        page.mouse.move(x, y)
        page.wait_for_selector("#figure-4-dice .hoverlayer .hovertext", timeout=60_000)
        with context.expect_page() as opened:
            page.mouse.click(x, y)
        opened.value.get_by_role("heading", name="Planes through the heart").wait_for(timeout=60_000)
        assert opened.value.url in {folder.series(uid).qc_page.as_uri() for uid in selected}
    assert not problems
