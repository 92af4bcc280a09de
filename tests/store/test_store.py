import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ct_assets.store.atomic import atomic_path, write_json, write_text
from ct_assets.store.digest import combined_digest, json_digest
from ct_assets.store.paths import CollectionFolder, SeriesFolder
from ct_assets.store.table import DamagedTableError, Table
from ct_assets.store.tables import LANDMARKS, QC
from ct_assets.store.uid import InvalidUidError, checked_uid


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2", "2.25.329800735698586629295641978511506172918", "1.02.3", "1"])
def test_a_uid_passes(uid):
    assert checked_uid(uid) == uid


@pytest.mark.parametrize(
    "uid", ["", ".", "..", "1..2", "../1.2", "1.2/3", "1.2\n", "1.2.", ".1", "1.a", "1" * 65, "1.2\0", "٣.1"]
)
def test_what_is_no_uid_never_becomes_a_path(tmp_path, uid):
    with pytest.raises(InvalidUidError):
        CollectionFolder(tmp_path).series(uid)


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "a.txt"
    write_text(target, "old")

    def write() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            message = "power cut"
            raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="power cut"):
        write()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    target = tmp_path / "a.txt"
    write_text(target, "old")
    code = (
        "import os, signal, sys; from pathlib import Path; from ct_assets.store.atomic import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as path:\n path.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert killed.returncode == -9
    assert target.read_text() == "old"


def test_the_temporary_file_has_the_suffix_that_writers_choose_the_format_by(tmp_path):
    with atomic_path(tmp_path / "ct.nii.gz") as temporary:
        assert temporary.name.endswith(".nii.gz")
        assert temporary.parent == tmp_path
        temporary.touch()


def test_json_is_strict_and_versioned(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"schema_version": 1, "value": float("nan")})
    with pytest.raises(AssertionError):
        write_json(tmp_path / "a.json", {"value": 1})
    assert not list(tmp_path.iterdir())
    write_json(tmp_path / "a.json", {"schema_version": 1, "value": None})
    assert json.loads((tmp_path / "a.json").read_text())["value"] is None


def test_a_table_survives_the_round_trip_with_its_version(tmp_path):
    frame = LANDMARKS.empty()
    frame.loc[0] = ["1.2", "lung_end", "39607008", 71.5, True, -12.25, 3, "1.2.3", None]
    frame.loc[1] = ["1.2", "kidney", "64033007", 30.0, False, np.nan, None, None, "beyond the scored slices"]
    frame["slice_index"] = frame["slice_index"].astype("Int64")
    LANDMARKS.write(frame, tmp_path / "landmarks.parquet")
    read = LANDMARKS.read(tmp_path / "landmarks.parquet")
    assert read["position_mm"].tolist()[0] == -12.25
    assert pd.isna(read["slice_index"].iloc[1])
    assert read["reason"].iloc[1] == "beyond the scored slices"


def test_a_table_of_another_kind_or_version_is_refused(tmp_path):
    path = tmp_path / "landmarks.parquet"
    LANDMARKS.write(LANDMARKS.empty(), path)
    with pytest.raises(ValueError, match="is table landmarks version 1, expected qc"):
        QC.read(path)
    newer = Table("landmarks", 2, LANDMARKS.columns)
    with pytest.raises(ValueError, match="version 1, expected landmarks version 2"):
        newer.read(path)


def test_a_wrong_column_is_named(tmp_path):
    with pytest.raises(KeyError, match="landmarc"):
        LANDMARKS.write(LANDMARKS.empty().rename(columns={"landmark": "landmarc"}), tmp_path / "landmarks.parquet")


def test_digests_tell_apart_what_concatenation_would_not():
    assert combined_digest(["ab", "c"]) != combined_digest(["a", "bc"])
    assert json_digest({"a": 1, "b": 2}) == json_digest({"b": 2, "a": 1})


def test_series_folders_are_listed_by_uid(tmp_path):
    collection = CollectionFolder(tmp_path)
    assert collection.all_series() == []
    for uid in ("1.3", "1.2"):
        collection.series(uid).path.mkdir(parents=True)
    assert [folder.series_instance_uid for folder in collection.all_series()] == ["1.2", "1.3"]
    assert collection.series("1.2").seg("2d") == Path(tmp_path, "series", "1.2", "seg", "2d.dcm")


def test_what_was_signed_and_written_outlives_what_was_made(tmp_path):
    folder = SeriesFolder(tmp_path)
    history = [folder.ct_record, folder.sign_offs, folder.seg_objects, folder.sr_objects]
    made = [folder.ct_nifti, folder.seg("2d"), folder.landmarks_sr, folder.qc_table, folder.completion]
    for path in (*history, *made):
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    folder.remove_derived()
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(history)


def test_a_turned_bit_in_a_page_of_a_table_is_found(tmp_path):
    path = tmp_path / "regions.parquet"
    rows = pd.DataFrame({name: [f"{name} {number}" for number in range(300)] for name in "ab"})
    table = Table("some", 1, {"a": pa.string(), "b": pa.string()}, "bpr_json")
    table.write(rows, path)
    whole = path.read_bytes()
    first = pq.ParquetFile(path).metadata.row_group(0).column(0)
    for place in range(first.data_page_offset + 60, first.data_page_offset + first.total_compressed_size // 2, 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DamagedTableError, match=rf"^{path} is damaged \(.*\); materialize bpr_json again"):
            table.read(path)


def test_a_table_that_is_not_there_names_what_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"landmarks\.parquet is missing; materialize bpr_json first"):
        LANDMARKS.read(tmp_path / "landmarks.parquet")
