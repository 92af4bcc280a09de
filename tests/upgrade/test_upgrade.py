"""Files of every earlier version are migrated, or named with what must be made again; nothing else is touched."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ct_assets.store.paths import CollectionFolder
from ct_assets.store.table import Table
from ct_assets.store.tables import INSTANCES
from ct_assets.upgrade.kinds import KINDS, Kind, StoredFile, stored_files
from ct_assets.upgrade.migrate import State, upgrade_file
from ct_assets.upgrade.report import Upgrade, upgrade_store
from ct_assets.upgrade.steps import STEPS, Step
from tests.review.small_store import add_series, damage_reviews, say, uid
from tests.upgrade.old_files import OLD_RECORDS, OLD_TABLES, UID, ct_rows, place_of, write_old

OLD = [*OLD_TABLES, *OLD_RECORDS]


@pytest.fixture
def store(tmp_path) -> CollectionFolder:
    return CollectionFolder(tmp_path / "demo")


def _upgrade(store: CollectionFolder, **options: bool) -> Upgrade:
    return upgrade_store(store, progress=lambda _done, _of_all: None, **options)


def test_every_version_that_ever_was_has_a_step_and_no_step_is_of_another():
    past = {(kind.name, version) for kind in KINDS for version in range(1, kind.version)}
    assert past == set(STEPS)
    assert past == set(OLD), "the tests have a file of each"


def test_no_two_kinds_have_one_name():
    assert len({kind.name for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize(("name", "version"), OLD)
def test_an_old_file_becomes_current_or_is_named_with_what_is_missing(store, name, version):
    path = write_old(store, name, version)
    before = path.read_bytes()
    [result] = _upgrade(store).results
    assert (result.file.path, result.version) == (path, version)
    if STEPS[name, version].migrate is None:
        assert result.state is State.NEEDS_COMPUTATION
        assert result.reason == STEPS[name, version].lost
        assert path.read_bytes() == before, "left as it was"
    else:
        assert result.state is State.MIGRATED
        assert [one.state for one in _upgrade(store).results] == [State.CURRENT]


def test_a_migrated_header_index_is_read_by_todays_code_and_says_all_that_it_did(store):
    path = write_old(store, "instances", 2, ct_rows(3))
    old = pq.read_table(path)
    assert _upgrade(store, dry_run=True).count(State.MIGRATED) == 1
    assert pq.read_table(path).equals(old), "a dry run writes nothing"
    assert _upgrade(store).count(State.MIGRATED) == 1
    new = INSTANCES.read_arrow(path)
    assert new["ReferencedSeriesInstanceUID"].to_pylist() == [None] * 3
    for column in set(old.column_names) - {"ReferencedSeriesInstanceUID"}:
        assert new[column].equals(old[column])
    assert new.schema.metadata[b"folder_digest"] == b"of a folder", "or every file would be read again"


@pytest.mark.parametrize("modality", ["SEG", "RTSTRUCT"])
def test_a_header_index_whose_references_are_not_all_in_it_is_made_again(store, modality):
    drawn = {
        "Modality": modality,
        "file": "drawn.dcm",
        "ReferencedSeriesInstanceUID": UID if modality == "SEG" else None,
    }
    path = write_old(store, "instances", 2, [*ct_rows(2), drawn])
    before = path.read_bytes()
    found = _upgrade(store)
    [remedy] = found.remedies()
    assert (remedy.asset, remedy.series, remedy.per_series) == ("cohort_table", (), False)
    assert "only in its header" in remedy.reasons[0]
    assert path.read_bytes() == before


def test_steps_are_taken_one_after_the_other_and_written_once(tmp_path):
    table = Table("lengths", 3, {"mm": pa.float64(), "axis": pa.string()})
    path = tmp_path / "lengths.parquet"
    schema = pa.schema([("cm", pa.float64())], metadata={"table": "lengths", "schema_version": "1"})
    pq.write_table(pa.table({"cm": [1.5]}, schema=schema), path)
    steps = {
        ("lengths", 1): Step(lambda rows: pa.table({"mm": [10 * value for value in rows["cm"].to_pylist()]})),
        ("lengths", 2): Step(lambda rows: rows.append_column("axis", pa.array(["z"] * len(rows)))),
    }
    file = StoredFile(path, Kind("lengths", 3, table), "measure")
    assert upgrade_file(file, steps=steps).state is State.MIGRATED
    assert table.read(path).to_dict("records") == [{"mm": 15.0, "axis": "z"}]


def test_files_of_today_are_current_and_stay_byte_for_byte(store):
    folder = add_series(store, 1)
    say(store, "accept", 1)
    before = {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()}
    found = _upgrade(store)
    assert found.count(State.CURRENT) == len(found.results) == 8
    assert {one.file.series_instance_uid for one in found.results} == {folder.series_instance_uid}
    assert {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()} == before


def test_a_file_of_a_newer_version_is_refused(store):
    folder = add_series(store, 1)
    rows = pq.read_table(folder.qc_table)
    pq.write_table(rows.replace_schema_metadata({"table": "qc", "schema_version": "99"}), folder.qc_table)
    record = json.loads(folder.bpr_record.read_text())
    folder.bpr_record.write_text(json.dumps({**record, "schema_version": 99, "more": 1}))
    found = _upgrade(store)
    assert {one.file.path for one in found.of(State.NEWER)} == {folder.qc_table, folder.bpr_record}
    assert all("version 99" in one.reason for one in found.of(State.NEWER))


@pytest.mark.parametrize("content", [b"", b"PAR1 half a file", b"{}", b"[1]", b'{"schema_version": "x"}', b"\xff\xfe"])
def test_a_damaged_file_is_named_and_left_and_the_others_are_migrated(store, content):
    write_old(store, "instances", 2, ct_rows(1))
    folder = add_series(store, 1)
    say(store, "accept", 1)
    damaged = [folder.qc_table, folder.bpr_record, store.reviews / uid(1) / damage_reviews(store, uid(1))]
    for path in damaged[:2]:
        path.write_bytes(content)
    found = _upgrade(store)
    assert {one.file.path for one in found.of(State.DAMAGED)} == set(damaged)
    assert all(one.reason for one in found.of(State.DAMAGED))
    assert found.count(State.MIGRATED) == 1
    assert damaged[0].read_bytes() == content


def test_what_a_killed_process_left_is_no_file_of_the_store(store):
    folder = add_series(store, 1)
    for path in (folder.label_map_record("2d"), folder.qc_table):
        (path.parent / f".0123.partial.{path.name}").write_text("half")
    assert all(not file.path.name.startswith(".") for file in stored_files(store))


def test_a_killed_upgrade_leaves_old_files_and_new_ones_and_the_next_goes_on(tmp_path):
    """Each of many stores is migrated by one call, which is killed after the first file is there."""
    stores = [CollectionFolder(tmp_path / f"store{k:03d}") for k in range(300)]
    for store in stores:
        write_old(store, "instances", 2, ct_rows(50))
    script = (
        "import sys; from pathlib import Path; from ct_assets.store.paths import CollectionFolder\n"
        "from ct_assets.upgrade.report import upgrade_store\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    upgrade_store(CollectionFolder(path), progress=lambda *_: None)\n"
        "    print(path, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, env=os.environ
    ) as call:
        assert call.stdout is not None
        assert call.stdout.readline()
        call.send_signal(signal.SIGKILL)
    versions = [pq.read_schema(place_of(store, "instances")).metadata[b"schema_version"] for store in stores]
    assert set(versions) == {b"2", b"3"}, "it was in the middle"
    for store in stores:
        _upgrade(store)
        assert len(INSTANCES.read(place_of(store, "instances"))) == 50


def test_remedies_name_each_asset_once_with_its_series_in_the_order_of_the_pipeline(store):
    for name, version in (("qc", 1), ("shape_features", 2), ("bpr_record.json", 1), ("cohort", 1)):
        write_old(store, name, version)
    remedies = _upgrade(store).remedies()
    assert [one.asset for one in remedies] == ["cohort_table", "bpr_json", "shape_features", "qc_report"]
    assert [one.series for one in remedies] == [(), (UID,), (UID,), (UID,)]


def test_every_file_that_a_store_holds_with_a_version_is_looked_at(store):
    """What is not in the list of places would be left behind silently."""
    properties = {"seg", "label_map"}
    places = {file.path for file in _candidates(store)}
    for folder in (store.series(UID), store.cohort):
        for name in dir(type(folder)):
            attribute = getattr(type(folder), name)
            if isinstance(attribute, property) and name not in properties:
                path = getattr(folder, name)
                if isinstance(path, Path) and path.suffix in {".parquet", ".json"}:
                    assert path in places, name


def _candidates(store: CollectionFolder) -> list[StoredFile]:
    for folder in (store.series(UID), store.cohort):
        for name in dir(type(folder)):
            path = getattr(folder, name) if isinstance(getattr(type(folder), name), property) else None
            if isinstance(path, Path) and path.suffix in {".parquet", ".json"}:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    return list(stored_files(store))
