"""The service on the demo collection: a backfill of all partitions through GraphQL, checks per partition, logs."""

import time
from pathlib import Path
from typing import Any

import pytest

from ct_assets.demo.collection import make_collection
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import COHORT, QC
from tests.service import Service, serve

LAUNCH_COHORT = """
mutation($key: [String!]!, $selector: String!) {
  launchPipelineExecution(executionParams: {
    selector: {repositoryLocationName: "ct_assets", repositoryName: "__repository__", pipelineName: $selector,
               assetSelection: [{path: $key}], assetCheckSelection: []}, mode: "default"}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}"""
RUN = """
query($id: ID!) { runOrError(runId: $id) { ... on Run { status tags { key value } } } }"""
BACKFILL = """
mutation($keys: [AssetKeyInput!]!, $partitions: [String!]!) {
  launchPartitionBackfill(backfillParams: {assetSelection: $keys, partitionNames: $partitions}) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}"""
BACKFILL_STATUS = """
query($id: String!) { partitionBackfillOrError(backfillId: $id) { __typename ... on PartitionBackfill {
  status runs { runId status tags { key value } } } } }"""
CHECKS = """
query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode { assetChecksOrError {
  ... on AssetChecks { checks { name partitionStatuses { __typename
    ... on AssetCheckDefaultPartitionStatuses { succeededPartitions failedPartitions executionFailedPartitions
      skippedPartitions inProgressPartitions } } } } } } } }"""
LOGS = """
query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events { __typename
  ... on MessageEvent { message } } } } }"""
FINISHED = {"SUCCESS", "FAILURE", "CANCELED"}


@pytest.fixture(scope="module")
def demo_home(model_home) -> Path:
    make_collection(model_home / "demo/dicom")
    return model_home


@pytest.fixture(scope="module")
def service(demo_home, tmp_path_factory):
    with serve(demo_home, tmp_path_factory.mktemp("service")) as running:
        yield running


def _await(seconds: float, done: Any, value: Any) -> Any:
    deadline = time.monotonic() + seconds
    while not done(found := value()):
        assert time.monotonic() < deadline, found
        time.sleep(2)
    return found


@pytest.fixture(scope="module")
def selected(service: Service, demo_home: Path) -> list[str]:
    """The registered partitions, after cohort_table was materialized as the UI does it."""
    launched = service.graphql(LAUNCH_COHORT, key=["demo", "cohort_table"], selector="__ASSET_JOB")
    run_id = launched["launchPipelineExecution"]["run"]["runId"]
    status = _await(
        180, lambda status: status in FINISHED, lambda: service.graphql(RUN, id=run_id)["runOrError"]["status"]
    )
    assert status == "SUCCESS"
    cohort = COHORT.read(CollectionFolder(demo_home / "demo").cohort.cohort)
    assert len(cohort) == 9
    return list(cohort.loc[cohort["selected"], "SeriesInstanceUID"])


@pytest.fixture(scope="module")
def backfill(service: Service, selected: list[str]) -> list[dict[str, Any]]:
    """The runs of a backfill of every asset of a series for all partitions."""
    names = ["ct_nifti", "organ_seg", "bpr_json", "shape_features", "dicom_seg", "dicom_sr", "qc_report"]
    launched = service.graphql(BACKFILL, keys=[{"path": ["demo", name]} for name in names], partitions=selected)
    backfill_id = launched["launchPartitionBackfill"]["backfillId"]
    found = _await(
        900,
        lambda found: found["status"].startswith("COMPLETED") or found["status"] == "FAILED",
        lambda: service.graphql(BACKFILL_STATUS, id=backfill_id)["partitionBackfillOrError"],
    )
    assert found["status"] == "COMPLETED_SUCCESS", found
    return list(found["runs"])


@pytest.mark.timeout(1200)
def test_a_backfill_of_all_partitions_finishes_with_one_run_per_series(selected, backfill):
    partitions = [tag["value"] for run in backfill for tag in run["tags"] if tag["key"] == "dagster/partition"]
    assert sorted(partitions) == sorted(selected)
    assert len(selected) == 6
    assert {run["status"] for run in backfill} == {"SUCCESS"}


def test_every_runs_log_names_its_series_at_every_stage(service, backfill):
    for run in backfill:
        uid = next(tag["value"] for tag in run["tags"] if tag["key"] == "dagster/partition")
        events = service.graphql(LOGS, id=run["runId"])["logsForRun"]["events"]
        messages = [event.get("message", "") for event in events if event["__typename"] == "LogMessageEvent"]
        assert sum(message == f"series {uid}" for message in messages) == 7


def test_runs_import_no_torch_because_the_models_are_resident(service, backfill):
    for run in backfill:
        events = service.graphql(LOGS, id=run["runId"])["logsForRun"]["events"]
        messages = " ".join(event.get("message", "") for event in events)
        assert "in a resident actor" in messages
        assert "loading NnunetModel" not in messages


def test_check_results_show_per_partition(service, selected, backfill):
    results = {}
    for asset in ("ct_nifti", "organ_seg", "bpr_json", "dicom_seg", "dicom_sr", "qc_report"):
        answer = service.graphql(CHECKS, key={"path": ["demo", asset]})
        for check in answer["assetNodeOrError"]["assetChecksOrError"]["checks"]:
            results[check["name"]] = check["partitionStatuses"]
    for name, statuses in results.items():
        judged = statuses["succeededPartitions"] + statuses["failedPartitions"]
        assert sorted(judged) == sorted(selected), (name, statuses)
    for name in ("fit", "geometry_matches_dicom", "seg_reads_back", "sr_reads_back", "z_ordering", "valid_z_spacing"):
        assert results[name]["failedPartitions"] == []


def test_the_planted_faults_show_and_nothing_else(service, demo_home, selected, backfill):
    """The shifted expert fails Dice; the short scan is not measurable; all other series pass every rule."""
    folder = CollectionFolder(demo_home / "demo")
    tables = {uid: QC.read(folder.series(uid).qc_table) for uid in selected}
    patients = {uid: table["PatientID"].iloc[0] for uid, table in tables.items()}
    failed = {patients[uid]: set(t.loc[t["outcome"] == "fail", "rule"]) for uid, t in tables.items()}
    assert sorted(failed.values(), key=len) == [set()] * 5 + [{"dice"}], failed
    not_measurable = [uid for uid, t in tables.items() if (t["outcome"] == "not measurable").any()]
    assert len(not_measurable) == 1
    [row] = tables[not_measurable[0]].query("outcome == 'not measurable'").to_dict("records")
    assert row["rule"] == "lung_extent"
    answer = service.graphql(CHECKS, key={"path": ["demo", "qc_report"]})
    checks = {
        check["name"]: check["partitionStatuses"]
        for check in answer["assetNodeOrError"]["assetChecksOrError"]["checks"]
    }
    shifted = [uid for uid in selected if failed[patients[uid]]]
    assert checks["dice"]["failedPartitions"] == shifted
    assert checks["lung_extent"]["failedPartitions"] == []
