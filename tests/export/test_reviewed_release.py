"""A release of real CT after reviews: what is refused, what is left out, and what is not."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pydicom
import pytest
from click.testing import CliRunner, Result

from ct_assets import run
from ct_assets.cli.main import main
from ct_assets.collection import Collection
from ct_assets.installation import resources
from ct_assets.review.digests import read_judgeable
from ct_assets.review.record import Opinion, record_verdict
from ct_assets.review.verdict import Decision
from ct_assets.settings import settings
from ct_assets.store.paths import CollectionFolder, SeriesFolder
from ct_assets.store.tables import LANDMARKS, QC
from tests.review.small_store import damage_reviews

MOMENT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
TABLES = ("measurement_groups", "quantitative_measurements", "qualitative_measurements")


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def results(chests: Collection) -> CollectionFolder:
    """The results, validated."""
    assert _run("validate", "chests").exit_code == 0
    return CollectionFolder(Path(settings().home) / "chests")


@pytest.fixture
def store(results: CollectionFolder) -> Iterator[CollectionFolder]:
    """The results; verdicts are forgotten after the test."""
    yield results
    shutil.rmtree(results.reviews, ignore_errors=True)


@pytest.fixture
def series(store: CollectionFolder) -> SeriesFolder:
    return store.all_series()[0]


def say(store: CollectionFolder, folder: SeriesFolder, verdict: str, model: str = "", subject: str = "") -> None:
    opinion = Opinion(Decision(verdict), "Jane Doe", model, subject, "leaks\ninto the liver")
    before = len(list((store.reviews / folder.series_instance_uid).glob("*.json")))
    moment = MOMENT + timedelta(seconds=before)
    record_verdict(store, "chests", folder.series_instance_uid, opinion, now=moment)


def export(tmp_path: Path, code: int = 0) -> dict[str, Any]:
    result = _run("export", "chests", "--out", tmp_path / "out")
    assert result.exit_code == code, result.output
    manifest: dict[str, Any] = json.loads((tmp_path / "out/manifest.json").read_text())
    return manifest


def released(manifest: dict[str, Any], folder: SeriesFolder) -> dict[str, Any]:
    [one] = [one for one in manifest["series"] if one["SeriesInstanceUID"] == folder.series_instance_uid]
    return dict(one)


def files(one: dict[str, Any]) -> set[str]:
    return {entry["file"].split("/", 2)[2] for entry in one["objects"]}


@pytest.mark.parametrize(("verdict", "said"), [("reject", "rejected"), ("needs correction", "said to need correction")])
def test_a_series_that_is_not_good_is_refused_by_name(
    store: CollectionFolder, series: SeriesFolder, tmp_path: Path, verdict: str, said: str
) -> None:
    say(store, series, verdict)
    manifest = export(tmp_path, code=3)
    reason = f"review: {said} on 2026-03-01 12:30 UTC"
    assert manifest["refused"] == {series.series_instance_uid: [reason]}
    assert not list((tmp_path / "out").rglob(f"*{series.series_instance_uid}*"))


def test_a_model_is_left_out_with_its_rows(store: CollectionFolder, series: SeriesFolder, tmp_path: Path) -> None:
    say(store, series, "reject", "3d_fullres", "heart")
    manifest = export(tmp_path)
    one = released(manifest, series)
    assert files(one) == {"sr/landmarks.dcm", "sr/regions.dcm"}
    reason = "review: rejected on 2026-03-01 12:30 UTC (heart by 3d_fullres)"
    assert {name: one["absent"][name] for name in ("seg/3d_fullres", "sr/3d_fullres")} == dict.fromkeys(
        ("seg/3d_fullres", "sr/3d_fullres"), reason
    )
    gone = pydicom.dcmread(series.features_sr("3d_fullres"), stop_before_pixels=True).SOPInstanceUID
    kept = {
        pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID
        for path in (tmp_path / "out/dicom").rglob("sr/*.dcm")
    }
    for name in TABLES:
        rows = pq.read_table(tmp_path / f"out/tables/{name}.parquet")
        present = set(rows["SOPInstanceUID"].to_pylist())
        assert present
        assert gone not in present
        assert present <= kept
    numbers = pq.read_table(tmp_path / "out/tables/quantitative_measurements.parquet")
    [table] = [one for one in manifest["tables"] if one["file"] == "tables/quantitative_measurements.parquet"]
    assert table["rows"] == numbers.num_rows == 4 * 14


@pytest.mark.parametrize(
    ("subject", "left_out"),
    [
        ("Th4", {"sr/landmarks"}),
        ("lung", {"sr/landmarks"}),
        ("chest", {"sr/regions"}),
        ("slice scores", {"sr/landmarks", "sr/regions"}),
        ("", {"sr/landmarks", "sr/regions"}),
    ],
)
def test_what_the_body_part_regression_found_is_left_out(
    store: CollectionFolder, series: SeriesFolder, tmp_path: Path, subject: str, left_out: set[str]
) -> None:
    say(store, series, "needs correction", "demo", subject)
    one = released(export(tmp_path), series)
    assert {name for name, why in one["absent"].items() if why.startswith("review:")} == left_out
    assert not {f"{name}.dcm" for name in left_out} & files(one)
    assert "seg/3d_fullres.dcm" in files(one)


def test_a_series_of_which_nothing_is_left_is_refused(
    store: CollectionFolder, series: SeriesFolder, tmp_path: Path
) -> None:
    say(store, series, "reject", "3d_fullres")
    say(store, series, "reject", "demo")
    assert list(export(tmp_path, code=3)["refused"]) == [series.series_instance_uid]


def test_only_a_later_verdict_lifts_a_rejection_not_other_content(
    store: CollectionFolder, series: SeriesFolder, tmp_path: Path
) -> None:
    say(store, series, "reject")
    record_verdict(store, "chests", series.series_instance_uid, Opinion(Decision.ACCEPT, "John Roe"))
    assert len(files(released(export(tmp_path), series))) == 4
    shutil.rmtree(tmp_path / "out")
    shutil.rmtree(store.reviews)
    kept = series.landmarks.read_bytes()
    rows = LANDMARKS.read(series.landmarks)
    LANDMARKS.write(rows.assign(position_mm=rows["position_mm"] + 1), series.landmarks)
    say(store, series, "reject")
    series.landmarks.write_bytes(kept)
    [[reason]] = export(tmp_path, code=3)["refused"].values()
    assert reason.endswith("; it has changed since, and nobody has reviewed it again")
    shutil.rmtree(tmp_path / "out")
    say(store, series, "accept")
    assert len(files(released(export(tmp_path), series))) == 4


def test_a_damaged_history_refuses_the_series_and_no_other(
    store: CollectionFolder, series: SeriesFolder, tmp_path: Path
) -> None:
    say(store, series, "accept")
    damage_reviews(store, series.series_instance_uid)
    [(uid, [reason])] = export(tmp_path, code=3)["refused"].items()
    assert uid == series.series_instance_uid
    assert reason == "review: the history of the series is damaged: see ct-assets review --history"


def test_reviews_that_cannot_be_read_at_all_stop_the_release(
    store: CollectionFolder, series: SeriesFolder, tmp_path: Path
) -> None:
    store.reviews.write_text("no folder")
    try:
        result = _run("export", "chests", "--out", tmp_path / "out")
    finally:
        store.reviews.unlink()
    assert result.exit_code == 1
    assert "is damaged" in result.output
    assert not (tmp_path / "out").exists()


def test_findings_that_nobody_has_judged_refuse_nothing_and_are_counted(
    store: CollectionFolder, series: SeriesFolder, tmp_path: Path
) -> None:
    failing = int((QC.read(series.qc_table)["outcome"] == "fail").sum())
    assert failing
    assert released(export(tmp_path), series)["unreviewed_findings"] == failing
    shutil.rmtree(tmp_path / "out")
    say(store, series, "accept")
    assert released(export(tmp_path), series)["unreviewed_findings"] == 0


def test_annotating_again_keeps_a_verdict(
    chests: Collection, store: CollectionFolder, series: SeriesFolder, tmp_path: Path
) -> None:
    say(store, series, "reject")
    before = read_judgeable(series)
    made = series.label_map_record("3d_fullres").stat().st_mtime_ns
    assert run.annotate(chests, instance=dg.DagsterInstance.ephemeral(), resources=resources(), again=True).complete
    assert series.label_map_record("3d_fullres").stat().st_mtime_ns > made
    assert read_judgeable(series) == before
    assert _run("validate", "chests").exit_code == 0
    assert list(export(tmp_path, code=3)["refused"]) == [series.series_instance_uid]


def test_the_same_verdicts_give_the_same_files(store: CollectionFolder, series: SeriesFolder, tmp_path: Path) -> None:
    say(store, series, "reject", "3d_fullres")
    for name in ("first", "second"):
        assert _run("export", "chests", "--out", tmp_path / name).exit_code == 0
    for path in (tmp_path / "first").rglob("*"):
        if path.is_file():
            assert (tmp_path / "second" / path.relative_to(tmp_path / "first")).read_bytes() == path.read_bytes()


def test_label_maps_that_are_not_good_are_not_exported_either(
    store: CollectionFolder, series: SeriesFolder, tmp_path: Path
) -> None:
    uid, [model] = series.series_instance_uid, list(read_judgeable(series).label_maps)
    assert _run("export-nifti", uid, "--out", tmp_path / "a").exit_code == 0
    say(store, series, "needs correction", model, "heart")
    for arguments in ((), ("--model", model)):
        result = _run("export-nifti", uid, *arguments, "--out", tmp_path / "b")
        assert result.exit_code == 1
        assert f"review: said to need correction on 2026-03-01 12:30 UTC (heart by {model})" in result.output
    say(store, series, "accept")
    assert _run("export-nifti", uid, "--out", tmp_path / "b").exit_code == 0, "the latest verdict counts"
    say(store, series, "reject")
    assert "review: rejected on 2026" in _run("export-nifti", uid, "--out", tmp_path / "c").output
    damage_reviews(store, uid)
    result = _run("export-nifti", uid, "--out", tmp_path / "c")
    assert (result.exit_code, "is damaged" in result.output) == (1, True)
    assert not list(tmp_path.glob("c/*"))
