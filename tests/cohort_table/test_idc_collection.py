"""A collection of the Imaging Data Commons end to end, its buckets on loopback: preselect, fetch, decide, again."""

import json
import shutil
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from ct_assets.cli.main import main
from ct_assets.cohort_table.asset import cohort_table
from ct_assets.cohort_table.manifest import series_of_manifest
from ct_assets.ct_nifti.asset import ct_nifti
from ct_assets.ct_nifti.checks import ct_nifti_checks
from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.ct_nifti.source import source_files
from ct_assets.partitions import Scope
from ct_assets.run_history import reason_of
from ct_assets.settings import settings
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import COHORT
from resources.dicom_source import DicomSource
from resources.series_store import SeriesStore
from resources.warehouse import Warehouse
from tests.cohort_table import idc_archive
from tests.cohort_table.cohorts import collection_of
from tests.cohort_table.idc_archive import FIT, IRREGULAR, SEG, SHORT
from tests.resources import object_servers
from tests.resources.object_servers import Cloud, Relay

cloud, s3_server, gs_server = object_servers.cloud, object_servers.s3_server, object_servers.gs_server
archive = idc_archive.archive


@pytest.fixture
def scope(archive, tmp_path) -> Scope:
    source = {
        "kind": "idc", "collection_id": "mine", "mirror": str(tmp_path / "mirror"), "geometry_index": False,
        "bucket": "aws" if archive.scheme == "s3" else "gcs",
    }  # fmt: skip
    return Scope(collection_of(source, {"structures": {"heart": "Heart"}}, one_series_per_study=True))


def _resources(archive: Cloud, tmp_path: Path) -> dict[str, object]:
    endpoints = archive.endpoints
    return {
        "dicom_source": DicomSource(s3_endpoint=endpoints.s3, gcs_endpoint=endpoints.gs),
        "series_store": SeriesStore(root=str(tmp_path / "home")),
        "warehouse": Warehouse(),
    }


def _select(scope: Scope, instance: dg.DagsterInstance, resources: dict[str, object]) -> dict[str, object]:
    result = dg.materialize([cohort_table(scope)], instance=instance, resources=resources)
    (event,) = result.asset_materializations_for_node("mine__cohort_table")
    return {name: value.value for name, value in event.metadata.items()}


def _convert(scope: Scope, uid: str, instance: dg.DagsterInstance, resources: dict[str, object]):
    return dg.materialize(
        [ct_nifti(scope), *ct_nifti_checks(scope)],
        instance=instance,
        resources=resources,
        partition_key=uid,
        raise_on_error=False,
    )


def test_a_series_is_fetched_when_it_is_asked_for_and_decided_on_its_headers(scope, archive, tmp_path):
    instance, resources = dg.DagsterInstance.ephemeral(), _resources(archive, tmp_path)
    store = CollectionFolder(tmp_path / "home/mine")
    told = _select(scope, instance, resources)
    # The longest of the study is preselected: nobody knows yet that a slice is missing in it.
    assert (told["series_selected"], told["of_them_preselected"]) == (1, 1)
    assert instance.get_dynamic_partitions("mine_series") == [IRREGULAR]
    assert not (tmp_path / "mirror").exists()
    assert archive.relay.requests == []

    result = _convert(scope, IRREGULAR, instance, resources)
    checks = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert checks["fit"] is False
    record = read_ct_record(store.series(IRREGULAR).ct_record, require_fit=False)
    assert "slice spacing is irregular: gaps from 3 to 6 mm" in record.reasons[0]
    assert not store.series(IRREGULAR).ct_nifti.exists()

    told = _select(scope, instance, resources)
    assert f"**1 added**: {FIT}" in told["changes"]
    assert f"**1 removed**: {IRREGULAR}" in told["changes"]
    assert instance.get_dynamic_partitions("mine_series") == [FIT]
    cohort = COHORT.read(store.cohort.cohort).set_index("SeriesInstanceUID")
    assert cohort["decided"].to_dict() == {FIT: False, IRREGULAR: True, SHORT: False}
    assert list(cohort.loc[IRREGULAR, "failed_criteria"]) == ["regular_spacing"]
    assert cohort.loc[SHORT, "reason"] == "3 slices, fewer than 20"

    result = _convert(scope, FIT, instance, resources)
    assert result.success, result.get_asset_check_evaluations()
    assert read_ct_record(store.series(FIT).ct_record).fit
    told = _select(scope, instance, resources)
    assert (told["series_selected"], told["of_them_preselected"], told["changes"]) == (1, 0, "nothing")
    assert "1 series in the mirror" not in str(told["notes"])
    files = source_files(store, tmp_path / "mirror", FIT)
    assert len(files) == 30
    assert {file.parent.name for file in files} == {FIT}


@pytest.mark.parametrize("cloud", ["s3"], indirect=True)
def test_what_is_fetched_leaves_the_manifest_as_it_was_but_for_the_decision(scope, archive, tmp_path):
    instance, resources = dg.DagsterInstance.ephemeral(), _resources(archive, tmp_path)
    manifest = tmp_path / "home/mine/cohort/manifest.json"
    _select(scope, instance, resources)
    _convert(scope, IRREGULAR, instance, resources)
    _select(scope, instance, resources)
    (before,) = json.loads(manifest.read_text())["series"]
    _convert(scope, FIT, instance, resources)
    _select(scope, instance, resources)
    (after,) = json.loads(manifest.read_text())["series"]
    assert (before.pop("decided"), after.pop("decided")) == (False, True)
    assert [file["bytes"] > 0 for file in after.pop("files")] == [True] * 30
    assert after == before
    assert [expert["SeriesInstanceUID"] for expert in after["experts"]] == [SEG]
    assert (tmp_path / "mirror" / SEG / "seg.dcm").is_file()
    assert [series.series_instance_uid for series in series_of_manifest(manifest)] == [FIT, SEG]


@pytest.mark.parametrize("cloud", ["s3"], indirect=True)
@pytest.mark.parametrize("left", [12, 38])
def test_a_series_that_is_in_the_mirror_in_part_is_not_decided(scope, archive, tmp_path, left):
    instance, resources = dg.DagsterInstance.ephemeral(), _resources(archive, tmp_path)
    _select(scope, instance, resources)
    _convert(scope, IRREGULAR, instance, resources)
    mirror = tmp_path / "mirror"
    for file in sorted((mirror / IRREGULAR).iterdir())[left:]:
        file.unlink()
    (mirror / ".partial" / FIT).mkdir(parents=True)
    shutil.copy(next((mirror / IRREGULAR).iterdir()), mirror / ".partial" / FIT)
    (mirror / "1.2.3").mkdir()
    told = _select(scope, instance, resources)
    assert (told["series_selected"], told["of_them_preselected"]) == (1, 1)
    assert "1 series in the mirror are incomplete or of another version" in told["notes"]
    _convert(scope, IRREGULAR, instance, resources)
    assert len(list((mirror / IRREGULAR).iterdir())) == 39


@pytest.mark.parametrize("cloud", ["s3"], indirect=True)
def test_an_empty_mirror_is_as_good_as_none(scope, archive, tmp_path):
    (tmp_path / "mirror/1.2.3").mkdir(parents=True)
    assert _select(scope, dg.DagsterInstance.ephemeral(), _resources(archive, tmp_path))["series_selected"] == 1


@pytest.mark.parametrize("cloud", ["s3"], indirect=True)
def test_a_segmentation_that_cannot_be_fetched_stops_no_series(scope, archive, tmp_path):
    instance, resources = dg.DagsterInstance.ephemeral(), _resources(archive, tmp_path)
    _select(scope, instance, resources)
    content = json.loads((tmp_path / "home/mine/cohort/manifest.json").read_text())
    archive.server.delete(f"{content['series'][0]['experts'][0]['crdc_series_uuid']}/seg.dcm")
    _convert(scope, IRREGULAR, instance, resources)
    assert (tmp_path / "mirror" / IRREGULAR).is_dir()
    assert not (tmp_path / "mirror" / SEG).exists()


@pytest.mark.parametrize("cloud", ["s3"], indirect=True)
def test_annotate_fetches_what_it_needs(scope, archive, tmp_path, model_home):
    from ct_assets import run
    from resources.compute import Compute
    from resources.model_store import ModelStore

    resources = _resources(archive, tmp_path)
    provided = {**resources, "model_store": ModelStore(root=str(model_home / "models")), "compute": Compute()}
    collection = scope.collection.model_copy(
        update={"organ_segmentation": scope.collection.organ_segmentation.model_copy(update={"tta": False})}
    )
    instance = dg.DagsterInstance.ephemeral()
    first = run.annotate(collection, instance=instance, resources=provided)
    told = {series.series_instance_uid: series for series in first.series}
    assert told[IRREGULAR].status == "unfit"
    assert "slice spacing is irregular" in told[IRREGULAR].reason
    second = run.annotate(collection, instance=instance, resources=provided)
    told = {series.series_instance_uid: series for series in second.series}
    assert told[FIT].status == "annotated", told[FIT].reason
    assert second.unreadable.empty


@pytest.mark.parametrize("cloud", ["s3"], indirect=True)
def test_two_materializations_write_the_same_bytes(scope, archive, tmp_path):
    written = []
    for name in ("one", "two"):
        resources = {**_resources(archive, tmp_path), "series_store": SeriesStore(root=str(tmp_path / name))}
        _select(scope, dg.DagsterInstance.ephemeral(), resources)
        folder = tmp_path / name / "mine/cohort"
        written.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert written[0] == written[1]
    assert {"manifest.json", "manifest.s5cmd", "cohort.parquet", "remote_series.parquet"} <= set(written[0])


def test_a_series_that_cannot_be_fetched_fails_by_name_and_leaves_nothing(scope, archive, tmp_path):
    instance, resources = dg.DagsterInstance.ephemeral(), _resources(archive, tmp_path)
    _select(scope, instance, resources)
    archive.server.delete(f"{_folder_of(tmp_path)}/00000000-0000-0000-0000-000000000000.dcm")
    result = _convert(scope, IRREGULAR, instance, resources)
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure and "ct_nifti" in event.step_key]
    error = failure.step_failure_data.error
    while error.cause:
        error = error.cause
    assert IRREGULAR in error.message
    assert not (tmp_path / "mirror" / IRREGULAR).exists()


@pytest.mark.parametrize("cloud", ["s3"], indirect=True)
def test_a_bucket_that_cannot_be_reached_fails_the_series_and_serves_it_when_it_is_back(scope, archive, tmp_path):
    instance, resources = dg.DagsterInstance.ephemeral(), _resources(archive, tmp_path)
    _select(scope, instance, resources)
    archive.relay.stop()
    result = _convert(scope, IRREGULAR, instance, resources)
    reason = str(reason_of(result.all_events))
    assert IRREGULAR in reason
    assert f"no connection to {archive.relay.endpoint}" in reason
    assert instance.get_dynamic_partitions("mine_series") == [IRREGULAR]
    back = Relay(archive.server.endpoint)
    result = _convert(scope, IRREGULAR, instance, {**resources, "dicom_source": DicomSource(s3_endpoint=back.endpoint)})
    back.stop()
    assert "slice spacing is irregular" in str(result.get_asset_check_evaluations()[0].metadata["reasons"].value)
    assert (tmp_path / "mirror" / IRREGULAR).is_dir()


def test_the_manifest_brings_the_cohort_back(scope, archive, tmp_path, monkeypatch):
    _select(scope, dg.DagsterInstance.ephemeral(), _resources(archive, tmp_path))
    for name, endpoint in (("S3", archive.endpoints.s3), ("GCS", archive.endpoints.gs)):
        if endpoint:
            monkeypatch.setenv(f"CT_ASSETS_{name}_ENDPOINT", endpoint)
    settings.cache_clear()
    out = tmp_path / "again"
    arguments = ["fetch", str(tmp_path / "home/mine/cohort/manifest.json"), "--out", str(out)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "2 series fetched" in result.output, "the series and its expert's segmentation"
    assert len(list((out / IRREGULAR).iterdir())) == 39
    shutil.rmtree(out / IRREGULAR)
    assert CliRunner().invoke(main, [*arguments, "--series", "1.2.3"]).exit_code == 1
    assert CliRunner().invoke(main, arguments[:2]).exit_code == 2
    archive.server.delete(f"{_folder_of(tmp_path)}/00000000-0000-0000-0000-000000000000.dcm")
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 3
    assert f"series {IRREGULAR} (" in result.output
    settings.cache_clear()


def _folder_of(tmp_path: Path) -> str:
    lines = (tmp_path / "home/mine/cohort/manifest.s5cmd").read_text().splitlines()
    return lines[1].split("/")[3]
