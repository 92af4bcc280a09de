"""Checks of dicom_seg: what the SEG holds is the label map, and dciodvfy accepts it."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg

from ct_assets.partitions import Scope
from ct_assets.store.paths import SeriesFolder
from resources.series_store import SeriesStore

_WARNINGS_SHOWN = 2000
_REMEDY = "dciodvfy is not installed, so nothing was validated; install dicom3tools (Debian)"


def dicom_seg_checks(scope: Scope) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a collection's dicom_seg."""
    collection = scope.collection

    @dg.asset_check(
        asset=scope.key("dicom_seg"),
        partitions_def=scope.partitions,
        blocking=True,
        description="Read back onto the CT's grid, every SEG equals its label map, and refers to the CT alone.",
    )
    def seg_reads_back(context: dg.AssetCheckExecutionContext, series_store: SeriesStore) -> dg.AssetCheckResult:
        from ct_assets.dicom_seg.compare import differences

        problems = differences(series_store.series(collection.name, context.partition_key), collection.models)
        return dg.AssetCheckResult(passed=not problems, metadata={"problems": "; ".join(problems) or "none"})

    return [seg_reads_back, dciodvfy_check(scope, "dicom_seg", "seg_dciodvfy", lambda folder: folder.seg_objects)]


def dciodvfy_check(
    scope: Scope, asset: str, name: str, record: Callable[[SeriesFolder], Path]
) -> dg.AssetChecksDefinition:
    """Return the check of an asset's DICOM objects by dciodvfy: an error blocks; not installed is no verdict.

    Parameters
    ----------
    scope : Scope
        The collection.
    asset : str
        Asset that writes the objects.
    name : str
        Name of the check.
    record : callable
        Gives the record of the objects.
    """

    @dg.asset_check(
        name=name,
        asset=scope.key(asset),
        partitions_def=scope.partitions,
        blocking=True,
        description="dciodvfy finds no error in any object (a deflated SEG is checked uncompressed).",
    )
    def dciodvfy(context: dg.AssetCheckExecutionContext, series_store: SeriesStore) -> dg.AssetCheckResult:
        from ct_assets.dicom.validate_written import validate_written, worst
        from ct_assets.dicom.validators import ValidationOutcome

        outcomes = {
            ValidationOutcome.ACCEPTED: "pass",
            ValidationOutcome.REJECTED: "fail",
            ValidationOutcome.NOT_INSTALLED: "not installed",
        }
        verdicts = validate_written(record(series_store.series(scope.collection.name, context.partition_key)))
        outcome = worst(verdicts.values())
        installed = outcome is not ValidationOutcome.NOT_INSTALLED
        errors = [f"{file}: {error}" for file, verdict in verdicts.items() for error in verdict.errors]
        warnings = sorted({warning for verdict in verdicts.values() for warning in verdict.warnings})
        return dg.AssetCheckResult(
            passed=outcome is ValidationOutcome.ACCEPTED,
            severity=dg.AssetCheckSeverity.ERROR if installed else dg.AssetCheckSeverity.WARN,
            metadata={
                "outcome": outcomes[outcome],
                "problems": "; ".join(errors) or ("none" if installed else _REMEDY),
                "warnings": "; ".join(warnings)[:_WARNINGS_SHOWN] or "none",
            },
        )

    return dciodvfy
