"""The demo collection on Postgres, by the units' own commands; what viewers may do; two runs of one series."""

import urllib.request

import pytest

from ct_assets.step_name import STAGES
from tests.planted_faults import planted_faults
from tests.service_graphql import BACKFILL, tag


@pytest.mark.timeout(1200)
def test_a_backfill_of_the_demo_collection_ends_with_its_planted_faults_alone(installed, selected, quiet):
    assert quiet.found["status"] == "COMPLETED_SUCCESS", installed.server.tail()
    failed = [run["runId"] for run in quiet.found["runs"] if run["status"] != "SUCCESS"]
    assert not failed, "\n".join(installed.web.messages(run_id)[-3000:] for run_id in failed)
    assert sorted(tag(run, "dagster/partition") for run in quiet.found["runs"]) == sorted(selected)
    planted = planted_faults(installed.home, selected)
    failed = {
        name: statuses["failedPartitions"]
        for asset in STAGES
        for name, statuses in installed.web.checks(asset).items()
        if statuses["failedPartitions"]
    }
    assert failed == {"dice": [planted.misdrawn], "hausdorff": [planted.misdrawn]}


def test_no_unit_had_to_be_restarted(installed, quiet):
    assert {name: unit.starts for name, unit in installed.server.units.items()} == dict.fromkeys(
        installed.server.units, 1
    ), installed.server.tail()


def test_the_pages_of_the_results_are_served(installed, selected, quiet):
    url = f"{installed.server.environment['CT_ASSETS_PAGES_URL']}/demo/series/{selected[0]}/qc.html"
    with urllib.request.urlopen(url, timeout=30) as page:
        assert "Planes through the heart" in page.read().decode()


def test_viewers_see_the_runs_and_can_launch_none(installed, selected, quiet):
    run_id = quiet.found["runs"][0]["runId"]
    assert installed.viewers.run(run_id)["status"] == "SUCCESS"
    assert installed.viewers.launch("ct_nifti", uid=selected[0])["__typename"] == "UnauthorizedError"
    refused = installed.viewers.graphql(BACKFILL, keys=[{"path": ["demo", "ct_nifti"]}], partitions=selected)
    assert refused["launchPartitionBackfill"]["__typename"] == "UnauthorizedError"


def test_two_runs_of_one_series_go_one_after_the_other(installed, selected):
    launched = [installed.web.launch("ct_nifti", uid=selected[0])["run"]["runId"] for _ in range(2)]
    runs = sorted((installed.web.finished(run_id) for run_id in launched), key=lambda run: run["startTime"])
    assert [run["status"] for run in runs] == ["SUCCESS", "SUCCESS"]
    assert runs[0]["endTime"] <= runs[1]["startTime"]
