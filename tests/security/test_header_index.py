"""The header index on folders of damaged files: a row for each, and the sound file as ever."""

import os
import shutil
import tracemalloc
import zlib
from pathlib import Path

import pyarrow as pa
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ct_assets.cohort_table.index.file_rows import pydicom_row, read_batch
from ct_assets.cohort_table.index.header_index import index_folder
from ct_assets.dicom.read import MOST_INFLATED_BYTES, OversizedDicomError, read_dicom
from ct_assets.store.tables import INSTANCES
from tests.cohort_table.cohorts import collection_of, selected
from tests.security.fuzzing import TOKENS, damaged_bytes, damaged_dataset, fuzz, quiet

MOST_ROW_MB = 64
LONGEST_PROBLEM = 2000


@pytest.fixture(scope="module")
def folder(tmp_path_factory, ct) -> Path:
    folder = tmp_path_factory.mktemp("folder")
    shutil.copy(ct.series.instances[1].path, folder / "sound.dcm")
    return folder


def _rows(folder: Path, names: list[str]) -> pa.Table:
    with quiet():
        return pa.Table.from_batches([read_batch(str(folder), INSTANCES.schema, names)])


@fuzz(100)
@given(data=st.data())
def test_any_bytes_become_a_row_and_leave_the_row_of_a_sound_file_alone(folder, contents, data):
    (folder / "noise.dcm").write_bytes(data.draw(st.binary(max_size=300)))
    (folder / "after_meta.dcm").write_bytes(contents[0][:360] + data.draw(st.binary(max_size=300)))
    rows = _rows(folder, ["noise.dcm", "after_meta.dcm", "sound.dcm"]).to_pylist()
    assert [row["file"] for row in rows] == ["noise.dcm", "after_meta.dcm", "sound.dcm"]
    assert rows[0]["problem"], "what is no DICOM is told"
    assert rows[2]["problem"] is None


@fuzz(200)
@given(data=st.data())
def test_a_damaged_file_becomes_a_row_that_a_table_can_hold(folder, contents, data):
    content = data.draw(st.sampled_from(contents))
    (folder / "bytes.dcm").write_bytes(damaged_bytes(data, content, TOKENS))
    (folder / "values.dcm").write_bytes(damaged_dataset(data, content))
    rows = _rows(folder, ["bytes.dcm", "values.dcm", "sound.dcm"])
    assert rows.schema.equals(INSTANCES.schema)
    assert rows["file"].to_pylist() == ["bytes.dcm", "values.dcm", "sound.dcm"]
    assert rows["problem"][2].as_py() is None
    for problem in rows["problem"].drop_null().to_pylist():
        assert len(problem.encode()) < LONGEST_PROBLEM


@fuzz(3)
@given(data=st.data())
def test_a_cohort_is_made_of_a_folder_of_damaged_files_and_what_is_sound_is_judged_as_without_them(
    tmp_path_factory, ct, contents, data
):
    folder = tmp_path_factory.mktemp("cohort")
    for number, instance in enumerate(ct.series.instances):
        shutil.copy(instance.path, folder / f"{number}.dcm")
    other = ct.series.instances[0].path.read_bytes().replace(ct.record.series_instance_uid.encode(), b"1." * 20 + b"1")
    for number in range(4):
        damaged = damaged_dataset if number % 2 else lambda data, content: damaged_bytes(data, content, TOKENS)
        (folder / f"damaged{number}.dcm").write_bytes(damaged(data, other))
    with quiet():
        instances = index_folder(folder, workers=1)
        cohort, _ = selected(instances, collection_of(minimum_slices=5))
    assert len(instances) == len(ct.series.instances) + 4
    assert ct.record.series_instance_uid in set(cohort["SeriesInstanceUID"])
    INSTANCES.write(instances, folder / "instances.parquet")


@fuzz(25)
@given(
    names=st.lists(
        st.binary(min_size=1, max_size=40).map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"_")),
        min_size=1, max_size=4, unique=True,
    ),
    kinds=st.lists(st.sampled_from(["file", "folder", "link", "circle", "broken", "pipe"]), min_size=4, max_size=4),
)  # fmt: skip
def test_odd_names_links_and_pipes_stop_nothing(tmp_path_factory, ct, names, kinds):
    folder = tmp_path_factory.mktemp("names")
    shutil.copy(ct.series.instances[1].path, folder / "sound.dcm")
    for name, kind in zip(names, kinds, strict=False):
        path = os.fsencode(folder) + b"/" + name
        if name in {b".", b".."} or os.path.lexists(path):
            continue
        match kind:
            case "file":
                shutil.copy(folder / "sound.dcm", path)
            case "folder":
                Path(os.fsdecode(path)).mkdir()
                shutil.copy(folder / "sound.dcm", path + b"/inside")
            case "link" | "circle" | "broken":
                Path(os.fsdecode(path)).symlink_to({"link": "sound.dcm", "circle": ".", "broken": "nowhere"}[kind])
            case "pipe":
                os.mkfifo(path)
    instances = index_folder(folder, workers=1)
    rows = {row["file"]: row for row in instances.to_pylist()}
    assert rows["sound.dcm"]["problem"] is None
    assert len(rows) == len(instances), "each file once"
    assert all(not name.startswith("/") and ".." not in Path(name).parts for name in rows)
    INSTANCES.write(instances, folder / "instances.parquet")


def _deflated(content: bytes, zeros: int) -> bytes:
    """A deflated file that unpacks to a data set with a private element of many zeros before its pixels."""
    at = content.index(b"\x08\x00", 144)
    meta = content[:at].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    meta = meta[:140] + (len(meta) - 144).to_bytes(4, "little") + meta[144:]
    meta = meta.replace(b"\x02\x00\x10\x00UI\x14\x00", b"\x02\x00\x10\x00UI\x16\x00")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = b"\x07\x00\x10\x10OB\0\0" + zeros.to_bytes(4, "little")
    piece = bytes(2**20)
    packed = [
        packer.compress(head),
        *(packer.compress(piece) for _ in range(zeros >> 20)),
        packer.compress(content[at:]),
    ]
    return meta + b"".join(packed) + packer.flush()


def test_a_file_that_unpacks_to_a_thousand_times_its_size_is_told_and_takes_no_memory(tmp_path, ct):
    content = ct.series.instances[1].path.read_bytes()
    small, bomb = tmp_path / "small.dcm", tmp_path / "bomb.dcm"
    small.write_bytes(_deflated(content, 2**20))
    assert pydicom.dcmread(small).SOPInstanceUID == ct.series.instances[1].sop_instance_uid
    assert pydicom_row(str(small))["problem"] is None
    bomb.write_bytes(_deflated(content, MOST_INFLATED_BYTES))
    assert bomb.stat().st_size < 2**20
    tracemalloc.start()
    try:
        row = pydicom_row(str(bomb))
        with pytest.raises(OversizedDicomError):
            read_dicom(bomb)
        assert tracemalloc.get_traced_memory()[1] < MOST_ROW_MB << 20
    finally:
        tracemalloc.stop()
    assert "is deflated and unpacks to more than 512 MiB" in row["problem"]


@pytest.mark.parametrize("ends", [True, False])
def test_sequences_nested_thousands_deep_are_a_row_with_a_problem(tmp_path, ct, ends):
    content = ct.series.instances[1].path.read_bytes()
    at = content.index(b"\x08\x00\x60\x00")
    head = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    tail = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    (tmp_path / "deep.dcm").write_bytes(content[:at] + head * 5000 + (tail * 5000 if ends else b"") + content[at:])
    assert "cannot be read" in _rows(tmp_path, ["deep.dcm"])["problem"][0].as_py()
