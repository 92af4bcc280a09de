"""`ct-assets prune` and `ct-assets restore`: what they say, and with which exit code."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from ct_assets.cli.main import main
from ct_assets.ct_nifti.record import CtRecord
from ct_assets.settings import settings
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import COHORT, SELECTION_FLOW
from tests.review.small_store import uid


@pytest.fixture
def home(tmp_path, monkeypatch) -> Iterator[Path]:
    """An installation that is new: no results, no state."""
    monkeypatch.setenv("CT_ASSETS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CT_ASSETS_STATE", str(tmp_path / "state"))
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


def _call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def _write_cohort(home: Path) -> CollectionFolder:
    store = CollectionFolder(home / "demo")
    row = {
        "collection": "demo", "PatientID": "P1", "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": uid(1),
        "SeriesDescription": "chest", "Modality": "CT", "instances": 3, "slice_spacing_mm": 1.0,
        "slice_thickness_mm": 1.0, "selected": True, "decided": True, "failed_criteria": [], "not_evaluated": [],
        "reason": "", "expert_files": [], "series_size": 10,
    }  # fmt: skip
    COHORT.write(pa.Table.from_pylist([row], schema=COHORT.schema), store.cohort.cohort)
    SELECTION_FLOW.write(SELECTION_FLOW.empty(), store.cohort.selection_flow)
    return store


@pytest.mark.parametrize("age", ["90", "0d", "-1d", "90 days", "1.5w"])
def test_what_is_no_age_is_refused(home, age):
    result = _call("prune", "--older-than", age)
    assert result.exit_code == 2
    assert "give days, such as 90d, or weeks, such as 12w" in result.output


def test_nothing_to_prune_is_no_error(home):
    result = _call("prune", "--older-than", "12w", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "Logs of 0 runs that ended more than 84 days ago would go" in result.output


def test_a_restored_cohort_has_its_partitions(home):
    _write_cohort(home)
    result = _call("restore")
    assert result.exit_code == 0, result.output
    assert "demo: 1 partitions, 1 materializations (cohort_table 1) and" in result.output
    with dg.DagsterInstance.get() as instance:
        assert instance.get_dynamic_partitions("demo_series") == [uid(1)]
    assert (
        "0 partitions, 0 materializations and 0 check outcomes restored; 1 materializations" in _call("restore").output
    )


def test_an_unfit_series_is_made_and_its_check_fails_so_that_nothing_is_asked_for(home):
    folder = _write_cohort(home).series(uid(1))
    CtRecord(
        patient_id="P1",
        study_instance_uid="1.2.3",
        series_instance_uid=uid(1),
        frame_of_reference_uid=None,
        fit=False,
        reasons=("slices are missing",),
        source_digest="ab",
        converter="dcm2niix",
    ).write(folder.ct_record)
    assert _call("restore", "demo").exit_code == 0
    key = dg.AssetKey(["demo", "ct_nifti"])
    checks = [dg.AssetCheckKey(key, name) for name in ("fit", "geometry_matches_dicom")]
    with dg.DagsterInstance.get() as instance:
        assert instance.get_materialized_partitions(key) == {uid(1)}
        found = instance.event_log_storage.get_asset_check_partition_info(checks)
        assert [info.latest_execution_status.value for info in found] == ["FAILED", "FAILED"]
        [latest] = instance.event_log_storage.get_latest_asset_check_execution_by_key(checks[:1]).values()
        assert "slices are missing" in str(latest.event)


def test_a_damaged_cohort_table_is_named_with_exit_code_3(home):
    path = _write_cohort(home).cohort.cohort
    path.write_bytes(path.read_bytes()[:-9])
    result = _call("restore", "demo")
    assert result.exit_code == 3
    assert str(path) in result.output
    assert "materialize cohort_table again" in result.output


def test_a_home_without_results_and_an_unknown_collection_are_refused(home):
    assert "no collection with results" in _call("restore").output
    result = _call("restore", "nothing")
    assert result.exit_code == 1
    assert "there is no collection nothing" in result.output
