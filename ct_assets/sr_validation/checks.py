"""Check of sr_validation: DicomSRValidator accepts every report that it was given."""

import dagster as dg

from ct_assets.partitions import Scope
from resources.series_store import SeriesStore

_SHOWN = 20


def sr_validation_checks(scope: Scope) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a collection's sr_validation."""
    name = scope.collection.name

    @dg.asset_check(
        asset=scope.cohort_key("sr_validation"),
        description="DicomSRValidator completes on every report, without an error and without a warning.",
    )
    def reports_accepted(series_store: SeriesStore) -> dg.AssetCheckResult:
        from ct_assets.dicom.validators import ValidationOutcome
        from ct_assets.sr_validation.cohort import REMEDY, rejections
        from ct_assets.store.tables import SR_VALIDATION

        rows = SR_VALIDATION.read(series_store.collection(name).cohort.sr_validation)
        rejected = rejections(rows)
        absent = int((rows["outcome"] == ValidationOutcome.NOT_INSTALLED.value).sum())
        outcome = "fail" if rejected else "not installed" if absent else "pass" if len(rows) else "not evaluated"
        remedy = {"not installed": REMEDY, "not evaluated": "no series has a report yet"}.get(outcome, "none")
        return dg.AssetCheckResult(
            passed=outcome == "pass",
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "outcome": outcome,
                "reports": len(rows),
                "rejected": len(rejected),
                "problems": "\n".join(rejected[:_SHOWN]) or remedy,
            },
        )

    return [reports_accepted]
