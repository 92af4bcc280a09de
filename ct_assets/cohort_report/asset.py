"""Asset cohort_report: the QC of all series in one table, and the page of the collection."""

import importlib.metadata

import dagster as dg

from ct_assets.cohort_report.compact import compact
from ct_assets.cohort_report.page import cohort_page
from ct_assets.ct_nifti.record import read_ct_record
from ct_assets.partitions import Scope, scopes
from ct_assets.store.atomic import write_text
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import COHORT, QC, SELECTION_FLOW
from resources.series_store import SeriesStore

_PACKAGES = ("ct-assets", "nnunet", "bpreg", "pyradiomics", "highdicom", "dcm2niix")


def cohort_report(scope: Scope) -> dg.AssetsDefinition:
    """Return the cohort_report asset of a collection."""
    collection = scope.collection

    @dg.asset(
        key=scope.cohort_key("cohort_report"),
        deps=[part.key("qc_report") for part in scopes(collection)],
        group_name=scope.group,
        kinds={"parquet", "html", "plotly"},
        pool="cpu",
        code_version="1",
        description="QC of all series (cohort/qc.parquet) and the page with the paper's figures (report.html).",
    )
    def cohort_report(context: dg.AssetExecutionContext, series_store: SeriesStore) -> dg.MaterializeResult:
        store = series_store.collection(collection.name)
        cohort = COHORT.read(store.cohort.cohort)
        selected = cohort.loc[cohort["selected"], "SeriesInstanceUID"]
        unfit = _unfit(store, list(selected))
        qc, unreadable = compact([store.series(uid).qc_table for uid in selected if uid not in unfit])
        QC.write(qc, store.cohort.qc_table)
        page = cohort_page(
            collection,
            qc,
            cohort=cohort,
            selection_flow=SELECTION_FLOW.read(store.cohort.selection_flow),
            unfit=unfit,
            unreadable=unreadable,
            versions={name: importlib.metadata.version(name) for name in _PACKAGES},
        )
        write_text(store.cohort.report, page)
        done = qc["SeriesInstanceUID"].nunique()
        context.log.info("report of %d series: %s", done, ", ".join(sorted(qc["SeriesInstanceUID"].unique())[:20]))
        return dg.MaterializeResult(
            metadata={
                "series": done,
                "unreadable": ", ".join(str(table) for table in unreadable) or "none",
                "report": dg.MetadataValue.path(str(store.cohort.report)),
                "size_mb": round(store.cohort.report.stat().st_size / 1e6, 2),
            }
        )

    return cohort_report


def _unfit(store: CollectionFolder, uids: list[str]) -> dict[str, str]:
    """Return the selected series that ct_nifti found unfit, with the reasons."""
    records = [store.series(uid).ct_record for uid in uids]
    found = [read_ct_record(path, require_fit=False) for path in records if path.is_file()]
    return {record.series_instance_uid: "; ".join(record.reasons) for record in found if not record.fit}
