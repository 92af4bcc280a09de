"""Checks ask for review until somebody accepts, per series and over the cohort."""

from typing import Any

import dagster as dg
import pytest

from ct_assets.cohort_report.checks import cohort_report_checks
from ct_assets.collection import load_collections
from ct_assets.partitions import scopes
from ct_assets.qc_report.checks import qc_report_checks
from ct_assets.qc_report.reviewed import review_series
from ct_assets.review.record import Opinion
from ct_assets.review.verdict import Decision
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import QC
from resources.series_store import SeriesStore
from tests.review.small_store import damage_reviews, uid, write_qc

FAILING = {("sphericity", "2d", "heart"): 4.0, ("sphericity", "3d_fullres", "aorta"): 9.0}


@pytest.fixture
def failing(store: CollectionFolder) -> CollectionFolder:
    write_qc(store.series(uid(1)), 1, FAILING)
    write_qc(store.series(uid(2)), 2, {})
    return store


def outcomes(store: CollectionFolder) -> dict[str, dg.AssetCheckEvaluation]:
    """Evaluate the checks of series 1, and of the cohort as its qc.parquet is."""
    demo = next(one for one in load_collections() if one.name == "demo")
    [scope] = scopes(demo)
    found: dict[str, dg.AssetCheckEvaluation] = {}
    for key, checks, partitioned in (
        (scope.key("qc_report"), qc_report_checks(scope), True),
        (scope.cohort_key("cohort_report"), cohort_report_checks(scope), False),
    ):
        asset = dg.asset(key=key, partitions_def=scope.partitions if partitioned else None)(lambda: None)
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions(scope.partitions.name, [uid(1)])
            result = dg.materialize(
                [asset, *checks],
                instance=instance,
                partition_key=uid(1) if partitioned else None,
                resources={"series_store": SeriesStore(root=str(store.path.parent), pages_url="http://pages")},
            )
        found |= {f"{key.path[-1]}/{one.check_name}": one for one in result.get_asset_check_evaluations()}
    return found


def shown(evaluation: dg.AssetCheckEvaluation, name: str) -> Any:
    return evaluation.metadata[name].value


def test_a_failure_asks_for_review_worst_first_with_the_page(failing: CollectionFolder) -> None:
    _compact(failing)
    found = outcomes(failing)
    series, cohort = found["qc_report/sphericity"], found["cohort_report/sphericity"]
    assert not series.passed
    assert series.severity is dg.AssetCheckSeverity.WARN
    assert (shown(series, "outcome"), shown(series, "review")) == ("fail", "2 unreviewed")
    first = series.metadata["values"].records[0].data
    assert (first["subject"], first["model"], first["beyond limit in %"]) == ("aorta", "3d_fullres", 300.0)
    address = f"http://pages/{failing.path.name}/series/{uid(1)}/qc.html"
    assert shown(series, "page") == shown(cohort, "worst series 1") == address
    assert not cohort.passed
    assert (shown(cohort, "findings to review"), shown(cohort, "series: fail"), shown(cohort, "series: pass")) == (
        2,
        1,
        1,
    )
    assert cohort.metadata["worst"].records[0].data["subject"] == "aorta"
    assert {name for name, one in found.items() if not one.passed} == {
        "qc_report/sphericity",
        "cohort_report/sphericity",
    }
    assert len(found) == 18


def test_what_is_accepted_passes_and_says_so(failing: CollectionFolder) -> None:
    _compact(failing)
    review_series(failing, "demo", uid(1), Opinion(Decision.ACCEPT, "Jane Doe", "2d"))
    found = outcomes(failing)
    assert shown(found["qc_report/sphericity"], "review") == "1 unreviewed, 1 accepted"
    assert not found["qc_report/sphericity"].passed
    assert shown(found["cohort_report/sphericity"], "findings to review") == 1
    review_series(failing, "demo", uid(1), Opinion(Decision.ACCEPT, "Jane Doe"))
    found = outcomes(failing)
    assert shown(found["qc_report/sphericity"], "outcome") == "fail", "the value is as it was"
    assert all(one.passed for one in found.values())


def test_what_is_rejected_stays_failed_for_the_series_and_waits_for_nobody(failing: CollectionFolder) -> None:
    _compact(failing)
    review_series(failing, "demo", uid(1), Opinion(Decision.REJECT, "Jane Doe"))
    found = outcomes(failing)
    assert (found["qc_report/sphericity"].passed, found["cohort_report/sphericity"].passed) == (False, True)
    assert shown(found["qc_report/sphericity"], "review") == "2 rejected"
    cohort = found["cohort_report/sphericity"]
    assert [shown(cohort, name) for name in ("rejected by reviewers", "series: fail", "series: pass")] == [1, 0, 1]


def test_a_damaged_history_accepts_nothing(failing: CollectionFolder) -> None:
    _compact(failing)
    review_series(failing, "demo", uid(1), Opinion(Decision.ACCEPT, "Jane Doe"))
    damage_reviews(failing, uid(1))
    found = outcomes(failing)
    assert shown(found["qc_report/sphericity"], "review") == "2 unknown: damaged history"
    assert not found["qc_report/sphericity"].passed
    assert not found["cohort_report/sphericity"].passed


def _compact(store: CollectionFolder) -> None:
    """Write the QC tables of the series as one, as cohort_report does."""
    from ct_assets.cohort_report.compact import compact

    rows, _ = compact(QC, [folder.qc_table for folder in store.all_series()], "qc_report")
    QC.write(rows, store.cohort.qc_table)
