"""A release of real CT: what is in it, what it refuses, and label maps back from SEG."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pyarrow.parquet as pq
import pydicom
import pytest
from click.testing import CliRunner, Result
from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian

from ct_assets.cli.main import main
from ct_assets.collection import Collection, ReportValidation
from ct_assets.ct_nifti.volume import load_label_map
from ct_assets.dicom import validators
from ct_assets.dicom.series import CtSeries, read_header
from ct_assets.export.verdicts import ReportVerdicts
from ct_assets.settings import settings
from ct_assets.sr_validation.cohort import chosen_series
from ct_assets.store.paths import CollectionFolder, SeriesFolder
from ct_assets.store.tables import SHAPE_FEATURES, SR_VALIDATION


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def store(chests: Collection) -> CollectionFolder:
    """The results, validated."""
    assert _run("validate", "chests").exit_code == 0
    return CollectionFolder(Path(settings().home) / "chests")


@pytest.fixture(scope="module")
def release(store: CollectionFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("release") / "out"
    result = _run("export", "chests", "--out", target)
    assert result.exit_code == 0, result.output
    assert "2 series with 8 objects released, 0 refused" in result.output
    return target


@pytest.fixture
def restored(store: CollectionFolder, tmp_path: Path) -> Iterator[SeriesFolder]:
    """A series that a test may damage."""
    folder = store.all_series()[0]
    shutil.copytree(folder.path, tmp_path / "kept")
    yield folder
    shutil.rmtree(folder.path)
    shutil.copytree(tmp_path / "kept", folder.path)


def test_the_manifest_names_every_file_its_checksum_licence_and_source(release: Path, store: CollectionFolder) -> None:
    manifest = json.loads((release / "manifest.json").read_text())
    assert (manifest["licence"], manifest["source_doi"]) == ("CC BY-NC 3.0", "10.17195/candat.2016.08.1")
    assert manifest["attribution"] == "Two real CT. https://doi.org/10.17195/candat.2016.08.1"
    assert "demonstration" in manifest["notice"]
    listed = {one["file"] for series in manifest["series"] for one in series["objects"]}
    listed |= {table["file"] for table in manifest["tables"]}
    there = {path.relative_to(release).as_posix() for path in release.rglob("*") if path.is_file()}
    assert there == {*listed, "manifest.json", "SHA256SUMS"}
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=release, check=True)
    assert len((release / "SHA256SUMS").read_text().splitlines()) == len(listed) + 1
    for series in manifest["series"]:
        for one in series["objects"]:
            dataset = pydicom.dcmread(release / one["file"], stop_before_pixels=True)
            assert (dataset.SOPInstanceUID, dataset.SeriesInstanceUID) == (
                one["SOPInstanceUID"],
                one["SeriesInstanceUID"],
            )
            assert dataset.StudyInstanceUID == series["StudyInstanceUID"]


def test_the_tables_hold_all_released_series(release: Path, store: CollectionFolder) -> None:
    values = pq.read_table(release / "tables/quantitative_measurements.parquet").to_pandas()
    features = [SHAPE_FEATURES.read(folder.shape_features) for folder in store.all_series()]
    expected = sorted(value for table in features for value in table["value"].dropna())
    assert len(expected) > 50
    np.testing.assert_allclose(sorted(values["Value"]), expected, rtol=1e-9)
    images = {entry["ReferencedSOPInstanceUID"] for entry in _rows(release, "qualitative_measurements")}
    assert len(images) > 79


def _rows(release: Path, name: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(release / f"tables/{name}.parquet").to_pylist()
    return rows


def test_exporting_again_gives_the_same_files(release: Path, tmp_path: Path) -> None:
    assert _run("export", "chests", "--out", tmp_path / "again").exit_code == 0
    for path in release.rglob("*"):
        if path.is_file():
            assert (tmp_path / "again" / path.relative_to(release)).read_bytes() == path.read_bytes()


def test_a_folder_that_is_not_empty_is_left_alone(release: Path) -> None:
    before = sorted(release.rglob("*"))
    result = _run("export", "chests", "--out", release)
    assert result.exit_code == 1
    assert "is not empty" in result.output
    assert sorted(release.rglob("*")) == before


def test_deflated_segs_come_back_as_label_maps_on_the_grid_of_the_ct(store: CollectionFolder, tmp_path: Path) -> None:
    for folder in store.all_series():
        seg = folder.seg("3d_fullres")
        assert read_file_meta_info(seg).TransferSyntaxUID == DeflatedExplicitVRLittleEndian
        for series in (folder.series_instance_uid, folder.path):
            result = _run("export-nifti", series, "--out", tmp_path)
            assert result.exit_code == 0, result.output
        path = tmp_path / f"{folder.series_instance_uid}_3d_fullres.nii.gz"
        np.testing.assert_array_equal(load_label_map(path), load_label_map(folder.label_map("3d_fullres")))
        np.testing.assert_array_equal(nib.load(path).affine, nib.load(folder.ct_nifti).affine)


@pytest.mark.parametrize(
    ("series", "model", "message"),
    [("1.2.3", (), "no series with results"), ("../..", (), "no series with results"), (None, ("2d",), "no SEG of 2d")],
)
def test_a_label_map_that_cannot_be_had_is_a_clear_error(
    store: CollectionFolder, tmp_path: Path, series: str | None, model: tuple[str, ...], message: str
) -> None:
    options = [option for name in model for option in ("--model", name)]
    result = _run("export-nifti", series or store.all_series()[0].series_instance_uid, "--out", tmp_path, *options)
    assert result.exit_code == 1
    assert message in result.output
    assert list(tmp_path.iterdir()) == []


def _refused(tmp_path: Path, folder: SeriesFolder, *reasons: str) -> None:
    """Export, and find one series refused by name for all reasons, and the other released."""
    result = _run("export", "chests", "--out", tmp_path / "out")
    assert result.exit_code == 3, result.output
    assert "1 series with 4 objects released, 1 refused" in result.output
    (line,) = [line for line in result.output.splitlines() if line.strip().startswith(folder.series_instance_uid)]
    for reason in reasons:
        assert reason in line
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert list(manifest["refused"]) == [folder.series_instance_uid]
    assert folder.series_instance_uid not in [series["SeriesInstanceUID"] for series in manifest["series"]]


def test_a_label_map_made_since_is_stale(restored: SeriesFolder, tmp_path: Path) -> None:
    record = json.loads(restored.label_map_record("3d_fullres").read_text())
    record["provenance"]["tta"] = True
    restored.label_map_record("3d_fullres").write_text(json.dumps(record))
    _refused(
        tmp_path, restored, "stale: the label map of 3d_fullres was made with other settings", "stale: 3d_fullres.dcm"
    )


def test_a_seg_that_was_changed_is_stale(restored: SeriesFolder, tmp_path: Path) -> None:
    restored.seg("3d_fullres").write_bytes(restored.seg("3d_fullres").read_bytes() + b"\0\0")
    _refused(tmp_path, restored, "3d_fullres.dcm: is not the file that was written", "materialize dicom_seg again")


def test_a_seg_that_is_no_dicom_or_gone_stops_no_other_series(restored: SeriesFolder, tmp_path: Path) -> None:
    restored.seg("3d_fullres").write_bytes(b"")
    _refused(tmp_path, restored, "not complete:", "is not the file that was written", "materialize dicom_seg again")
    shutil.rmtree(tmp_path / "out")
    restored.seg("3d_fullres").unlink()
    _refused(tmp_path, restored, "3d_fullres.dcm: is not the file that was written", "materialize dicom_seg again")


def test_an_object_that_is_no_longer_asked_for_is_stale(restored: SeriesFolder, tmp_path: Path) -> None:
    record = json.loads(restored.seg_objects.read_text())
    record["objects"]["2d"] = {**record["objects"]["3d_fullres"], "file": "2d.dcm"}
    restored.seg_objects.write_text(json.dumps(record))
    _refused(tmp_path, restored, "stale: 2d.dcm is no longer asked for")


def test_a_record_cannot_name_a_file_elsewhere(restored: SeriesFolder, tmp_path: Path) -> None:
    record = json.loads(restored.seg_objects.read_text())
    record["objects"]["2d"] = {**record["objects"]["3d_fullres"], "file": "../../../escaped.dcm"}
    restored.seg_objects.write_text(json.dumps(record))
    _refused(tmp_path, restored, "stale: 3d_fullres.dcm was never written")


def test_what_was_signed_since_is_stale_until_it_is_written(restored: SeriesFolder, tmp_path: Path) -> None:
    options = ["--person", "Doe^Jane", "--organization", "Example Hospital"]
    assert _run("sign-off", "chests", restored.series_instance_uid, *options).exit_code == 0
    _refused(tmp_path, restored, "stale: regions.dcm is not signed as sign_offs.json says")
    restored.landmarks_sr.write_bytes(b"other")
    result = _run("sign-off", "chests", restored.series_instance_uid, *options)
    assert result.exit_code == 1
    assert "landmarks.dcm cannot be signed" in result.output


def test_a_sample_speaks_for_others_only_as_it_is_now_and_accepted_whole(store: CollectionFolder) -> None:
    first, second = store.all_series()
    sampling = ReportValidation(all_up_to=0, sample=1)
    asked, other = (
        (first, second)
        if chosen_series([f.path.name for f in (first, second)], sampling) == [first.path.name]
        else (second, first)
    )
    path = store.cohort.sr_validation
    kept, rows = path.read_bytes(), SR_VALIDATION.read(path)
    mine = rows["SeriesInstanceUID"] == asked.series_instance_uid
    try:
        SR_VALIDATION.write(rows[mine], path)
        assert set(ReportVerdicts(store, sampling).of(other).values()) == {None}
        assert ReportVerdicts(store, ReportValidation()).of(other) == {}
        for wrong in (rows[mine].iloc[:-1], rows[mine].assign(sha256="0" * 64), rows[mine].assign(outcome="rejected")):
            SR_VALIDATION.write(wrong, path)
            assert ReportVerdicts(store, sampling).of(other) == {}
        path.write_bytes(b"PAR1")
        assert ReportVerdicts(store, sampling).of(asked) == {}
    finally:
        path.write_bytes(kept)


def test_what_is_missing_is_named(restored: SeriesFolder, tmp_path: Path) -> None:
    restored.landmarks.unlink()
    _refused(tmp_path, restored, "not complete:", "landmarks.parquet")


def test_tables_that_are_not_what_the_reports_say_are_rejected(restored: SeriesFolder, tmp_path: Path) -> None:
    restored.qualitative_measurements.write_bytes(restored.measurement_groups.read_bytes())
    _refused(tmp_path, restored, "rejected: qualitative_measurements.parquet")


def test_a_report_that_the_validator_has_not_seen_or_does_not_accept(
    store: CollectionFolder, tmp_path: Path, restored: SeriesFolder
) -> None:
    path = store.cohort.sr_validation
    kept = path.read_bytes()
    rows = SR_VALIDATION.read(path)
    mine = rows["SeriesInstanceUID"] == restored.series_instance_uid
    try:
        SR_VALIDATION.write(rows[~(mine & (rows["file"] == "sr/regions.dcm"))], path)
        _refused(
            tmp_path, restored, "not validated: DicomSRValidator has not judged regions.dcm; run: ct-assets validate"
        )
        shutil.rmtree(tmp_path / "out")
        rows.loc[mine & (rows["file"] == "sr/regions.dcm"), "outcome"] = "rejected"
        SR_VALIDATION.write(rows, path)
        _refused(tmp_path, restored, "rejected: regions.dcm: DicomSRValidator does not accept it")
    finally:
        path.write_bytes(kept)


def test_without_dciodvfy_nothing_is_released(
    store: CollectionFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validators.shutil, "which", lambda _name: None)
    result = _run("export", "chests", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "no series may be released" in result.output
    assert "dciodvfy is not installed" in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_collection_without_licence_is_not_released(store: CollectionFolder, tmp_path: Path) -> None:
    path = settings().collections / "chests.yaml"
    kept = path.read_text()
    path.write_text("\n".join(line for line in kept.splitlines() if not line.startswith("licence")))
    try:
        result = _run("export", "chests", "--out", tmp_path / "out")
    finally:
        path.write_text(kept)
    assert result.exit_code == 1
    assert "names no licence; add the key licence" in result.output


def test_features_of_another_engine_than_the_collection_has_are_stale(store: CollectionFolder, tmp_path: Path) -> None:
    path = settings().collections / "chests.yaml"
    kept = path.read_text()
    path.write_text(kept + "\nshape_features: {engine: pyradiomics}\n")
    try:
        result = _run("export", "chests", "--out", tmp_path / "out")
    finally:
        path.write_text(kept)
    assert result.exit_code == 1
    assert "measured by fast, and the collection has the engine pyradiomics" in " ".join(result.output.split())


def test_no_header_is_read_twice_in_one_process(
    chests: Collection, store: CollectionFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dagster as dg

    from ct_assets import run
    from ct_assets.dicom import series
    from ct_assets.installation import resources

    read: list[Path] = []
    monkeypatch.setattr(series, "read_header", lambda path: (read.append(path), read_header(path))[1])
    series._read_once.cache_clear()
    outcome = run.annotate(chests, instance=dg.DagsterInstance.ephemeral(), resources=resources(), again=True)
    assert outcome.complete
    assert len(read) == len(set(read)) == 79 + 60
    assert isinstance(CtSeries.cached(read[-60:]), CtSeries)
