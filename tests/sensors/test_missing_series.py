"""Schedule missing_series: the decision as pure functions, then on a real instance."""

import json
import os
from collections.abc import Callable

import dagster as dg
import pytest
from dagster._core.execution.asset_backfill import AssetBackfillData
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from ct_assets.definitions import collection_definitions
from ct_assets.installation import resources
from ct_assets.partitions import Scope, register_series
from ct_assets.series_states import SeriesState, series_states
from ct_assets.store.changed_series import ChangedSeries, read_changed_series
from ct_assets.store.paths import SeriesFolder
from resources.series_store import SeriesStore
from sensors.missing_series import missing_series_schedule, next_missing

UIDS = [f"1.2.{number}" for number in range(6)]
SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE


def choose(missing: str, working: str = "", counts: dict[str, int] | None = None, batch: int = 3) -> str:
    counts = counts or {}
    chosen = next_missing(missing, set(working), counts.keys(), lambda _: counts, attempts=3, batch=batch)
    return "".join(chosen)


def test_the_next_series_are_neither_worked_on_nor_hopeless_and_those_that_failed_come_last():
    assert choose("abcdefg", working="b") == "acd"
    assert choose("abc", counts={"a": 2, "b": 3}) == "ca"
    assert choose("abcdef", counts={"a": 1, "b": 1}) == "cde"
    assert choose("abc", working="ac", counts={"a": 1, "b": 1}) == "b"
    assert choose("") == ""


def test_no_more_is_looked_at_than_a_batch_needs():
    looked_at = []

    def missing():
        for uid in "abcdefgh":
            looked_at.append(uid)
            yield uid

    counted = []
    assert next_missing(missing(), {"a"}, {"b"}, counted.append, attempts=3, batch=2) == ["c", "d"]
    assert counted == [], "enough series have never failed"
    assert looked_at == list("abcd")


@pytest.fixture
def store(tmp_path) -> SeriesStore:
    return SeriesStore(root=str(tmp_path))


def _fill(folder: SeriesFolder, **record: object) -> SeriesFolder:
    """Give a series a ct.json and, if it is fit, a page."""
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.ct_record.write_text(json.dumps(record))
    if record.get("fit"):
        folder.qc_page.write_text("page")
    return folder


def _missing(store: SeriesStore, uids: list[str], materialized: set[str], selection: str = "today") -> list[str]:
    states = series_states(uids, store.collection("mine"), materialized, selection)
    return [uid for uid, state in states if state is SeriesState.UNFINISHED]


def test_a_series_of_which_more_has_arrived_is_missing(store):
    folder = _fill(store.series("mine", "1.2.0"), fit=True, slices=[{}] * 12)
    noted = store.collection("mine").cohort.changed_series
    assert _missing(store, ["1.2.0"], {"1.2.0"}) == []
    ChangedSeries(instances={"1.2.0": 40}).write(noted)
    assert _missing(store, ["1.2.0"], {"1.2.0"}) == ["1.2.0"]
    _fill(folder, fit=True, slices=[{}] * 40)
    os.utime(folder.ct_record, ns=(1, 1))
    assert _missing(store, ["1.2.0"], {"1.2.0"}) == []


def test_changes_of_a_series_are_noted_until_it_is_no_longer_selected(tmp_path):
    noted = ChangedSeries().after({}, {"a": 12, "b": 40})
    assert noted.instances == {}
    noted = noted.after({"a": 12, "b": 40}, {"a": 40, "b": 40})
    assert noted.instances == {"a": 40}
    noted = noted.after({"a": 40, "b": 40}, {"a": 40, "b": 40})
    noted.write(tmp_path / "changed_series.json")
    assert read_changed_series(tmp_path / "changed_series.json").instances == {"a": 40}
    assert noted.after({"a": 40, "b": 40}, {"b": 40}).instances == {}


def test_what_dagster_does_not_know_is_judged_by_its_files(store):
    _fill(store.series("mine", "1.2.0"), fit=True)
    _fill(store.series("mine", "1.2.1"), fit=False)
    store.series("mine", "1.2.2").path.mkdir(parents=True)
    damaged = store.series("mine", "1.2.3")
    damaged.path.mkdir()
    damaged.ct_record.write_text("{")
    assert _missing(store, UIDS, set()) == UIDS[2:]
    assert _missing(store, UIDS, set(UIDS)) == UIDS[4:], "what was materialized and has gone is missing"


def test_a_series_that_another_selection_found_unfit_is_missing(store):
    _fill(store.series("mine", "1.2.0"), fit=False, unfit_by_selection="yesterday")
    assert _missing(store, ["1.2.0"], set(), "today") == ["1.2.0"]
    assert _missing(store, ["1.2.0"], set(), "yesterday") == []


@pytest.fixture
def instance(scope, tmp_path) -> dg.DagsterInstance:
    (tmp_path / "dagster").mkdir()
    instance = dg.DagsterInstance.local_temp(str(tmp_path / "dagster"))
    register_series(instance, scope.collection, UIDS)
    return instance


@pytest.fixture
def tick(scope, store, instance) -> Callable[[], list[str] | str]:
    schedule = missing_series_schedule(scope)

    def tick() -> list[str] | str:
        with dg.build_schedule_context(instance=instance, resources={"series_store": store}) as context:
            requests = schedule(context)
        return [request.partition_key for request in requests] if isinstance(requests, list) else str(requests)

    return tick


def _run(instance: dg.DagsterInstance, scope: Scope, uid: str, status: dg.DagsterRunStatus) -> None:
    instance.add_run(dg.DagsterRun(job_name=scope.job.name, status=status, tags={"dagster/partition": uid}))


def test_the_schedule_asks_for_missing_series_and_never_for_unfit_ones(tick, store):
    _fill(store.series("mine", UIDS[0]), fit=True)
    _fill(store.series("mine", UIDS[1]), fit=False)
    assert tick() == UIDS[2:4]
    for uid in UIDS[2:]:
        _fill(store.series("mine", uid), fit=True)
    assert "no series is missing" in tick()


def test_a_series_that_fails_is_asked_for_again_and_then_left(tick, instance, scope):
    for uid in UIDS[2:]:
        _run(instance, scope, uid, dg.DagsterRunStatus.STARTED)
    asked = []
    for _ in range(3):
        asked.append(tick())
        _run(instance, scope, UIDS[0], FAILURE)
    assert asked == [UIDS[:2], UIDS[1::-1], UIDS[1::-1]], "what failed comes last"
    assert tick() == [UIDS[1]], "three failures: left to a person"
    _run(instance, scope, UIDS[0], SUCCESS)
    assert tick() == UIDS[:2], "a success, whatever it made, lets it be tried again"
    _run(instance, scope, UIDS[0], FAILURE)
    assert tick() == UIDS[1::-1]


def test_failures_of_another_collection_do_not_count(tick, instance, scope):
    for _ in range(5):
        instance.add_run(dg.DagsterRun(job_name="other", status=FAILURE, tags={"dagster/partition": UIDS[0]}))
    for uid in UIDS[1:]:
        _run(instance, scope, uid, dg.DagsterRunStatus.STARTED)
    assert tick() == [UIDS[0]]


def test_what_a_backfill_will_start_is_not_asked_for(tick, instance, scope, store):
    """A backfill once had 1,000 series to start, 25 at a time, and the schedule asked for those at its end."""
    definitions = dg.Definitions.merge(collection_definitions(scope.collection), dg.Definitions(resources=resources()))
    graph = definitions.resolve_asset_graph()
    keys = [scope.key(asset) for asset in ("ct_nifti", "qc_report")]
    data = AssetBackfillData.from_asset_partitions(
        partition_names=UIDS[:4], asset_graph=graph, asset_selection=keys, dynamic_partitions_store=instance,
        all_partitions=False, backfill_start_timestamp=0.0,
    )  # fmt: skip
    backfill = PartitionBackfill(
        backfill_id="one", status=BulkActionStatus.REQUESTED, from_failure=False, tags={}, backfill_timestamp=0.0,
        asset_selection=keys, serialized_asset_backfill_data=None, asset_backfill_data=data,
    )  # fmt: skip
    instance.add_backfill(backfill)
    assert tick() == UIDS[4:]
    instance.update_backfill(backfill.with_status(BulkActionStatus.COMPLETED_SUCCESS))
    assert tick() == UIDS[:2]
