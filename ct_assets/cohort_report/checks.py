"""Checks of cohort_report: one per rule over all series, for a collection of any size; a failure asks for review."""

from collections.abc import Iterator

import dagster as dg

from ct_assets.partitions import Scope
from ct_assets.qc_report.checks import value_table
from ct_assets.qc_report.finding import Outcome, worst
from ct_assets.qc_report.scale import rules_of
from ct_assets.qc_report.wording import RULE_DESCRIPTIONS
from ct_assets.store.tables import QC
from resources.series_store import SeriesStore

_SHOWN = 25
_COLUMNS = ("SeriesInstanceUID", "model", "subject", "value", "unit", "lower", "upper")


def cohort_report_checks(scope: Scope) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a collection's cohort_report."""
    key, name = scope.cohort_key("cohort_report"), scope.collection.name
    rules = rules_of(scope.collection)

    @dg.multi_asset_check(
        name=f"{'_'.join(key.path)}_checks",
        specs=[
            dg.AssetCheckSpec(str(rule), asset=key, description=f"All series: {RULE_DESCRIPTIONS[rule]}")
            for rule in rules
        ],
    )
    def cohort_report_checks(series_store: SeriesStore) -> Iterator[dg.AssetCheckResult]:
        store = series_store.collection(name)
        qc = QC.read(store.cohort.qc_table)
        for rule in rules:
            rows = qc[qc["rule"] == str(rule)]
            by_series = rows.groupby("SeriesInstanceUID")["outcome"].agg(worst)
            counts = {outcome: int((by_series == outcome).sum()) for outcome in Outcome}
            failing = rows[rows["outcome"] == str(Outcome.FAIL)]
            judged = counts[Outcome.PASS] + counts[Outcome.FAIL]
            yield dg.AssetCheckResult(
                check_name=str(rule),
                asset_key=key,
                passed=not counts[Outcome.FAIL],
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    **{f"series: {outcome}": count for outcome, count in counts.items()},
                    "passing share of judged": round(counts[Outcome.PASS] / judged, 4) if judged else "nothing judged",
                    "worst": value_table(failing, _COLUMNS, _SHOWN),
                    "report": series_store.link(store.cohort.report),
                },
            )

    return [cohort_report_checks]
