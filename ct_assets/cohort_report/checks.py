"""Checks of cohort_report: one per rule over all series of any number; they fail while a finding waits for review."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from ct_assets.partitions import Scope
from ct_assets.qc_report.applicable import rules_of
from ct_assets.qc_report.checks import BEYOND, value_table
from ct_assets.qc_report.rule import Outcome, Rule
from ct_assets.qc_report.wording import RULE_DESCRIPTIONS
from ct_assets.store.paths import CollectionFolder
from resources.series_store import SeriesStore

if TYPE_CHECKING:
    import pandas as pd


_SHOWN = 25
_PAGES_SHOWN = 5
_COLUMNS = ("series", "model", "subject", "value", "limits", BEYOND, "state")


def cohort_report_checks(scope: Scope) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a collection's cohort_report."""
    key = scope.cohort_key("cohort_report")

    @dg.multi_asset_check(
        name=f"{'_'.join(key.path)}_checks",
        specs=[
            dg.AssetCheckSpec(str(rule), asset=key, description=f"All series: {RULE_DESCRIPTIONS[rule]}")
            for rule in rules_of(scope.collection)
        ],
        can_subset=True,  # so that the UI can execute a check alone
    )
    def cohort_report_checks(
        context: dg.AssetCheckExecutionContext, series_store: SeriesStore
    ) -> Iterator[dg.AssetCheckResult]:
        yield from cohort_results(scope, series_store, _asked_for(context, key))

    return [cohort_report_checks]


def cohort_results(scope: Scope, series_store: SeriesStore, rules: Sequence[Rule]) -> Iterator[dg.AssetCheckResult]:
    """Return what the cohort's QC table and the verdicts say, one result per rule.

    Parameters
    ----------
    scope : Scope
        The collection.
    series_store : SeriesStore
        Where its files are.
    rules : sequence of Rule
        Rules to tell of.
    """
    from ct_assets.cohort_report.queue import review_queue
    from ct_assets.cohort_report.rejected import without_rejected
    from ct_assets.qc_report.finding import series_outcomes
    from ct_assets.store.tables import QC

    store = series_store.collection(scope.collection.name)
    qc, rejected = without_rejected(QC.read(store.cohort.qc_table), store)
    outcomes = series_outcomes(qc).values()
    queue = review_queue(store)
    waiting = queue.findings
    for rule in rules:
        counts = {outcome: sum(of.get(rule) is outcome for of in outcomes) for outcome in Outcome}
        judged = counts[Outcome.PASS] + counts[Outcome.FAIL]
        mine = waiting[waiting["rule"] == str(rule)]
        yield dg.AssetCheckResult(
            check_name=str(rule),
            asset_key=scope.cohort_key("cohort_report"),
            passed=mine.empty and not queue.problems,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "findings to review": len(mine),
                "series to review": int(mine["series"].nunique()),
                **{f"series: {outcome}": count for outcome, count in counts.items()},
                "rejected by reviewers": len(rejected),
                "passing share of judged": round(counts[Outcome.PASS] / judged, 4) if judged else "nothing judged",
                "could not be read": "; ".join(queue.problems) or "none",
                "worst": value_table(_shown(mine), _COLUMNS),
                **_pages(mine, store, series_store),
                "report": series_store.link(store.cohort.report),
            },
        )


def _asked_for(context: dg.AssetCheckExecutionContext, key: dg.AssetKey) -> list[Rule]:
    return [rule for rule in Rule if dg.AssetCheckKey(key, str(rule)) in context.selected_asset_check_keys]


def _shown(findings: "pd.DataFrame") -> "pd.DataFrame":
    """Name series by the end of their UID, because the UI does not wrap tables; whole UIDs are in the links."""
    worst_first = findings.head(_SHOWN)
    shortened = "\u2026" + worst_first["series"].str[-12:]
    return worst_first.assign(series=shortened, **{BEYOND: 100 * worst_first["severity"]})


def _pages(findings: "pd.DataFrame", store: CollectionFolder, series_store: SeriesStore) -> dict[str, dg.MetadataValue]:
    """Link the pages of the worst series, one entry each, because the UI shows no link within a table."""
    uids = findings["series"].drop_duplicates().iloc[:_PAGES_SHOWN]
    return {f"worst series {rank}": series_store.link(store.series(uid).qc_page) for rank, uid in enumerate(uids, 1)}
