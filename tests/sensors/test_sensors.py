"""Sensor and schedule: the decisions as pure functions, then on a real instance."""

import json
import os
from pathlib import Path

import dagster as dg
import pytest

from ct_assets.collection import Collection
from ct_assets.partitions import Scope, register_series
from ct_assets.store.tables import COHORT
from resources.dicom_source import DicomSource
from resources.series_store import SeriesStore
from sensors.missing_series import MAXIMUM_ATTEMPTS, finished_series, missing_series_schedule, next_missing
from sensors.new_series import Cursor, fingerprint, list_files, new_series_sensor


@pytest.fixture
def scope(tmp_path) -> Scope:
    return Scope(
        Collection.model_validate(
            {
                "name": "mine",
                "title": "Mine",
                "demonstration": True,
                "source": {"kind": "folder", "path": str(tmp_path / "dicom")},
                "organ_segmentation": {"model": "demo"},
                "body_part_regression": {"model": "demo"},
                "schedule": {"batch": 2},
            }
        )
    )


def test_the_next_missing_series_are_neither_done_nor_in_flight_nor_hopeless():
    failures = {"d": MAXIMUM_ATTEMPTS, "e": MAXIMUM_ATTEMPTS - 1}
    assert next_missing("abcdefg", {"a"}, {"b"}, failures, batch=3) == ["c", "e", "f"]
    assert next_missing([], set(), set(), {}, batch=3) == []


def test_a_listing_has_one_fingerprint_in_any_order():
    entries = [("a", 1, 2), ("b", 3, 4)]
    assert fingerprint(entries) == fingerprint(entries[::-1])
    assert fingerprint(entries) != fingerprint([("a", 1, 2), ("b", 3, 5)])


@pytest.fixture
def tick(scope):
    sensor = new_series_sensor(scope)

    def tick(cursor: str | None):
        return sensor(dg.build_sensor_context(cursor=cursor, resources={"dicom_source": DicomSource()}))

    return tick


def test_the_sensor_asks_once_per_change(tick, tmp_path):
    missing = tick(None)
    assert isinstance(missing, dg.SkipReason)
    assert "does not exist; put the DICOM files there" in str(missing)
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom/a.dcm").write_text("a")
    first = tick(tick(None).cursor)
    assert len(first.run_requests) == 1
    still = tick(first.cursor)
    assert not still.run_requests
    assert "no change in" in still.skip_reason.skip_message
    (tmp_path / "dicom/b.dcm").write_text("b")
    second = tick(tick(first.cursor).cursor)
    assert len(second.run_requests) == 1
    (tmp_path / "dicom/b.dcm").unlink()
    back = tick(tick(second.cursor).cursor)
    assert back.cursor == first.cursor
    assert [request.run_key for request in back.run_requests] == [None], "an earlier state is asked for again"
    assert [name for name, _, _ in list_files(tmp_path / "dicom")] == ["a.dcm"]


def test_the_sensor_leaves_series_in_buckets_alone(scope, tmp_path):
    source = {"kind": "idc", "collection_id": "nlst", "mirror": str(tmp_path / "dicom")}
    remote = Collection.model_validate({**scope.collection.model_dump(), "source": source})
    (tmp_path / "dicom").mkdir()
    context = dg.build_sensor_context(resources={"dicom_source": DicomSource()})
    assert "fetched when they are asked for" in str(new_series_sensor(Scope(remote))(context))


def test_the_sensor_does_not_ask_in_the_middle_of_a_copy(tick, tmp_path):
    (tmp_path / "dicom").mkdir()
    cursor = None
    for number in range(4):
        (tmp_path / f"dicom/{number}.dcm").write_text("slice")
        result = tick(cursor)
        assert not result.run_requests
        assert "are still changing" in result.skip_reason.skip_message
        cursor = result.cursor
    assert len(tick(cursor).run_requests) == 1


def test_a_change_that_is_taken_back_before_it_was_asked_for_is_none(tick, tmp_path):
    (tmp_path / "dicom").mkdir()
    asked = tick(tick(None).cursor)
    (tmp_path / "dicom/a.dcm").write_text("a")
    changing = tick(asked.cursor)
    (tmp_path / "dicom/a.dcm").unlink()
    back = tick(changing.cursor)
    assert "no change in" in back.skip_reason.skip_message
    assert back.cursor == asked.cursor


@pytest.mark.parametrize("foreign", ["", "0123abcd" * 8, "[]", "7", '"text"', '{"seen": 1, "asked": [2]}', "{}"])
def test_a_foreign_cursor_is_as_if_nothing_had_been_seen(tick, tmp_path, foreign):
    (tmp_path / "dicom").mkdir()
    assert Cursor.parse(foreign) == Cursor()
    assert len(tick(tick(foreign).cursor).run_requests) == 1


def test_links_in_a_circle_and_folders_that_cannot_be_listed_do_not_stop_the_listing(tmp_path, monkeypatch):
    (tmp_path / "locked").mkdir()
    (tmp_path / "a.dcm").write_text("a")
    (tmp_path / "gone.dcm").symlink_to("nowhere")
    (tmp_path / "again").symlink_to(".")
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert sorted((name, size) for name, size, _ in list_files(tmp_path)) == [("a.dcm", 1), ("locked", -1)]


def _cohort(store: SeriesStore, instances: dict[str, int]) -> None:
    rows = COHORT.empty().reindex(range(len(instances)))
    rows["SeriesInstanceUID"], rows["instances"], rows["selected"] = list(instances), list(instances.values()), True
    COHORT.write(rows, store.collection("mine").cohort.cohort)


def test_a_series_of_which_more_has_arrived_is_not_finished(tmp_path):
    store = SeriesStore(root=str(tmp_path))
    folder, unfit, damaged = (store.series("mine", f"1.2.{number}") for number in range(3))
    for each in (folder, unfit, damaged):
        each.path.mkdir(parents=True)
    for each in (folder, damaged):
        each.qc_page.write_text("page")
    folder.ct_record.write_text(json.dumps({"fit": True, "slices": [{}] * 12}))
    unfit.ct_record.write_text(json.dumps({"fit": False, "slices": []}))
    damaged.ct_record.write_text("{")
    collection = store.collection("mine")
    assert "1.2.0" in finished_series(collection, "today"), "there is no cohort table to compare with"
    _cohort(store, {"1.2.0": 12, "1.2.1": 40})
    assert finished_series(collection, "today") >= {"1.2.0", "1.2.1"}
    _cohort(store, {"1.2.0": 40, "1.2.1": 40})
    assert "1.2.0" not in finished_series(collection, "today")
    folder.ct_record.write_text(json.dumps({"fit": True, "slices": [{}] * 40}))
    os.utime(folder.ct_record, ns=(1, 1))
    assert finished_series(collection, "today") >= {"1.2.0", "1.2.1"}


def test_a_series_that_another_selection_found_unfit_is_not_finished(tmp_path):
    store = SeriesStore(root=str(tmp_path))
    folder = store.series("mine", "1.2.0")
    folder.path.mkdir(parents=True)
    folder.ct_record.write_text(json.dumps({"fit": False, "unfit_by_selection": "yesterday"}))
    assert finished_series(store.collection("mine"), "today") == set()
    assert finished_series(store.collection("mine"), "yesterday") == {"1.2.0"}


def test_the_schedule_asks_for_missing_series_and_never_for_unfit_ones(scope, tmp_path):
    instance = dg.DagsterInstance.local_temp(str(tmp_path))
    uids = [f"1.2.{number}" for number in range(6)]
    register_series(instance, scope.collection, uids)
    store = SeriesStore(root=str(tmp_path))
    done, unfit = store.series("mine", uids[0]), store.series("mine", uids[1])
    for folder in (done, unfit):
        folder.path.mkdir(parents=True)
    done.qc_page.write_text("page")
    unfit.ct_record.write_text(json.dumps({"fit": False}))
    assert finished_series(store.collection("mine"), "today") == set(uids[:2])
    schedule = missing_series_schedule(scope)

    def requested():
        with dg.build_schedule_context(instance=instance, resources={"series_store": store}) as context:
            requests = schedule(context)
        return [request.partition_key for request in requests] if isinstance(requests, list) else str(requests)

    assert requested() == uids[2:4]
    for uid in uids[2:]:
        folder = store.series("mine", uid)
        folder.path.mkdir(parents=True)
        folder.qc_page.write_text("page")
    assert "no series is missing" in requested()
