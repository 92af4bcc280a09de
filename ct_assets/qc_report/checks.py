"""Checks of qc_report: one per rule; a failure asks for review and stops nothing."""

from collections.abc import Iterator, Sequence

import dagster as dg
import pandas as pd

from ct_assets.partitions import Scope
from ct_assets.qc_report.finding import Outcome, rule_outcomes
from ct_assets.qc_report.scale import has_series_checks, rules_of
from ct_assets.qc_report.severity import severity
from ct_assets.qc_report.wording import RULE_DESCRIPTIONS
from ct_assets.store.tables import QC
from resources.series_store import SeriesStore

_VALUE_COLUMNS = ("model", "subject", "value", "unit", "lower", "upper", "limits_from", "outcome")

_NUMBERS = {"value", "lower", "upper", "beyond limit in %"}


def qc_report_checks(scope: Scope) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a collection's qc_report; none above the size at which the UI can show them per series."""
    if not has_series_checks(scope.collection, scope.shard):
        return []
    key, name = scope.key("qc_report"), scope.collection.name
    rules = rules_of(scope.collection)

    @dg.multi_asset_check(
        name=f"{'_'.join(key.path)}_checks",
        specs=[
            dg.AssetCheckSpec(
                str(rule), asset=key, partitions_def=scope.partitions, description=RULE_DESCRIPTIONS[rule]
            )
            for rule in rules
        ],
    )
    def qc_report_checks(
        context: dg.AssetCheckExecutionContext, series_store: SeriesStore
    ) -> Iterator[dg.AssetCheckResult]:
        folder = series_store.series(name, context.partition_key)
        qc = QC.read(folder.qc_table)
        outcomes = rule_outcomes(qc)
        for rule in rules:
            outcome = outcomes.get(rule, Outcome.NOT_EVALUATED)
            rows = qc[qc["rule"] == str(rule)]
            failing = rows[rows["outcome"] == str(Outcome.FAIL)]
            yield dg.AssetCheckResult(
                check_name=str(rule),
                asset_key=key,
                passed=outcome is not Outcome.FAIL,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "outcome": str(outcome),
                    "failures": len(failing),
                    "failing": _in_words(failing.assign(beyond=severity(failing))) or "none",
                    "values": value_table(rows, _VALUE_COLUMNS),
                    "page": series_store.link(folder.qc_page),
                },
            )

    return [qc_report_checks]


def value_table(rows: pd.DataFrame, columns: Sequence[str], most: int | None = None) -> dg.TableMetadataValue:
    """Show judged values, the worst first.

    Parameters
    ----------
    rows : DataFrame
        Rows of `ct_assets.store.tables.QC`, and what else `columns` names.
    columns : sequence of str
        Columns to show, before the share by which a value is beyond its limit.
    most : int, optional
        Most rows to show.
    """
    shown = rows.assign(**{"beyond limit in %": (100 * severity(rows)).round(1)})
    shown = shown.sort_values("beyond limit in %", ascending=False, kind="stable").iloc[:most]
    shown = shown[[*columns, "beyond limit in %"]]
    records = [
        dg.TableRecord({str(name): _cell(str(name), value) for name, value in row.items()})
        for row in shown.to_dict("records")
    ]
    kinds = [dg.TableColumn(name, "float" if name in _NUMBERS else "string") for name in shown.columns]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(kinds))


def _in_words(failing: pd.DataFrame) -> str:
    """Say what failed and by how much, the worst first."""
    columns = failing.sort_values("beyond", ascending=False, kind="stable")[["subject", "model", "explanation"]]
    return "; ".join(f"{subject} ({model}): {why}" for subject, model, why in columns.itertuples(index=False))


def _cell(name: str, value: object) -> str | float | None:
    if name not in _NUMBERS:
        return str(value)
    number = float(str(value))
    return None if pd.isna(number) else round(number, 4)
