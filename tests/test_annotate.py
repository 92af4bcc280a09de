"""`ct-assets annotate` on real CT and on what a user may hand it by mistake."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pydicom
import pytest
from click.testing import CliRunner, Result

from ct_assets import run
from ct_assets.cli import folder_collection, main
from ct_assets.installation import resources
from ct_assets.provenance import DEMONSTRATION_NOTICE
from ct_assets.qc_settings import QualityControl
from ct_assets.settings import settings
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import COHORT, LANDMARKS, QC, REGIONS, SHAPE_FEATURES
from resources.series_store import SeriesStore

SERIES_FILES = [
    "bpr.json",
    "bpr_record.json",
    "complete.json",
    "ct.json",
    "ct.nii.gz",
    "landmarks.parquet",
    "organ_seg/3d_fullres.json",
    "organ_seg/3d_fullres.nii.gz",
    "qc.html",
    "qc.parquet",
    "regions.parquet",
    "seg/3d_fullres.dcm",
    "seg/objects.json",
    "shape_features.parquet",
    "sr/3d_fullres_features.dcm",
    "sr/landmarks.dcm",
    "sr/measurement_groups.parquet",
    "sr/objects.json",
    "sr/qualitative_measurements.parquet",
    "sr/quantitative_measurements.parquet",
    "sr/regions.dcm",
]
"""Every file of a series in the design's table, for one model."""

COHORT_FILES = [
    "changed_series.json",
    "characteristics.parquet",
    "cohort.parquet",
    "distributions.parquet",
    "instances.parquet",
    "manifest.json",
    "qc.parquet",
    "report.html",
    "selection_flow.parquet",
    "shape_features.parquet",
]

REPORT_FILES = {"distributions.parquet", "qc.parquet", "report.html", "shape_features.parquet"}


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _annotate(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["annotate", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture(scope="module")
def chest(shared_data, tmp_path_factory, model_home) -> tuple[subprocess.CompletedProcess[str], CollectionFolder]:
    """A real whole chest, annotated by the installed command."""
    out = tmp_path_factory.mktemp("chest")
    result = subprocess.run(
        [
            str(Path(sys.executable).parent / "ct-assets"), "annotate", str(shared_data / "real/chest_ct_64/dicom"),
            "--out", str(out),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CT_ASSETS_HOME": str(model_home)},
    )  # fmt: skip
    return result, CollectionFolder(out)


def test_a_real_chest_gets_every_file(chest):
    result, folder = chest
    assert result.returncode == 0, result.stderr
    [series] = folder.all_series()
    assert _files(series.path) == SERIES_FILES
    assert _files(folder.cohort.path) == COHORT_FILES


def test_the_summary_shows_volumes_checks_and_the_report(chest):
    result, folder = chest
    for part in ("heart mL", "lung extent mm", "checks passed", "1 series annotated, 0 unfit, 0 failed", "Report: "):
        assert part in result.stdout
    assert str(folder.cohort.report) in result.stdout.replace("\n", "")
    for stage in ("ct_nifti", "organ_seg", "qc_report"):
        assert stage in result.stderr, "progress names every stage"


def test_everything_says_that_it_comes_from_a_demonstration_model(chest):
    result, folder = chest
    [series] = folder.all_series()
    assert DEMONSTRATION_NOTICE in result.stdout.lower()
    assert DEMONSTRATION_NOTICE in series.qc_page.read_text().lower()
    assert DEMONSTRATION_NOTICE in folder.cohort.report.read_text().lower()
    for path in (series.seg("3d_fullres"), series.features_sr("3d_fullres"), series.landmarks_sr, series.regions_sr):
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        assert DEMONSTRATION_NOTICE in dataset.to_json()
        assert "demonstration model" in dataset.SeriesDescription


def test_every_table_is_of_this_series(chest):
    _, folder = chest
    [series] = folder.all_series()
    record = json.loads(series.ct_record.read_text())
    uids = {entry["sop_instance_uid"] for entry in record["slices"]}
    for table, path in (
        (LANDMARKS, series.landmarks),
        (REGIONS, series.regions),
        (SHAPE_FEATURES, series.shape_features),
        (QC, series.qc_table),
    ):
        assert set(table.read(path)["SeriesInstanceUID"]) <= {series.series_instance_uid}
    landmarks = LANDMARKS.read(series.landmarks)
    assert len(landmarks) == 35
    assert set(landmarks.loc[landmarks["located"], "SOPInstanceUID"]) <= uids
    assert len(uids) == 79


def test_one_bad_series_does_not_stop_the_others(shared_data, tmp_path, model_home):
    """Mixed folder: a fit series, four unfit ones, a text file, a file that only claims to be DICOM."""
    folder = tmp_path / "mixed"
    for name in ("ibsi_lung_ct/dicom", "odd_geometry"):
        shutil.copytree(shared_data / "real" / name, folder / name, copy_function=shutil.copyfile)
    (folder / "notes.txt").write_text("hello")
    result = _annotate(folder, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "1 series annotated, 5 unfit, 0 failed" in result.output
    assert "gantry tilted by 18.5 degrees" in result.output.replace("\n", "")
    out = CollectionFolder(tmp_path / "out")
    [series] = out.all_series()
    assert _files(series.path) == SERIES_FILES
    (folder / "fake.dcm").write_text("no DICOM")
    result = _annotate(folder / "odd_geometry/ct_missing_slice", "--out", tmp_path / "out2")
    assert result.exit_code == 1


def test_an_interrupted_call_goes_on_where_it_stopped(chest, shared_data, model_home):
    """A second call keeps the finished series; a lost page or other options make it again."""
    _, folder = chest
    [series] = folder.all_series()
    made = series.seg("3d_fullres").stat().st_mtime_ns
    arguments = (shared_data / "real/chest_ct_64/dicom", "--out", folder.path)
    result = _annotate(*arguments)
    assert result.exit_code == 0
    assert "1 series annotated (1 of them before, unchanged)" in result.output
    assert series.seg("3d_fullres").stat().st_mtime_ns == made
    content = series.seg("3d_fullres").read_bytes()
    series.qc_page.unlink()
    assert "1 series annotated, 0 unfit" in _annotate(*arguments).output
    assert series.seg("3d_fullres").stat().st_mtime_ns > made
    assert series.seg("3d_fullres").read_bytes() == content, "same input, same output"


def test_other_limits_judge_a_finished_series_again_and_measure_nothing_again(chest, shared_data, model_home):
    _, folder = chest
    [series] = folder.all_series()
    plain = folder_collection(shared_data / "real/chest_ct_64/dicom", {"model": "demo", "tta": False})
    given = {
        **resources(),
        "series_store": SeriesStore(root=str(model_home), folders={"annotations": str(folder.path)}),
    }
    with dg.DagsterInstance.ephemeral() as instance:
        outcomes = []
        for minimum, lung_extent in ((1e9, (217.0, 328.0)), (1.0, None)):
            made = series.seg("3d_fullres").stat().st_mtime_ns
            collection = plain.model_copy(
                update={
                    "qc": QualityControl.model_validate(
                        {"voxels_minimum": {"heart": minimum}, "lung_extent_mm": lung_extent}
                    )
                }
            )
            [outcome] = run.annotate(collection, instance=instance, resources=given).series
            assert (outcome.status, outcome.reused) == ("annotated", True)
            assert series.seg("3d_fullres").stat().st_mtime_ns == made
            qc = QC.read(series.qc_table)
            [lower] = qc.loc[(qc["metric"] == "voxels") & (qc["subject"] == "heart"), "lower"]
            assert lower == minimum
            outcomes.append(outcome.checks)
    assert (outcomes[0]["organ_missing"], outcomes[0]["seg_reads_back"]) == ("fail", "pass")
    assert set(outcomes[0]) - set(outcomes[1]) == {"lung_extent"}, "a rule that is switched off says nothing"


def test_a_file_that_cannot_be_read_makes_the_exit_code_non_zero(shared_data, tmp_path, model_home):
    folder = tmp_path / "cut"
    shutil.copytree(shared_data / "real/ibsi_lung_ct/dicom/image", folder, copy_function=shutil.copyfile)
    (folder / "fake.dcm").write_text("no DICOM")
    result = _annotate(folder, "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert "1 series annotated" in result.output
    assert "fake.dcm: has no DICOM header; copy it again" in result.output


def test_odd_geometry_is_listed_with_reasons_and_nothing_is_half_written(shared_data, tmp_path, model_home):
    out = tmp_path / "out"
    result = _annotate(shared_data / "real/odd_geometry", "--out", out)
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert "0 series annotated, 5 unfit, 0 failed" in result.output
    assert _files(out) == sorted(f"cohort/{name}" for name in COHORT_FILES if name not in REPORT_FILES)
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
    result = _annotate(folder, "--out", tmp_path / "out")
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
    result = _annotate(folder, "--out", tmp_path / "out")
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
    result = _annotate(tmp_path / folder, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert result.output.count("Error: ") == 1
    assert "Traceback" not in result.output
    for part in named:
        assert part in result.output


def test_a_missing_model_is_named_with_folder_and_remedy_before_anything_is_done(shared_data, tmp_path, model_home):
    result = _annotate(shared_data / "real/chest_ct_64/dicom", "--models", "segthor", "--out", tmp_path / "out")
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
    result = _annotate(folder, "--out", tmp_path / "out", "--config", "2d", "--config", "2d")
    assert result.exit_code == 1
    assert "0 series annotated, 1 unfit, 0 failed" in result.output
