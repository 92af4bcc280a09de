"""Reports of a collection: which are validated, what is known already, and what the command says."""

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from ct_assets.cli.main import main
from ct_assets.collection import ReportValidation
from ct_assets.dicom import report_validator
from ct_assets.dicom.validators import ValidationOutcome
from ct_assets.settings import settings
from ct_assets.sr_validation.cohort import chosen_series, rejections, validate_cohort
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import SR_VALIDATION
from tests.dicom_sr.conftest import Annotated
from tests.dicom_sr.stored import store

ALL = ReportValidation()
UIDS = [f"1.2.{number}" for number in range(500)]


def test_small_collections_are_validated_whole_and_large_ones_by_a_sample_that_stays() -> None:
    settings = ReportValidation(all_up_to=499, sample=20)
    sample = chosen_series(UIDS, settings)
    assert chosen_series(UIDS[:499], settings) == sorted(UIDS[:499])
    assert len(sample) == 20
    assert chosen_series(reversed(UIDS), settings) == sample
    assert chosen_series(UIDS, settings.model_copy(update={"seed": 1})) != sample
    more = chosen_series([*UIDS, "1.3"], settings)
    assert len(set(more) & set(sample)) >= 19, "another series changes the sample by at most one"


@pytest.fixture
def collection(small: Annotated, tmp_path: Path) -> CollectionFolder:
    """A collection with one series, whose regions are damaged."""
    folder = store(small, tmp_path / "demo")
    folder.regions_sr.write_bytes(folder.regions_sr.read_bytes()[:2000])
    return CollectionFolder(tmp_path / "demo")


def test_a_damaged_report_is_named_and_what_is_known_is_not_asked_again(
    collection: CollectionFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    found = validate_cohort(collection, ALL, lambda done, of_all: seen.append((done, of_all)))
    assert (found.reused, found.chosen, found.series) == (0, 1, 1)
    assert found.outcome is ValidationOutcome.REJECTED
    assert found.rows["outcome"].tolist() == ["accepted", "accepted", "rejected"]
    (text,) = rejections(found.rows)
    assert "sr/regions.dcm" in text
    assert (seen[0], seen[-1]) == ((0, 3), (3, 3))
    monkeypatch.setattr(report_validator, "_DRIVER", Path("/nowhere/Driver.java"))
    again = validate_cohort(collection, ALL)
    assert again.reused == 3
    pd.testing.assert_frame_equal(SR_VALIDATION.read(collection.cohort.sr_validation), found.rows, check_dtype=False)


def test_not_installed_is_recorded_and_asked_again_later(
    collection: CollectionFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as absent:
        absent.setattr(report_validator, "PIXELMED_JAR", tmp_path / "absent.jar")
        found = validate_cohort(collection, ALL)
    assert found.outcome is ValidationOutcome.NOT_INSTALLED
    assert validate_cohort(collection, ALL).reused == 0


def test_the_command_says_what_was_rejected(
    collection: CollectionFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CT_ASSETS_HOME", str(tmp_path))
    settings.cache_clear()
    try:
        result = CliRunner().invoke(main, ["validate", "demo"])
    finally:
        settings.cache_clear()
    assert result.exit_code == 3, result.output
    assert "3 reports of 1 of 1 series (0 known before): 1 rejected." in result.output
