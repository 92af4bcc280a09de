"""The asset sr_validation runs when it is asked for, and never in the run of a series or of annotate."""

from pathlib import Path

import dagster as dg
import pytest

from ct_assets import run
from ct_assets.collection import Collection, load_collections
from ct_assets.dicom.validators import Validation, ValidationOutcome
from ct_assets.installation import resources
from ct_assets.partitions import scopes
from ct_assets.sr_validation import cohort
from ct_assets.sr_validation.asset import sr_validation
from ct_assets.sr_validation.checks import sr_validation_checks
from ct_assets.store.paths import CollectionFolder
from resources.series_store import SeriesStore

ACCEPTED = Validation("DicomSRValidator", ValidationOutcome.ACCEPTED)
REJECTED = Validation("DicomSRValidator", ValidationOutcome.REJECTED, ("Error: of the template",))
ABSENT = Validation("DicomSRValidator", ValidationOutcome.NOT_INSTALLED)


@pytest.fixture
def demo() -> Collection:
    return next(collection for collection in load_collections() if collection.name == "demo")


@pytest.mark.parametrize("shards", [1, 2])
def test_no_job_validates_by_the_way(demo: Collection, shards: int) -> None:
    collection = demo.model_copy(update={"shards": shards})
    definitions = run._definitions(collection, resources(), lambda _uid, _stage: None)
    names = [scope.job.name for scope in scopes(collection)] + [run._COHORT_JOB, run._REPORT_JOB]
    for name in names:
        layer = definitions.resolve_job_def(name).asset_layer
        keys = {*layer.selected_asset_keys, *(check.asset_key for check in layer.asset_graph.asset_check_keys)}
        assert keys
        assert "sr_validation" not in {key.path[-1] for key in keys}, name


def _materialize(
    demo: Collection, home: Path, monkeypatch: pytest.MonkeyPatch, verdict: Validation
) -> dg.AssetCheckEvaluation:
    """Materialize the asset alone and return what its check says."""
    monkeypatch.setattr(cohort, "validate_reports", lambda paths: ((path, verdict) for path in paths))
    scope = scopes(demo)[0]
    result = dg.materialize(
        [sr_validation(scope), *sr_validation_checks(scope)], resources={"series_store": SeriesStore(root=str(home))}
    )
    assert result.success
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation


@pytest.mark.parametrize(
    ("verdict", "outcome", "problem"),
    [
        (ACCEPTED, "pass", "none"),
        (REJECTED, "fail", "1.2.3: sr/regions.dcm: Error: of the template"),
        (ABSENT, "not installed", cohort.REMEDY),
    ],
)
def test_the_check_says_what_the_validator_says(
    demo: Collection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verdict: Validation,
    outcome: str,
    problem: str,
) -> None:
    report = CollectionFolder(tmp_path / "demo").series("1.2.3").regions_sr
    report.parent.mkdir(parents=True)
    report.write_text("a report")
    evaluation = _materialize(demo, tmp_path, monkeypatch, verdict)
    assert evaluation.passed == (outcome == "pass")
    assert evaluation.severity is dg.AssetCheckSeverity.WARN
    assert evaluation.metadata["outcome"].value == outcome
    assert evaluation.metadata["problems"].value == problem


def test_nothing_to_validate_is_not_passed_off_as_good(
    demo: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation = _materialize(demo, tmp_path, monkeypatch, ACCEPTED)
    assert not evaluation.passed
    assert evaluation.metadata["outcome"].value == "not evaluated"
