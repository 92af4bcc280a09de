"""Checks of qc_report: one per rule; a failure asks for review and stops nothing."""

from collections.abc import Hashable, Iterator
from typing import Any

import dagster as dg
import pandas as pd

from ct_assets.partitions import Scope
from ct_assets.qc_report.finding import Outcome, Rule, rule_outcomes
from ct_assets.store.tables import QC
from resources.series_store import SeriesStore

_DESCRIPTIONS = {
    Rule.DICE: "Dice against the expert is at least the collection's minimum.",
    Rule.SPHERICITY: "Sphericity of every organ is in the collection's range.",
    Rule.LUNG_EXTENT: "lung_start to lung_end is in the collection's range; not measurable is no failure.",
}


def qc_report_checks(scope: Scope) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a collection's qc_report."""
    key, name = scope.key("qc_report"), scope.collection.name
    rules = [rule for rule in _DESCRIPTIONS if rule is not Rule.DICE or scope.collection.expert]

    @dg.multi_asset_check(
        name=f"{'_'.join(key.path)}_checks",
        specs=[
            dg.AssetCheckSpec(str(rule), asset=key, partitions_def=scope.partitions, description=_DESCRIPTIONS[rule])
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
            judged = qc[qc["rule"] == str(rule)]
            failing = judged[judged["outcome"] == str(Outcome.FAIL)]
            yield dg.AssetCheckResult(
                check_name=str(rule),
                asset_key=key,
                passed=outcome is not Outcome.FAIL,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "outcome": str(outcome),
                    "failures": len(failing),
                    "failing": "; ".join(_in_words(row) for row in failing.to_dict("records")) or "none",
                    "values": _table(judged),
                    "page": dg.MetadataValue.path(str(folder.qc_page)),
                },
            )

    return [qc_report_checks]


def _in_words(row: dict[Hashable, Any]) -> str:
    return f"{row['subject']} ({row['model']}): {row['explanation']}"


def _table(judged: pd.DataFrame) -> dg.TableMetadataValue:
    """Show every judged value with its limits."""
    columns = ["model", "subject", "value", "lower", "upper", "outcome"]
    rows = judged[columns].astype(dict.fromkeys(("model", "subject", "outcome"), "string")).round(3)
    records = [
        dg.TableRecord({str(name): None if pd.isna(value) else value for name, value in row.items()})
        for row in rows.to_dict("records")
    ]
    schema = dg.TableSchema(
        [dg.TableColumn(name, "float" if name in {"value", "lower", "upper"} else "string") for name in columns]
    )
    return dg.MetadataValue.table(records, schema=schema)
