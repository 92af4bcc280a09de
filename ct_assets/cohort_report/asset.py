"""Asset cohort_report: the QC of all series in one table, and the page of the collection."""

import dagster as dg

from ct_assets.partitions import Scope, scopes
from resources.series_store import SeriesStore


def cohort_report(scope: Scope) -> dg.AssetsDefinition:
    """Return the cohort_report asset of a collection."""
    collection = scope.collection

    @dg.asset(
        key=scope.cohort_key("cohort_report"),
        deps=[part.key("qc_report") for part in scopes(collection)],
        group_name=scope.group,
        kinds={"parquet", "html", "plotly"},
        pool="cpu",
        code_version="2",
        description="QC of all series (cohort/qc.parquet), judged by the fences of the cohort, and the page with the "
        "paper's figures (report.html).",
    )
    def cohort_report(context: dg.AssetExecutionContext, series_store: SeriesStore) -> dg.MaterializeResult:
        from ct_assets.cohort_report.report import make_report

        store = series_store.collection(collection.name)
        report = make_report(collection, store)
        done = report.qc["SeriesInstanceUID"].nunique()
        context.log.info(
            "report of %d series: %s", done, ", ".join(sorted(report.qc["SeriesInstanceUID"].unique())[:20])
        )
        return dg.MaterializeResult(
            metadata={
                "series": done,
                "unreadable": ", ".join(str(table) for table in report.unreadable) or "none",
                "rejected": len(report.rejected),
                "report": series_store.link(store.cohort.report),
                "size_mb": round(store.cohort.report.stat().st_size / 1e6, 2),
            }
        )

    return cohort_report
