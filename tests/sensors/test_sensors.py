"""Sensor and schedule: the decisions as pure functions, then on a real instance."""

import json

import dagster as dg
import pytest

from ct_assets.collection import Collection
from ct_assets.partitions import Scope, register_series
from resources.dicom_source import DicomSource
from resources.series_store import SeriesStore
from sensors.missing_series import MAXIMUM_ATTEMPTS, finished_series, missing_series_schedule, next_missing
from sensors.new_series import fingerprint, list_files, new_series_sensor


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


def test_the_sensor_asks_once_per_change(scope, tmp_path):
    sensor = new_series_sensor(scope)

    def tick(cursor):
        context = dg.build_sensor_context(cursor=cursor, resources={"dicom_source": DicomSource()})
        return sensor(context)

    missing = tick(None)
    assert isinstance(missing, dg.SkipReason)
    assert "does not exist; put the DICOM files there" in str(missing)
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom/a.dcm").write_text("a")
    first = tick(None)
    assert len(first.run_requests) == 1
    assert isinstance(tick(first.cursor), dg.SkipReason)
    (tmp_path / "dicom/b.dcm").write_text("b")
    second = tick(first.cursor)
    assert len(second.run_requests) == 1
    (tmp_path / "dicom/b.dcm").unlink()
    back = tick(second.cursor)
    assert back.cursor == first.cursor
    assert [request.run_key for request in back.run_requests] == [None], "an earlier state is asked for again"
    assert [name for name, _, _ in list_files(tmp_path / "dicom")] == ["a.dcm"]


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
    assert finished_series(store.collection("mine")) == set(uids[:2])
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
