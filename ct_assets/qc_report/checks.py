"""Checks of qc_report: one per rule; a failure asks for review, stops nothing, and passes once it is accepted."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from ct_assets.partitions import Scope
from ct_assets.qc_report.applicable import rules_of
from ct_assets.qc_report.rule import Outcome
from ct_assets.qc_report.wording import RULE_DESCRIPTIONS
from resources.series_store import SeriesStore

if TYPE_CHECKING:
    import pandas as pd


BEYOND = "beyond limit in %"
"""Column of `ct_assets.qc_report.severity.severity` in per cent."""

_COLUMNS = ("model", "subject", "value", "unit", "lower", "upper", "limits_from", "outcome", BEYOND, "review")

_NUMBERS = {"value", "lower", "upper", BEYOND}


def qc_report_checks(scope: Scope) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a collection's qc_report; none where it has too many series for the UI to show them."""
    if not scope.collection.qc.series_checks:
        return []
    key = scope.key("qc_report")

    @dg.multi_asset_check(
        name=f"{'_'.join(key.path)}_checks",
        specs=[
            dg.AssetCheckSpec(
                str(rule), asset=key, partitions_def=scope.partitions, description=RULE_DESCRIPTIONS[rule]
            )
            for rule in rules_of(scope.collection)
        ],
    )
    def qc_report_checks(
        context: dg.AssetCheckExecutionContext, series_store: SeriesStore
    ) -> Iterator[dg.AssetCheckResult]:
        yield from rule_results(scope, series_store, context.partition_key)

    return [qc_report_checks]


def rule_results(scope: Scope, series_store: SeriesStore, series_instance_uid: str) -> Iterator[dg.AssetCheckResult]:
    """Return what qc.parquet and the verdicts on a series say, one result per rule.

    Parameters
    ----------
    scope : Scope
        The collection.
    series_store : SeriesStore
        Where its files are.
    series_instance_uid : str
        The series.
    """
    import pandas as pd

    from ct_assets.qc_report.finding import rule_outcomes
    from ct_assets.qc_report.severity import severity
    from ct_assets.review.findings import read_states
    from ct_assets.review.state import State
    from ct_assets.store.tables import QC

    store, uid = series_store.collection(scope.collection.name), series_instance_uid
    folder = store.series(uid)
    qc = QC.read(folder.qc_table)
    outcomes = rule_outcomes(qc)
    failing = qc[qc["outcome"] == str(Outcome.FAIL)]
    reviewed = pd.Series(read_states(failing, store, uid), index=failing.index, dtype=object)
    qc = qc.assign(**{BEYOND: 100 * severity(qc)}, review=reviewed.reindex(qc.index, fill_value=""))
    qc = qc.sort_values(BEYOND, ascending=False, kind="stable")
    for rule in rules_of(scope.collection):
        rows = qc[qc["rule"] == str(rule)]
        failed = rows["outcome"] == str(Outcome.FAIL)
        states = rows.loc[failed, "review"]
        yield dg.AssetCheckResult(
            check_name=str(rule),
            asset_key=scope.key("qc_report"),
            passed=bool((states == State.ACCEPTED).all()),
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "outcome": str(outcomes.get(rule, Outcome.NOT_EVALUATED)),
                "failures": int(failed.sum()),
                "failing": _in_words(rows[failed]) or "none",
                "review": _counted(states) or "none needed",
                "values": value_table(rows, _COLUMNS),
                "page": series_store.link(folder.qc_page),
            },
        )


def value_table(rows: "pd.DataFrame", columns: Sequence[str]) -> dg.TableMetadataValue:
    """Show rows in the metadata of a check.

    Parameters
    ----------
    rows : DataFrame
        Findings; `BEYOND` among the columns is the share by which a value is beyond its limit.
    columns : sequence of str
        Columns to show.
    """
    records = [
        dg.TableRecord({str(name): _cell(str(name), value) for name, value in row.items()})
        for row in rows[list(columns)].to_dict("records")
    ]
    kinds = [dg.TableColumn(name, "float" if name in _NUMBERS else "string") for name in columns]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(kinds))


def _in_words(failing: "pd.DataFrame") -> str:
    """Say what failed and by how much."""
    columns = failing[["subject", "model", "explanation"]]
    return "; ".join(f"{subject} ({model}): {why}" for subject, model, why in columns.itertuples(index=False))


def _counted(states: "pd.Series[str]") -> str:
    return ", ".join(f"{count} {state}" for state, count in states.value_counts().items())


def _cell(name: str, value: object) -> str | float | None:
    import pandas as pd

    if name not in _NUMBERS:
        return str(value)
    number = float(str(value))
    return None if pd.isna(number) else round(number, 1 if name == BEYOND else 4)
