"""`ct-assets annotate` on what a user may hand it by mistake: named with the remedy, and nothing is half-written."""

import shutil

import pydicom
import pytest
from click.testing import CliRunner

from ct_assets.cli.main import main
from ct_assets.settings import settings
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import COHORT
from tests.annotating import COHORT_FILES, REPORT_FILES, SERIES_FILES, annotate, files_below


def test_one_bad_series_does_not_stop_the_others(shared_data, tmp_path, model_home):
    """Mixed folder: a fit series, four unfit ones, a text file, a file that only claims to be DICOM."""
    folder = tmp_path / "mixed"
    for name in ("ibsi_lung_ct/dicom", "odd_geometry"):
        shutil.copytree(shared_data / "real" / name, folder / name, copy_function=shutil.copyfile)
    (folder / "notes.txt").write_text("hello")
    result = annotate(folder, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "1 series annotated, 5 unfit, 0 failed" in result.output
    assert "gantry tilted by 18.5 degrees" in result.output.replace("\n", "")
    out = CollectionFolder(tmp_path / "out")
    [series] = out.all_series()
    assert files_below(series.path) == SERIES_FILES
    (folder / "fake.dcm").write_text("no DICOM")
    result = annotate(folder / "odd_geometry/ct_missing_slice", "--out", tmp_path / "out2")
    assert result.exit_code == 1


def test_a_file_that_cannot_be_read_makes_the_exit_code_non_zero(shared_data, tmp_path, model_home):
    folder = tmp_path / "cut"
    shutil.copytree(shared_data / "real/ibsi_lung_ct/dicom/image", folder, copy_function=shutil.copyfile)
    (folder / "fake.dcm").write_text("no DICOM")
    result = annotate(folder, "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert "1 series annotated" in result.output
    assert "fake.dcm: has no DICOM header; copy it again" in result.output


def test_odd_geometry_is_listed_with_reasons_and_nothing_is_half_written(shared_data, tmp_path, model_home):
    out = tmp_path / "out"
    result = annotate(shared_data / "real/odd_geometry", "--out", out)
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert "0 series annotated, 5 unfit, 0 failed" in result.output
    assert files_below(out) == sorted(f"cohort/{name}" for name in COHORT_FILES if name not in REPORT_FILES)
    cohort = COHORT.read(CollectionFolder(out).cohort.cohort)
    assert cohort["reason"].notna().all()
    for reason in (
        "LOCALIZER",
        "DERIVED",
        "gantry tilted by 14.0",
        "irregular: gaps from 5 to 10 mm",
        "gantry tilted by 18.5",
    ):
        assert any(reason in text for text in cohort["reason"]), reason


def test_a_truncated_file_is_named_with_the_remedy(shared_data, tmp_path, model_home):
    folder = tmp_path / "cut"
    shutil.copytree(shared_data / "real/chest_ct_64/dicom", folder, copy_function=shutil.copyfile)
    file = folder / "IMG0040.dcm"
    file.write_bytes(file.read_bytes()[:-2000])
    result = annotate(folder, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "IMG0040.dcm is truncated" in result.output
    assert "copy it again from its source" in result.output
    assert not (tmp_path / "out/series").exists()


def test_two_series_under_one_uid_are_named_with_the_remedy(shared_data, tmp_path, model_home):
    folder = tmp_path / "both"
    shutil.copytree(shared_data / "real/chest_ct_64/dicom", folder / "a", copy_function=shutil.copyfile)
    shutil.copytree(shared_data / "real/ibsi_lung_ct/dicom/image", folder / "b", copy_function=shutil.copyfile)
    uid = pydicom.dcmread(folder / "a/IMG0001.dcm").SeriesInstanceUID
    for file in (folder / "b").iterdir():
        dataset = pydicom.dcmread(file)
        dataset.SeriesInstanceUID = uid
        dataset.save_as(file)
    result = annotate(folder, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "shared by series of different geometry" in result.output
    assert "a/IMG0001.dcm" in result.output
    assert "give one a new SeriesInstanceUID" in result.output


@pytest.mark.parametrize(
    ("folder", "named"),
    [
        ("empty", ["the folder is empty", "give the folder that holds the DICOM files"]),
        ("gone", ["no such folder"]),
        ("mr", ["no CT image among 4 files (4 MR)", "give a folder that holds CT series"]),
        ("garbage", ["no CT image", "broken.dcm", "copy it again from its source"]),
    ],
)
def test_a_folder_without_ct_is_refused_in_one_line(shared_data, tmp_path, model_home, folder, named):
    (tmp_path / "empty").mkdir()
    (tmp_path / "garbage").mkdir()
    (tmp_path / "garbage/broken.dcm").write_bytes(b"\0" * 400)
    shutil.copytree(shared_data / "real/compressed/jpegls", tmp_path / "mr", copy_function=shutil.copyfile)
    result = annotate(tmp_path / folder, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert result.output.count("Error: ") == 1
    assert "Traceback" not in result.output
    for part in named:
        assert part in result.output


def test_a_missing_model_is_named_with_folder_and_remedy_before_anything_is_done(shared_data, tmp_path, model_home):
    result = annotate(shared_data / "real/chest_ct_64/dicom", "--models", "segthor", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "model segthor: plans.pkl is missing in" in result.output
    assert str(model_home / "models/segthor/nnUNet/3d_fullres") in result.output
    assert "fetch it with: ct-assets models fetch segthor" in result.output
    assert not (tmp_path / "out").exists()


def test_an_object_store_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("CT_ASSETS_HOME", "gs://bucket/x")
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    result = CliRunner().invoke(main, ["demo", "--models-only"])
    settings.cache_clear()
    assert result.exit_code == 1
    assert "CT_ASSETS_HOME" in result.output
    assert "object stores are not supported yet" in result.output
    assert not list(tmp_path.iterdir())


def test_odd_arguments_are_no_trouble(shared_data, tmp_path, model_home):
    """A configuration given twice counts once, and a dollar sign in a folder's name is just that."""
    folder = tmp_path / "a$b"
    shutil.copytree(shared_data / "real/odd_geometry/ct_missing_slice", folder, copy_function=shutil.copyfile)
    result = annotate(folder, "--out", tmp_path / "out", "--config", "2d", "--config", "2d")
    assert result.exit_code == 1
    assert "0 series annotated, 1 unfit, 0 failed" in result.output
