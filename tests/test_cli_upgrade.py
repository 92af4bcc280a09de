"""`ct-assets upgrade`: what it says, and with which exit code."""

import pytest
from click.testing import CliRunner, Result

from ct_assets.cli.main import main
from ct_assets.settings import settings
from ct_assets.store.paths import CollectionFolder
from tests.review.small_store import add_series
from tests.upgrade.old_files import UID, ct_rows, write_old


@pytest.fixture
def store(tmp_path, monkeypatch) -> CollectionFolder:
    monkeypatch.setenv("CT_ASSETS_HOME", str(tmp_path))
    settings.cache_clear()
    yield CollectionFolder(tmp_path / "demo")
    settings.cache_clear()


def _call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["upgrade", *arguments], catch_exceptions=False)


def test_a_current_store_and_database_are_said_to_be_so(store):
    add_series(store, 1)
    result = _call()
    assert result.exit_code == 0, result.output
    assert "demo: 0 files migrated, 7 already current, 0 to be made again, 0 newer, 0 damaged." in result.output
    assert "Dagster's database: already current." in result.output


def test_what_can_be_migrated_is_and_what_must_be_made_again_is_told_with_the_command(store):
    add_series(store, 1)
    write_old(store, "instances", 2, ct_rows(2))
    write_old(store, "shape_features", 2)
    dry = _call("demo", "--dry-run")
    assert dry.exit_code == 3
    assert "1 files to migrate" in dry.output
    result = _call("demo")
    assert result.exit_code == 3
    for part in (
        "demo: 1 files migrated, 7 already current, 1 to be made again",
        "migrated: instances 2 -> 3: 1",
        "shape_features of 1 series must be made again:",
        "parts and borders of the organs are only in the segmentations",
        f"""--partition {UID} --select 'key:"demo/shape_features"+ and not (key:"demo/cohort_report" or """,
    ):
        assert part in result.output
    assert "0 files migrated, 8 already current" in _call("demo").output


def test_a_folder_without_results_is_refused_with_exit_code_1(store, tmp_path):
    result = _call("nothing")
    assert result.exit_code == 1
    assert "nothing: no collection with results" in result.output
    assert _call().exit_code == 1
