"""The code location as Dagster sees it, and the rules of the house."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.utils import make_new_run_id

from ct_assets.collection import Collection, load_collections
from ct_assets.definitions import collection_definitions, defs
from ct_assets.installation import resources
from ct_assets.partitions import COHORT_ASSETS, Registered, Scope, register_series, scopes, shard_of

REPOSITORY = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
ASSETS = [
    "bpr_json", "cohort_report", "cohort_table", "ct_nifti", "dicom_seg", "dicom_sr", "organ_seg", "qc_report",
    "shape_features", "sr_validation",
]  # fmt: skip


@pytest.fixture
def sharded() -> Collection:
    demo = next(collection for collection in load_collections() if collection.name == "demo")
    return demo.model_copy(update={"name": "big", "shards": 3})


def test_the_workspace_validates(tmp_path):
    result = subprocess.run(
        [str(BIN / "dagster"), "definitions", "validate", "-w", "workspace.yaml"],
        cwd=REPOSITORY,
        env={**os.environ, "DAGSTER_HOME": str(REPOSITORY), "CT_ASSETS_STATE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Validation successful for code location ct_assets" in result.stdout + result.stderr


def test_loading_the_definitions_imports_no_room():
    """Every run is a process that loads them first; these packages take up to 8 s of CPU."""
    rooms = ["torch", "nnunet", "bpreg", "ray", "pandas", "scipy", "pydicom", "highdicom", "nibabel", "ibis", "duckdb"]
    rooms += ["google.cloud", "plotly", "PIL", "jinja2"]
    code = f"import sys, ct_assets.definitions; print(sorted(set({rooms}) & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert result.stdout.strip() == "[]"


def test_the_import_rules_hold():
    result = subprocess.run(
        [str(BIN / "lint-imports")], cwd=REPOSITORY, capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert result.returncode == 0, result.stdout
    assert "3 kept, 0 broken" in result.stdout


def test_every_collection_has_the_whole_graph():
    graph = defs.resolve_asset_graph()
    for name in ("demo", "nlst", "nsclc_radiomics"):
        keys = sorted(key.path[-1] for key in graph.get_all_asset_keys() if key.path[0] == name)
        assert keys == ASSETS
        for key in graph.get_all_asset_keys():
            node = graph.get(key)
            assert node.group_name == key.path[0]
            assert node.is_partitioned == (key.path[-1] not in COHORT_ASSETS)


def test_the_chain_hangs_together():
    graph = defs.resolve_asset_graph()
    parents = {
        key.path[-1]: {parent.path[-1] for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
        if key.path[0] == "demo"
    }
    assert parents["ct_nifti"] == {"cohort_table"}
    assert parents["dicom_sr"] == {"dicom_seg", "shape_features", "bpr_json"}
    assert parents["sr_validation"] == {"dicom_sr"}
    assert parents["cohort_report"] == {"qc_report"}


def test_every_check_of_a_series_is_partitioned_like_its_asset():
    graph = defs.resolve_asset_graph()
    specs = [graph.get(key) for key in graph.asset_check_keys if key.asset_key.path[0] == "demo"]
    names = {spec.key.name for spec in specs}
    assert {"fit", "geometry_matches_dicom", "seg_reads_back", "sr_reads_back", "dice", "sphericity"} <= names
    assert {"seg_dciodvfy", "sr_dciodvfy", "reports_accepted"} <= names
    for spec in specs:
        partitioned = spec.key.asset_key.path[-1] not in COHORT_ASSETS
        assert (spec.partitions_def is not None) == partitioned, spec.key


def test_each_collection_has_a_sensor_and_a_schedule():
    assert {sensor.name for sensor in defs.sensors} >= {"demo_new_series", "nlst_new_release", "run_failure"}
    assert {schedule.name for schedule in defs.schedules} >= {"demo_series_missing", "nlst_series_missing"}


def test_shards_have_keys_and_partitions_of_their_own(sharded):
    graph = dg.Definitions.merge(
        collection_definitions(sharded), dg.Definitions(resources=resources())
    ).resolve_asset_graph()
    keys = {"/".join(key.path) for key in graph.get_all_asset_keys()}
    assert {"big/cohort_table", "big/0000/ct_nifti", "big/0002/qc_report"} <= keys
    assert len(keys) == len(COHORT_ASSETS) + 3 * 7
    assert len({scope.partitions.name for scope in scopes(sharded)}) == 3


def test_registering_makes_the_partitions_equal_to_the_selection(sharded):
    instance = dg.DagsterInstance.ephemeral()
    uids = [f"1.2.{number}" for number in range(60)]
    assert register_series(instance, sharded, uids) == Registered(added=60)
    assert register_series(instance, sharded, uids) == Registered()
    assert register_series(instance, sharded, uids[:-2]) == Registered(removed=2)
    for uid in uids[:-2]:
        name = Scope(sharded, shard_of(sharded, uid)).partitions.name
        assert name is not None
        assert instance.has_dynamic_partition(name, uid)


def test_registering_a_list_that_may_lack_series_removes_none(sharded):
    instance = dg.DagsterInstance.ephemeral()
    register_series(instance, sharded, ["1.2.1", "1.2.2"])
    assert register_series(instance, sharded, ["1.2.3"], remove=False) == Registered(added=1, kept=2)
    assert register_series(instance, sharded, ["1.2.3"]) == Registered(removed=2)


@pytest.mark.parametrize("status", ["QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"])
def test_a_partition_stays_while_a_run_of_it_is_unfinished(sharded, status):
    instance = dg.DagsterInstance.ephemeral()
    register_series(instance, sharded, ["1.2.1", "1.2.2"])
    run = dg.DagsterRun(
        job_name="chain",
        run_id=make_new_run_id(),
        status=dg.DagsterRunStatus[status],
        tags={"dagster/partition": "1.2.1"},
        remote_job_origin=RemoteJobOrigin(
            RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("ct_assets"), "repository"), "chain"
        ),
    )
    instance.add_run(run)
    assert register_series(instance, sharded, []) == Registered(removed=1, kept=1)
    instance.report_run_canceled(run)
    assert register_series(instance, sharded, []) == Registered(removed=1)
