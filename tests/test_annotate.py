"""`ct-assets annotate` on a real chest: every file, again, with other limits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pydicom
import pytest

from ct_assets import run
from ct_assets.cli.main import folder_collection
from ct_assets.installation import resources
from ct_assets.provenance import DEMONSTRATION_NOTICE
from ct_assets.qc_settings import QualityControl
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import LANDMARKS, QC, REGIONS, SHAPE_FEATURES
from resources.series_store import SeriesStore
from tests.annotating import COHORT_FILES, SERIES_FILES, annotate, files_below


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
    assert files_below(series.path) == SERIES_FILES
    assert files_below(folder.cohort.path) == COHORT_FILES


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


def test_an_interrupted_call_goes_on_where_it_stopped(chest, shared_data, model_home):
    """A second call keeps the finished series; a lost page or other options make it again."""
    _, folder = chest
    [series] = folder.all_series()
    made = series.seg("3d_fullres").stat().st_mtime_ns
    arguments = (shared_data / "real/chest_ct_64/dicom", "--out", folder.path)
    result = annotate(*arguments)
    assert result.exit_code == 0
    assert "1 series annotated (1 of them before, unchanged)" in result.output
    assert series.seg("3d_fullres").stat().st_mtime_ns == made
    content = series.seg("3d_fullres").read_bytes()
    series.qc_page.unlink()
    assert "1 series annotated, 0 unfit" in annotate(*arguments).output
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
