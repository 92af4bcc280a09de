"""Losing Dagster's database loses nothing that is shown: it is told anew from the store."""

import shutil
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest
from dagster._core.test_utils import instance_for_test

from ct_assets import run
from ct_assets.cli.main import folder_collection
from ct_assets.definitions import collection_definitions
from ct_assets.installation import resources
from ct_assets.review.record import Opinion, record_verdict
from ct_assets.review.verdict import Decision
from ct_assets.state.restore import Restored, restore
from ct_assets.state.stored import DamagedFileError, series_files
from ct_assets.step_name import STAGES
from ct_assets.store.paths import SeriesFolder
from resources.series_store import SeriesStore
from sensors.missing_series import missing_series_schedule
from tests.state.small_series import Annotated, shown


@pytest.fixture(scope="module")
def annotated(shared_data, model_home, tmp_path_factory) -> Iterator[Annotated]:
    """A small lung CT in a folder with two that are unfit, annotated in an instance of its own."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(shared_data / "real/ibsi_lung_ct/dicom/image", source / "fit", copy_function=shutil.copyfile)
    shutil.copytree(shared_data / "real/odd_geometry", source / "odd", copy_function=shutil.copyfile)
    collection = folder_collection(source, {"model": "demo", "tta": False})
    store = SeriesStore(root=str(model_home), folders={collection.name: str(tmp_path_factory.mktemp("store"))})
    with instance_for_test() as instance:
        outcome = run.annotate(collection, instance=instance, resources={**resources(), "series_store": store})
        assert [one.status for one in outcome.series].count("annotated") == 1
        yield Annotated(collection, store, instance)


@pytest.fixture
def copied(annotated, tmp_path) -> Annotated:
    """The same with a store that a test may damage."""
    shutil.copytree(annotated.folder, tmp_path / "store")
    store = SeriesStore(root=annotated.store.root, folders={annotated.collection.name: str(tmp_path / "store")})
    return Annotated(annotated.collection, store, annotated.instance)


def _restore(of: Annotated, instance: dg.DagsterInstance) -> Restored:
    return restore(of.collection, instance, of.store, of.assets)


def _series(of: Annotated) -> SeriesFolder:
    [folder] = of.store.collection(of.collection.name).all_series()
    return folder


def test_the_web_ui_shows_the_same_as_before(annotated, instance):
    before = shown(annotated.instance, annotated.collection)
    assert len(before["checks"]) == 26
    assert {status for status, _ in before["checks"].values()} == {"SUCCEEDED", "FAILED"}
    restored = _restore(annotated, instance)
    assert shown(instance, annotated.collection) == before
    assert restored.partitions == 1
    assert restored.materializations == dict.fromkeys(("cohort_table", *STAGES, "cohort_report"), 1)
    assert (restored.checks, restored.known, restored.damaged) == (len(before["checks"]), 0, [])


def test_what_is_known_is_left(annotated, instance):
    _restore(annotated, instance)
    events = instance.event_log_storage.get_maximum_record_id()
    again = _restore(annotated, instance)
    assert (again.partitions, sum(again.materializations.values()), again.checks) == (0, 0, 0)
    assert again.known == len(STAGES) + 2
    assert instance.event_log_storage.get_maximum_record_id() == events


def test_the_instance_that_annotated_needs_nothing(annotated):
    before = shown(annotated.instance, annotated.collection)
    restored = _restore(annotated, annotated.instance)
    assert (restored.partitions, sum(restored.materializations.values()), restored.checks) == (0, 0, 0)
    assert shown(annotated.instance, annotated.collection) == before


def test_a_materialization_says_that_it_was_restored_from_where_and_when_it_was_made(annotated, instance):
    _restore(annotated, instance)
    folder = _series(annotated)
    [record] = instance.fetch_materializations(annotated.scope.key("qc_report"), limit=9).records
    metadata = record.asset_materialization.metadata
    assert metadata["restored"].value is True
    assert metadata["folder"].value == str(folder.path)
    assert metadata["made"].value == max(folder.qc_table.stat().st_mtime, folder.qc_page.stat().st_mtime)


def test_the_schedule_asks_for_nothing_that_is_there(annotated, instance):
    _restore(annotated, instance)
    assert instance.get_dynamic_partitions(str(annotated.scope.partitions.name))
    with dg.build_schedule_context(instance=instance, resources={"series_store": annotated.store}) as context:
        asked = missing_series_schedule(annotated.scope)(context)
    assert "no series is missing" in str(asked)


def test_verdicts_are_as_they_were_and_decide_the_restored_checks(copied, instance):
    """A rule that fails shows as passed once a reviewer has accepted what it found."""
    store, folder = copied.store.collection(copied.collection.name), _series(copied)
    record_verdict(store, copied.collection.name, folder.series_instance_uid, Opinion(Decision.ACCEPT, "Jane Doe"))
    verdicts = {path: path.read_bytes() for path in store.reviews.rglob("*.json")}
    _restore(copied, instance)
    assert {path: path.read_bytes() for path in store.reviews.rglob("*.json")} == verdicts
    checks = shown(instance, copied.collection)["checks"]
    of_qc = [status for (name, uid), (status, _) in checks.items() if "qc_report" in name and uid]
    assert set(of_qc) == {"SUCCEEDED"}
    before = shown(copied.instance, copied.collection)["checks"]
    assert "FAILED" in {status for (name, uid), (status, _) in before.items() if "qc_report" in name and uid}


@pytest.mark.parametrize(
    ("asset", "file"),
    [
        ("ct_nifti", lambda folder: folder.ct_nifti),
        ("organ_seg", lambda folder: folder.label_map("3d_fullres")),
        ("bpr_json", lambda folder: folder.bpr_record),
        ("shape_features", lambda folder: folder.shape_features),
        ("dicom_seg", lambda folder: folder.seg("3d_fullres")),
        ("dicom_sr", lambda folder: folder.measurement_groups),
        ("qc_report", lambda folder: folder.qc_table),
    ],
)
def test_a_damaged_file_is_named_with_the_remedy(copied, asset, file):
    folder = _series(copied)
    assert series_files(asset, folder, copied.collection)
    path = file(folder)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DamagedFileError, match="materialize") as damaged:
        series_files(asset, folder, copied.collection)
    assert str(path) in str(damaged.value)


@pytest.mark.parametrize("instance", ["sqlite"], indirect=True)
def test_assets_with_damaged_files_are_not_restored_and_the_others_are(copied, instance):
    folder = _series(copied)
    for path in (folder.label_map("3d_fullres"), folder.qc_page):
        path.unlink()
    restored = _restore(copied, instance)
    assert [name for name, count in restored.materializations.items() if not count] == ["organ_seg", "qc_report"]
    assert [name.partition(":")[0] for name in restored.damaged] == [
        str(folder.label_map("3d_fullres")), str(folder.qc_page)
    ]  # fmt: skip
    checks = shown(instance, copied.collection)["checks"]
    assert not [name for name, uid in checks if uid and "organ_seg" in name]


@pytest.mark.parametrize("instance", ["sqlite"], indirect=True)
def test_an_asset_that_was_not_made_is_missing_and_nothing_is_damaged(copied, instance):
    folder = _series(copied)
    for path in (folder.qc_table, folder.qc_page):
        path.unlink()
    restored = _restore(copied, instance)
    assert restored.materializations["qc_report"] == 0
    assert restored.damaged == []


@pytest.mark.parametrize("instance", ["sqlite"], indirect=True)
def test_a_store_without_a_cohort_table_is_named_with_the_remedy(copied, instance):
    copied.store.collection(copied.collection.name).cohort.cohort.unlink()
    restored = _restore(copied, instance)
    assert "run ct-assets cohort annotations first" in restored.damaged[0]
    assert (restored.partitions, restored.materializations) == (0, {})


@pytest.mark.parametrize("instance", ["sqlite"], indirect=True)
def test_checks_that_only_a_run_tells_are_left_open_where_annotate_did_not_note_them(copied, instance):
    """The service writes no complete.json."""
    _series(copied).completion.unlink()
    restored = _restore(copied, instance)
    assert restored.damaged == []
    before, after = (shown(one, copied.collection)["checks"] for one in (copied.instance, instance))
    missing = set(before) - set(after)
    assert {name.rpartition(":")[2] for name, _ in missing} == {
        "geometry_matches_dicom", "seg_reads_back", "seg_dciodvfy", "sr_reads_back", "sr_dciodvfy"
    }  # fmt: skip


@pytest.mark.parametrize("where", ["annotated", "restored"])
@pytest.mark.parametrize("instance", ["sqlite"], indirect=True)
def test_a_raised_code_version_marks_a_partition_as_stale_in_both(annotated, instance, where):
    if where == "restored":
        _restore(annotated, instance)
    used = annotated.instance if where == "annotated" else instance
    uid = _series(annotated).series_instance_uid
    statuses = {}
    for raised in (None, "dicom_seg"):
        changed = annotated.scope.key(raised) if raised else None
        assets = [_raised(asset) if changed in asset.keys else asset for asset in annotated.assets]
        graph = dg.Definitions(assets=assets, resources=resources()).resolve_asset_graph()
        resolver = CachingStaleStatusResolver(used, graph, LoadingContextForTest(used))
        statuses[raised] = {asset: resolver.get_status(annotated.scope.key(asset), uid) for asset in STAGES}
    assert set(statuses[None].values()) == {StaleStatus.FRESH}
    assert statuses["dicom_seg"]["dicom_seg"] is StaleStatus.STALE
    assert statuses["dicom_seg"]["organ_seg"] is StaleStatus.FRESH


def _raised(asset: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """Return an asset whose code version is another one."""
    return asset.map_asset_specs(lambda spec: spec.replace_attributes(code_version=f"{spec.code_version}+1"))


def test_every_asset_has_a_code_version(annotated):
    assert collection_definitions(annotated.collection).assets
    for asset in annotated.assets:
        assert all(spec.code_version for spec in asset.specs), asset.key
