"""The command status on a collection in all states, with a real Dagster instance."""

import json
import time
from collections.abc import Iterator

import dagster as dg
import pytest
from click.testing import CliRunner

from ct_assets.cli.main import main
from ct_assets.collection import load_collection
from ct_assets.partitions import Scope, register_series
from ct_assets.settings import PROJECT_ROOT, settings
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import COHORT

UIDS = [f"1.2.{number}" for number in range(8)]
DONE, UNFIT, POISON, HOPELESS, RUNNING, QUEUED, *MISSING = UIDS


@pytest.fixture
def store(tmp_path, monkeypatch) -> Iterator[CollectionFolder]:
    """The demo collection with a series in each state."""
    monkeypatch.setenv("CT_ASSETS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CT_ASSETS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DAGSTER_HOME", str(PROJECT_ROOT))
    settings.cache_clear()
    yield CollectionFolder(tmp_path / "home" / "demo")
    settings.cache_clear()


def _fill(store: CollectionFolder, instance: dg.DagsterInstance) -> None:
    scope = Scope(load_collection(PROJECT_ROOT / "collections" / "demo.yaml"))
    register_series(instance, scope.collection, UIDS)
    for uid, record in ((DONE, {"fit": True}), (UNFIT, {"fit": False, "reasons": ["a gap of 9 mm"]})):
        store.series(uid).path.mkdir(parents=True)
        store.series(uid).ct_record.write_text(json.dumps(record))
    store.series(DONE).qc_page.write_text("a page of 18 bytes")
    for uid, times in ((POISON, 1), (HOPELESS, 3)):
        for _ in range(times):
            _fail(scope, instance, uid)
    for uid, status in ((RUNNING, dg.DagsterRunStatus.STARTED), (QUEUED, dg.DagsterRunStatus.NOT_STARTED)):
        instance.add_run(dg.DagsterRun(job_name=scope.job.name, status=status, tags={"dagster/partition": uid}))
    rows = COHORT.empty().reindex(range(3))
    rows["SeriesInstanceUID"], rows["selected"] = ["1", "2", "3"], [True, False, False]
    rows["failed_criteria"] = [[], ["spacing"], ["spacing", "thickness"]]
    COHORT.write(rows, store.cohort.cohort)


def _fail(scope: Scope, instance: dg.DagsterInstance, uid: str) -> None:
    """Run a job of the chain's name whose only stage fails with a reason that names the series."""

    @dg.op(name="demo__organ_seg")
    def organ_seg() -> None:
        try:
            raise OSError(5, "Input/output error")
        except OSError as error:
            message = f"{uid}: the label map cannot be written"
            raise RuntimeError(message) from error

    @dg.job(name=scope.job.name)
    def chain() -> None:
        organ_seg()

    result = chain.execute_in_process(instance=instance, tags={"dagster/partition": uid}, raise_on_error=False)
    assert not result.success


def status(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["status", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_before_anything_was_done_it_says_what_to_do(store):
    assert "materialize its cohort_table" in status()
    assert json.loads(status("--json")) == []


def test_every_series_counts_once(store, tmp_path):
    (tmp_path / "state").mkdir()
    with dg.DagsterInstance.get() as instance:
        _fill(store, instance)
    [told] = json.loads(status("demo", "--json"))
    assert (told["registered"], told["annotated"], told["missing"], told["queued"]) == (8, 1, 2, 1)
    assert told["running"] == [RUNNING]
    assert told["unfit"] == {"a gap of 9 mm": 1}
    assert told["excluded"] == {"spacing": 1, "spacing + thickness": 1}
    [failed] = told["failed"]
    assert failed["reason"] == {"stage": "organ_seg", "text": "RuntimeError: <series>: the label map cannot be written"}
    assert (sorted(failed["series"]), failed["left"]) == ([POISON, HOPELESS], 1)
    assert told["to_review"] is None
    assert told["disk"]["series"] == 2


def test_the_table_names_what_a_person_can_act_on(store, tmp_path):
    (tmp_path / "state").mkdir()
    with dg.DagsterInstance.get() as instance:
        _fill(store, instance)
    shown = status()
    assert (
        "organ_seg: RuntimeError: <series>: the label map cannot be written: 2 series (1 of them left to you" in shown
    )
    assert f"running: {RUNNING}" in shown
    assert "excluded by the selection: spacing 1, spacing + thickness 1" in shown
    assert "unfit, a gap of 9 mm: 1" in shown


def test_an_unknown_collection_is_refused(store):
    result = CliRunner().invoke(main, ["status", "nothing"])
    assert result.exit_code == 1
    assert "there is no collection nothing; there are: demo" in result.output


def test_the_seconds_of_a_stage_are_those_of_its_asset_and_its_checks(store, tmp_path):
    @dg.op(name="demo__ct_nifti")
    def asset() -> None:
        time.sleep(0.2)

    @dg.op(name="demo_ct_nifti_checks")
    def checks() -> None:
        time.sleep(0.1)

    @dg.job(name="demo_series_annotate")
    def chain() -> None:
        asset()
        checks()

    (tmp_path / "state").mkdir()
    with dg.DagsterInstance.get() as instance:
        register_series(instance, load_collection(PROJECT_ROOT / "collections" / "demo.yaml"), UIDS)
        chain.execute_in_process(instance=instance, tags={"dagster/partition": UIDS[0]})
    [told] = json.loads(status("demo", "--json"))
    assert told["seconds_per_stage"].keys() == {"ct_nifti"}
    assert told["seconds_per_stage"]["ct_nifti"] >= 0.3
