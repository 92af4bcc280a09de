"""Checks of cohort_table: something is selected, every file could be read, every series is decided."""

import dagster as dg

from ct_assets.partitions import Scope
from ct_assets.qc_settings import MOST_SERIES
from resources.series_store import SeriesStore

_FILES_SHOWN = 20


def cohort_table_checks(scope: Scope) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a collection's cohort_table."""
    key, name = scope.cohort_key("cohort_table"), scope.collection.name

    @dg.asset_check(asset=key, description="At least one series is fit for annotation.")
    def any_selected(series_store: SeriesStore) -> dg.AssetCheckResult:
        from ct_assets.store.tables import COHORT

        cohort = COHORT.read(series_store.collection(name).cohort.cohort)
        return dg.AssetCheckResult(
            passed=bool(cohort["selected"].any()),
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"series": len(cohort), "selected": int(cohort["selected"].sum())},
        )

    @dg.asset_check(asset=key, description="Every file that claims to be DICOM can be read.")
    def files_readable(series_store: SeriesStore) -> dg.AssetCheckResult:
        from ct_assets.cohort_table.index.header_index import unreadable_files
        from ct_assets.cohort_table.index.kept import read_index

        bad = unreadable_files(read_index(series_store.collection(name).cohort.instances))
        return dg.AssetCheckResult(
            passed=bad.empty,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"unreadable": len(bad), "files": dg.MetadataValue.md(bad.head(_FILES_SHOWN).to_markdown())},
        )

    @dg.asset_check(asset=key, description="Every criterion was evaluated on the headers of every selected series.")
    def decided_on_headers(series_store: SeriesStore) -> dg.AssetCheckResult:
        from ct_assets.store.tables import COHORT

        cohort = COHORT.read(series_store.collection(name).cohort.cohort)
        waiting = cohort[cohort["selected"] & ~cohort["decided"]]
        return dg.AssetCheckResult(
            passed=waiting.empty,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "preselected": len(waiting),
                "remedy": "ct_nifti fetches a preselected series and decides it; materialize cohort_table again then",
            },
        )

    @dg.asset_check(asset=key, description="The web UI can show the checks of every series, or they are switched off.")
    def series_checks_usable(series_store: SeriesStore) -> dg.AssetCheckResult:
        from ct_assets.store.tables import COHORT

        cohort = COHORT.read(series_store.collection(name).cohort.cohort)
        most = MOST_SERIES * scope.collection.shards
        selected = int(cohort["selected"].sum())
        return dg.AssetCheckResult(
            passed=selected <= most or not scope.collection.qc.series_checks,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "selected": selected,
                "usable up to": most,
                "remedy": "set qc.series_checks: false in the collection's YAML, or more shards, and reload the code "
                "location while nothing runs; the checks of cohort_report are there at any size",
            },
        )

    return [any_selected, files_readable, decided_on_headers, series_checks_usable]
