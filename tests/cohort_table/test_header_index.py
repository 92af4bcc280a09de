"""Header index of folders: whatever lies in them, read again or taken over, by one process or several."""

import logging
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from ct_assets.cohort_table.index import file_rows, index_pool
from ct_assets.cohort_table.index.header_index import EmptySourceError, index_folder, unreadable_files
from ct_assets.cohort_table.index.kept import read_index, write_index
from ct_assets.store.tables import INSTANCES

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
SLICES = 6


def _write_series(folder: Path, uid: str, syntax: str = ExplicitVRLittleEndian) -> list[Path]:
    folder.mkdir(parents=True)
    files = []
    for number in range(SLICES):
        dataset = pydicom.Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.SOPClassUID, dataset.SOPInstanceUID = CT_IMAGE_STORAGE, f"{uid}.{number + 1}"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{uid}.0", uid
        dataset.PatientID, dataset.Modality, dataset.ImageType = "P", "CT", ["ORIGINAL", "PRIMARY"]
        dataset.ImagePositionPatient = ["-170.50", "0", f"{number}.0"]
        dataset.ImageOrientationPatient, dataset.PixelSpacing = [1, 0, 0, 0, 1, 0], ["1.50", "1.5"]
        dataset.SliceThickness = "2.0"
        dataset.Rows, dataset.Columns, dataset.SamplesPerPixel, dataset.BitsAllocated = 16, 12, 1, 16
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 15, 1
        dataset.PhotometricInterpretation, dataset.PixelData = "MONOCHROME2", bytes(384)
        files.append(folder / f"{number}.dcm")
        dataset.save_as(files[-1], enforce_file_format=True)
    return files


@pytest.fixture
def source(tmp_path) -> Path:
    """Two series of six slices, 1.2.1 in `a` and 1.2.2 in `b`."""
    _write_series(tmp_path / "source/a", "1.2.1")
    _write_series(tmp_path / "source/b", "1.2.2")
    return tmp_path / "source"


def _set_raw(path: Path, keyword: str, text: str) -> None:
    """Write a value as it stands, which pydicom itself would refuse."""
    dataset = pydicom.dcmread(path)
    tag = pydicom.tag.Tag(keyword)
    value = text.encode() + b" " * (len(text) % 2)
    vr = pydicom.datadict.dictionary_VR(tag)
    dataset._dict[tag] = pydicom.dataelem.RawDataElement(tag, vr, len(value), value, 0, False, True)
    dataset.save_as(path)


def _rows(instances: pa.Table) -> dict[str, dict[str, object]]:
    return {row["file"]: row for row in instances.to_pylist()}


def _bad(folder: Path) -> dict[str, str]:
    frame = unreadable_files(index_folder(folder))
    return dict(zip(frame["file"], frame["problem"], strict=True))


def test_values_are_those_of_the_header_decimals_as_they_are_written(source):
    file = source / "a/3.dcm"
    instances = index_folder(source)
    assert instances.schema.equals(INSTANCES.schema, check_metadata=True)
    assert instances["file"].to_pylist() == sorted(f"{folder}/{number}.dcm" for folder in "ab" for number in range(6))
    assert _rows(instances)["a/3.dcm"] == {
        "PatientID": "P",
        "StudyInstanceUID": "1.2.1.0",
        "SeriesInstanceUID": "1.2.1",
        "SOPInstanceUID": "1.2.1.4",
        "SOPClassUID": CT_IMAGE_STORAGE,
        "Modality": "CT",
        "SeriesDescription": None,
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "ImagePositionPatient": ["-170.50", "0", "3.0"],
        "ImageOrientationPatient": ["1.0", "0.0", "0.0", "0.0", "1.0", "0.0"],
        "PixelSpacing": ["1.50", "1.5"],
        "SliceThickness": "2.0",
        "Rows": 16,
        "Columns": 12,
        "NumberOfFrames": None,
        "FrameOfReferenceUID": None,
        "ReferencedSeriesInstanceUID": None,
        "instance_size": file.stat().st_size,
        "file": "a/3.dcm",
        "file_mtime_ns": file.stat().st_mtime_ns,
        "problem": None,
        "copy_of": None,
    }


@pytest.mark.filterwarnings("ignore:The value length:UserWarning", "ignore:Value:UserWarning")
@pytest.mark.parametrize("slow", [True, False])
@pytest.mark.parametrize(
    ("keyword", "text", "told"),
    [
        ("ImagePositionPatient", "1\\2", "has ImagePositionPatient with 2 values, not 3 finite numbers"),
        ("ImagePositionPatient", "1\\2\\nan", "has ImagePositionPatient with 3 values, not 3 finite numbers"),
        ("ImagePositionPatient", "1\\2\\1e999", "has ImagePositionPatient with 3 values, not 3 finite numbers"),
        ("ImagePositionPatient", "1\\2\\1_0", "has ImagePositionPatient with 3 values, not 3 finite numbers"),
        (
            "ImageOrientationPatient",
            "1\\0\\0\\0\\one\\0",
            "has ImageOrientationPatient with 6 values, not 6 finite numbers",
        ),
        ("PixelSpacing", "0\\1", "has PixelSpacing with 2 values, not 2 numbers above 0"),
        ("SliceThickness", "thin", "has SliceThickness with 1 value, not 1 finite number"),
        ("NumberOfFrames", "9" * 30, "has NumberOfFrames with 1 value, not 1 whole number"),
        ("NumberOfFrames", "-1", "has NumberOfFrames with 1 value, not 1 whole number"),
        ("PatientID", "A\\B", "has PatientID with 2 values, not 1"),
        ("Modality", "CT\\MR", "has Modality with 2 values, not 1"),
    ],
)
def test_a_value_that_does_not_fit_is_left_out_and_told(source, monkeypatch, keyword, text, told, slow):
    _set_raw(source / "a/3.dcm", keyword, text)
    if slow:
        monkeypatch.setattr(file_rows, "fast_row", lambda path: None)
    row = _rows(index_folder(source))["a/3.dcm"]
    assert row["problem"] == f"{told}; export it again from its source"
    assert row[keyword] is None
    assert row["SOPInstanceUID"] == "1.2.1.4"


@pytest.mark.parametrize(
    ("keyword", "text", "value"),
    [
        ("ImagePositionPatient", " 1.0 \\+2e1\\ -.5", ["1.0", "+2e1", "-.5"]),
        ("SliceThickness", "", None),
        ("SliceThickness", "  ", None),
        ("SeriesDescription", "lung\\B60", "lung\\B60"),
        ("ImageType", "DERIVED", ["DERIVED"]),
        ("NumberOfFrames", " 1", 1),
        ("PatientID", " 17 ", " 17"),
    ],
)
def test_padding_and_missing_values_are_no_problem(source, keyword, text, value):
    _set_raw(source / "a/3.dcm", keyword, text)
    row = _rows(index_folder(source))["a/3.dcm"]
    assert row["problem"] is None
    assert row[keyword] == value


def test_a_description_in_another_alphabet_is_read(source):
    file = source / "a/3.dcm"
    dataset = pydicom.dcmread(file)
    dataset.SpecificCharacterSet, dataset.SeriesDescription = "ISO_IR 192", "胸部 Schädel"
    dataset.save_as(file)
    assert _rows(index_folder(source))["a/3.dcm"]["SeriesDescription"] == "胸部 Schädel"


def test_the_series_an_object_refers_to_is_told(shared_data):
    instances = index_folder(shared_data / "real/dcmqi_examples/23x38x3").to_pylist()
    series = {
        row["SeriesInstanceUID"] for row in instances if row["Modality"] == "CT" and row["NumberOfFrames"] is None
    }
    assert {
        uid for row in instances if row["Modality"] == "SEG" for uid in row["ReferencedSeriesInstanceUID"]
    } == series


@pytest.mark.parametrize("patient", ["pat_1", "pat_2"])
def test_the_series_an_rtstruct_refers_to_is_told(shared_data, patient):
    instances = index_folder(shared_data / "real/lung_ct_crops" / patient).to_pylist()
    (series,) = {row["SeriesInstanceUID"] for row in instances if row["Modality"] == "CT"}
    (drawn,) = [row for row in instances if row["Modality"] == "RTSTRUCT"]
    assert (drawn["ReferencedSeriesInstanceUID"], drawn["problem"]) == ([series], None)


def test_references_that_cannot_be_read_are_a_problem_of_the_file(source, shared_data):
    dataset = pydicom.dcmread(shared_data / "real/lung_ct_crops/pat_1/DCM_RS_00060.dcm")
    dataset[0x30060010] = RawDataElement(Tag(0x30060010), "OB", 4, b"1234", 0, True, True)
    dataset.save_as(source / "a/rt.dcm")
    row = _rows(index_folder(source))["a/rt.dcm"]
    assert row["ReferencedSeriesInstanceUID"] is None
    assert row["problem"].startswith("has references to series that cannot be read")


def test_an_index_without_the_references_of_rtstructs_is_made_anew(source, tmp_path):
    write_index(index_folder(source), tmp_path / "instances.parquet", source)
    assert read_index(tmp_path / "instances.parquet", source) is not None
    table = pq.read_table(tmp_path / "instances.parquet")
    before = table.replace_schema_metadata({**table.schema.metadata, b"schema_version": b"2"})
    pq.write_table(before, tmp_path / "instances.parquet")
    assert read_index(tmp_path / "instances.parquet", source) is None


@pytest.mark.parametrize(
    ("folder", "modality", "files"),
    [
        ("compressed/jpegls", "MR", 4),
        ("compressed/jpeg2000", "MR", 4),
        ("siemens_ct_jpeg2000/dicom", "CT", 20),
        ("dcmqi_examples/23x38x3/multiframe", "CT", 1),
        ("odd_geometry/philips_localizer", "CT", 2),
    ],
)
def test_compressed_multiframe_and_nameless_images_are_sound(shared_data, folder, modality, files):
    rows = index_folder(shared_data / "real" / folder).to_pylist()
    assert len(rows) == files
    assert {row["Modality"] for row in rows if row["Rows"]} == {modality}
    assert {row["problem"] for row in rows} == {None}


def test_a_multiframe_image_has_its_number_of_frames(shared_data):
    (row,) = index_folder(shared_data / "real/dcmqi_examples/23x38x3/multiframe").to_pylist()
    assert (row["SOPClassUID"], row["NumberOfFrames"]) == ("1.2.840.10008.5.1.4.1.1.2.2", 3)


def test_a_media_directory_is_named_as_such(shared_data):
    row = _rows(index_folder(shared_data / "real/odd_geometry/philips_localizer"))["DIRFILE"]
    assert (row["SOPClassUID"], row["Modality"], row["problem"]) == ("1.2.840.10008.1.3.10", "DICOMDIR", None)


def test_what_is_no_dicom_is_passed_over_unless_it_claims_to_be(source):
    (source / "notes.txt").write_text("hello")
    (source / "nothing").touch()
    (source / "fake.DCM").write_text("hello")
    (source / ".hidden.dcm").write_text("hello")
    (source / "a/0.dcm").rename(source / "a/IM0")
    rows = _rows(index_folder(source))
    assert rows["notes.txt"]["problem"] == rows["nothing"]["problem"] == "not a DICOM file"
    assert rows["a/IM0"]["Modality"] == "CT"
    assert ".hidden.dcm" not in rows
    assert _bad(source) == {"fake.DCM": "has no DICOM header; copy it again from its source or remove it"}


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_what_is_cut_off_is_told(tmp_path, syntax):
    folder = tmp_path / "source"
    files = _write_series(folder, "1.2.1", syntax)
    files[1].write_bytes(files[1].read_bytes()[:-1])
    files[2].write_bytes(files[2].read_bytes()[:200])
    assert _bad(folder) == {
        "1.dcm": "is truncated (383 of 384 pixel bytes); copy it again from its source",
        "2.dcm": "is cut off in its header; copy it again from its source",
    }


def test_a_deflated_file_is_not_called_truncated(source):
    dataset = pydicom.dcmread(source / "a/0.dcm")
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(source / "a/0.dcm")
    assert _bad(source) == {}


def test_links_in_a_circle_and_pipes_do_not_hang_and_a_broken_link_is_told(source):
    (source / "loop").symlink_to(".")
    (source / "a/loop").symlink_to("..")
    os.mkfifo(source / "pipe.dcm")
    (source / "broken.dcm").symlink_to("nowhere.dcm")
    assert len(index_folder(source)) == 2 * SLICES + 1
    (problem,) = _bad(source).values()
    assert problem.startswith("cannot be read (FileNotFoundError: [Errno 2]")


def test_a_file_without_a_utf8_name_is_told_and_the_others_are_read(source):
    try:
        (source / "a/0.dcm").rename(source / os.fsdecode(b"a/B\xe4r.dcm"))
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    (source / "a/1.dcm").rename(source / "a/Bär.dcm")
    assert _bad(source) == {"a/B\\xe4r.dcm": "has a name that is not UTF-8; rename it"}
    assert _rows(index_folder(source))["a/Bär.dcm"]["SOPInstanceUID"] == "1.2.1.2"


def test_a_folder_that_cannot_be_listed_is_a_row_with_the_remedy(source, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "a":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert _bad(source) == {"a": "cannot be listed (PermissionError: Permission denied); grant read access"}
    assert index_folder(source)["file"].to_pylist()[0] == "a"


def test_a_source_without_files_is_an_error_that_names_it(tmp_path):
    with pytest.raises(EmptySourceError, match="no such folder"):
        index_folder(tmp_path / "missing")
    (tmp_path / ".hidden").touch()
    with pytest.raises(EmptySourceError, match=f"{tmp_path}: the folder is empty"):
        index_folder(tmp_path)


def test_the_folder_may_be_given_relative(source, monkeypatch):
    index = index_folder(source)
    monkeypatch.chdir(source)
    assert index_folder(Path()).equals(index)
    monkeypatch.chdir(source / "a")
    assert index_folder(Path("../../source")).equals(index)


# copies


def test_the_first_sound_copy_of_an_instance_stands_for_it(source):
    shutil.copytree(source / "a", source / "copy")
    shutil.copytree(source / "a", source / "third")
    file = source / "a/3.dcm"
    file.write_bytes(file.read_bytes()[:-100])
    _set_raw(source / "copy/2.dcm", "ImagePositionPatient", "-170.5\\0.0\\2")  # the same place, written otherwise
    rows = _rows(index_folder(source))
    copies = {name: row["copy_of"] for name, row in rows.items() if row["copy_of"]}
    assert len(copies) == 2 * SLICES
    assert copies["copy/2.dcm"] == "a/2.dcm"
    assert copies["a/3.dcm"] == copies["third/3.dcm"] == "copy/3.dcm"


def test_where_no_copy_is_sound_the_first_stands_for_it(source):
    shutil.copytree(source / "a", source / "copy")
    for file in (source / "a/3.dcm", source / "copy/3.dcm"):
        file.write_bytes(file.read_bytes()[:-100])
    rows = _rows(index_folder(source))
    assert (rows["a/3.dcm"]["copy_of"], rows["copy/3.dcm"]["copy_of"]) == (None, "a/3.dcm")


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("ImagePositionPatient", "-170.50\\0\\99"),
        ("ImagePositionPatient", ""),
        ("ImageOrientationPatient", "1\\0\\0\\0\\-1\\0"),
        ("SeriesInstanceUID", "1.2.9"),
        ("SOPInstanceUID", ""),
        ("SOPInstanceUID", "1.2.9.1"),
        ("Modality", "MR"),
    ],
)
def test_images_that_differ_in_what_identifies_them_are_no_copies(source, keyword, text):
    shutil.copy(source / "a/3.dcm", source / "b/copy.dcm")
    assert _rows(index_folder(source))["b/copy.dcm"]["copy_of"] == "a/3.dcm"
    _set_raw(source / "b/copy.dcm", keyword, text)
    assert index_folder(source)["copy_of"].null_count == 2 * SLICES + 1


# taken over from an earlier index


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """Names of the files that were opened."""
    names: list[str] = []
    read = index_pool.read_batch

    def count(folder, schema, batch):
        names.extend(batch)
        return read(folder, schema, batch)

    monkeypatch.setattr(index_pool, "read_batch", count)
    return names


def test_unchanged_files_are_not_opened_again(source, opened, caplog):
    index = index_folder(source)
    assert len(opened) == 2 * SLICES
    opened.clear()
    told: list[tuple[int, int]] = []
    with caplog.at_level(logging.INFO):
        assert index_folder(source, previous=index, progress=lambda done, files: told.append((done, files))).equals(
            index
        )
    assert opened == []
    assert told == [(2 * SLICES, 2 * SLICES)]
    assert f"indexed 12 files below {source}: 12 unchanged and not opened again, 0 not usable" in caplog.text


def test_what_an_earlier_index_says_of_an_unchanged_file_is_believed(source):
    file = source / "a/3.dcm"
    index, status = index_folder(source), file.stat()
    file.write_bytes(bytes(status.st_size))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert index_folder(source, previous=index).equals(index)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert _rows(index_folder(source, previous=index))["a/3.dcm"]["problem"].startswith("has no DICOM header")


@pytest.mark.parametrize("order", ["as it was", "reversed"])
def test_changed_new_and_removed_files_are_seen(source, opened, order):
    shutil.copytree(source / "a", source / "copy")
    index = index_folder(source)
    index = index if order == "as it was" else index.take(list(reversed(range(len(index)))))
    opened.clear()
    file = source / "a/3.dcm"
    file.write_bytes(file.read_bytes()[:-100])
    (source / "a/4.dcm").unlink()
    _write_series(source / "ab", "1.2.3")
    again = index_folder(source, previous=index)
    assert opened == ["a/3.dcm", *(f"ab/{number}.dcm" for number in range(SLICES))]
    assert again.equals(index_folder(source))
    assert _rows(again)["copy/4.dcm"]["copy_of"] is None


def test_an_index_of_another_folder_does_no_harm(source, tmp_path, opened):
    _write_series(tmp_path / "other/a", "1.2.1")
    for file in (tmp_path / "other/a").iterdir():
        os.utime(file, ns=(1, 1))
    other = index_folder(tmp_path / "other")
    opened.clear()
    assert index_folder(source, previous=other).equals(index_folder(source))
    assert index_folder(source, previous=INSTANCES.schema.empty_table()).equals(index_folder(source))
    assert len(opened) == 4 * 2 * SLICES


def test_problems_of_the_storage_are_looked_at_again_and_those_of_a_file_are_not(source, opened, monkeypatch):
    (source / "a/2.dcm").write_text("no DICOM")
    truncated = source / "a/4.dcm"
    truncated.write_bytes(truncated.read_bytes()[:-100])
    path_open, os_open = Path.open, os.open

    def refuse(path):
        if Path(path).name == "3.dcm":
            raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", lambda path, *rest: refuse(path) or path_open(path, *rest))
    monkeypatch.setattr(os, "open", lambda path, *rest, **more: refuse(path) or os_open(path, *rest, **more))
    index = index_folder(source)
    problem = f"cannot be read (PermissionError: [Errno 13] Permission denied: '{source}/a/3.dcm')"
    assert _rows(index)["a/3.dcm"]["problem"] == f"{problem}; copy it again from its source"
    monkeypatch.setattr(Path, "open", path_open)
    monkeypatch.setattr(os, "open", os_open)
    opened.clear()
    again = index_folder(source, previous=index)
    assert opened == ["a/3.dcm", "b/3.dcm"]
    assert _rows(again)["a/3.dcm"]["problem"] is None
    assert unreadable_files(again)["file"].tolist() == ["a/2.dcm", "a/4.dcm"]


# several processes


@pytest.fixture
def always_in_pool(monkeypatch) -> None:
    """Two files at a time, and other processes for all but the first two."""
    monkeypatch.setattr(index_pool, "FILES_AT_ONCE", 2)
    monkeypatch.setattr(index_pool, "POOL_IS_WORTH_S", -1.0)


@pytest.fixture
def mixed(source) -> Path:
    """All kinds of files, more than one process reads at once."""
    shutil.copytree(source / "a", source / "copy")
    (source / "a/2.dcm").write_text("no DICOM")
    (source / "a/notes.txt").write_text("no DICOM")
    (source / "broken.dcm").symlink_to("nowhere.dcm")
    return source


@pytest.mark.usefixtures("always_in_pool")
def test_the_index_does_not_depend_on_the_number_of_workers(mixed):
    told: list[tuple[int, int]] = []
    processes: set[int | None] = set()

    def tell(done: int, files: int) -> None:
        told.append((done, files))
        processes.update(process.pid for process in multiprocessing.active_children())

    several = index_folder(mixed, workers=2, progress=tell)
    assert len(processes) == 2
    assert told == [(done, 20) for done in range(0, 21, 2)]
    assert several.equals(index_folder(mixed, workers=1))
    assert several["problem"].null_count == 17


def test_few_files_are_read_without_other_processes(source, monkeypatch):
    monkeypatch.setattr(index_pool, "FILES_AT_ONCE", 2)
    monkeypatch.setattr(index_pool, "ProcessPoolExecutor", None)
    assert len(index_folder(source, workers=8)) == 2 * SLICES


@pytest.mark.usefixtures("always_in_pool")
def test_the_files_of_a_process_that_ends_are_read_by_this_one(mixed, caplog):
    expected = index_folder(mixed, workers=1)

    def kill(done: int, _: int) -> None:
        if done == 4:
            for process in multiprocessing.active_children():
                process.kill()

    assert index_folder(mixed, workers=2, progress=kill).equals(expected)


@pytest.mark.usefixtures("always_in_pool")
def test_processes_that_cannot_begin_are_told_and_done_without(mixed, monkeypatch, caplog):
    expected = index_folder(mixed, workers=1)
    monkeypatch.setattr(index_pool, "_begin", partial(os._exit, 1))
    assert index_folder(mixed, workers=2).equals(expected)
    assert "a process that reads headers ended" in caplog.text
    assert "this process reads the remaining 9 of 9 chunks by itself" in caplog.text


MAIN = """
import sys
from pathlib import Path
import pyarrow.parquet
from ct_assets.cohort_table.index import index_pool
from ct_assets.cohort_table.index.header_index import index_folder
assert __name__ == "__main__", "the main module runs again"
index_pool.FILES_AT_ONCE, index_pool.POOL_IS_WORTH_S = 2, -1.0
pyarrow.parquet.write_table(index_folder(Path(sys.argv[1]), workers=2), sys.argv[2])
"""


def test_the_main_module_does_not_run_again_in_every_process(mixed, tmp_path):
    script, written = tmp_path / "script.py", tmp_path / "index.parquet"
    script.write_text(MAIN)
    run = subprocess.run([sys.executable, script, mixed, written], check=True, capture_output=True, text=True)
    assert run.stderr == ""
    assert pa.parquet.read_table(written).equals(index_folder(mixed))


def test_the_processes_import_little(source):
    """An ordinary file needs no pydicom, which takes a second to import; pandas, Dagster and torch take longer."""
    with ProcessPoolExecutor(1, mp_context=index_pool._BareContext(), initializer=index_pool._begin) as pool:
        batch = pool.submit(file_rows.read_batch, str(source), INSTANCES.schema, ["a/0.dcm"]).result()
        imported = pool.submit(eval, "{name for name, module in __import__('sys').modules.items() if module}").result()
    assert batch["SOPInstanceUID"].to_pylist() == ["1.2.1.1"]
    assert "pyarrow" in imported
    assert not {"dagster", "torch", "pandas", "pydicom", "duckdb"} & imported


KILLED = """
import multiprocessing, os, signal, threading, time
from ct_assets.cohort_table.index import index_pool

def tell_and_end():
    while len(multiprocessing.active_children()) < 2:
        time.sleep(0.05)
    time.sleep(1)
    print(*(process.pid for process in multiprocessing.active_children()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

threading.Thread(target=tell_and_end).start()
list(index_pool._read_in_pool(time.sleep, [60, 60], 2))
"""


def test_no_process_outlives_a_parent_that_is_killed():
    run = subprocess.run([sys.executable, "-c", KILLED], check=False, capture_output=True, text=True)
    assert run.returncode == -signal.SIGKILL
    processes = [Path("/proc", pid) for pid in run.stdout.split()]
    assert len(processes) == 2
    deadline = time.monotonic() + 20
    while any(_runs(process) for process in processes):
        assert time.monotonic() < deadline, "a process was left behind"
        time.sleep(0.05)


def _runs(process: Path) -> bool:
    try:
        return (process / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
