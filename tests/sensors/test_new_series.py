"""Sensor new_series: the decision as pure functions, then on folders."""

import os
from pathlib import Path

import dagster as dg
import pytest

from resources.dicom_source import DicomSource
from sensors.new_series import Cursor, fingerprint, list_files, new_series_sensor


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
