"""Asset cohort_table: which series of the collection are annotated; it alone registers their partitions."""

import dagster as dg

from ct_assets.partitions import Registered, Scope, register_series
from resources.dicom_source import DicomSource
from resources.series_store import SeriesStore
from resources.warehouse import Warehouse


def cohort_table(scope: Scope) -> dg.AssetsDefinition:
    """Return the cohort_table asset of a collection."""
    collection = scope.collection

    @dg.asset(
        key=scope.cohort_key("cohort_table"),
        group_name=scope.group,
        kinds={"dicom", "parquet", "bigquery" if collection.source.kind == "bigquery" else "duckdb"},
        pool="cpu",
        code_version="3",
        description="Selected and excluded CT series with the reasons; registers one partition per selected series.",
    )
    def cohort_table(
        context: dg.AssetExecutionContext, dicom_source: DicomSource, series_store: SeriesStore, warehouse: Warehouse
    ) -> dg.MaterializeResult:
        from ct_assets.cohort_table.changes import changes, selected_before
        from ct_assets.cohort_table.display import (
            changes_markdown,
            characteristics_markdown,
            excluded_markdown,
            flow_markdown,
        )
        from ct_assets.cohort_table.index.header_index import unreadable_files
        from ct_assets.cohort_table.index.kept import read_index
        from ct_assets.cohort_table.source.of_collection import judged_series
        from ct_assets.cohort_table.write import write_cohort
        from ct_assets.store.tables import CHARACTERISTICS, SELECTION_FLOW

        folder = series_store.collection(collection.name).cohort
        before = selected_before(folder.cohort)
        source = dicom_source.folder(collection)
        judged = judged_series(
            collection,
            source,
            warehouse=warehouse,
            index_file=dicom_source.idc_index_file,
            previous=read_index(folder.instances, source),
        )
        cohort = write_cohort(judged, collection, folder, source, before)
        selected = cohort.loc[cohort["selected"], "SeriesInstanceUID"].tolist()
        unreadable = len(unreadable_files(judged.instances))
        registered = register_series(context.instance, collection, selected, remove=not unreadable)
        context.log.info("%d of %d CT series selected: %s", len(selected), len(cohort), ", ".join(selected[:20]))
        return dg.MaterializeResult(
            metadata={
                "series_selected": len(selected),
                "of_them_preselected": int((cohort["selected"] & ~cohort["decided"]).sum()),
                "series_excluded": len(cohort) - len(selected),
                "patients_selected": cohort.loc[cohort["selected"], "PatientID"].nunique(),
                "selection_flow": dg.MetadataValue.md(flow_markdown(SELECTION_FLOW.read(folder.selection_flow))),
                "characteristics": dg.MetadataValue.md(
                    characteristics_markdown(CHARACTERISTICS.read(folder.characteristics))
                ),
                "changes": dg.MetadataValue.md(changes_markdown(changes(before, cohort))),
                "partitions_added": registered.added,
                "partitions_removed": registered.removed,
                "partitions_kept": _kept(registered, unreadable),
                "unreadable_files": unreadable,
                "excluded": dg.MetadataValue.md(excluded_markdown(cohort)),
                "notes": "\n".join(judged.notes) or "none",
                "cohort": dg.MetadataValue.path(str(folder.cohort)),
                "manifest": dg.MetadataValue.path(str(folder.manifest)),
            }
        )

    return cohort_table


def _kept(registered: Registered, unreadable: int) -> str:
    """Say why partitions of series that are no longer selected are still there: a failed read is no empty list."""
    if not registered.kept:
        return "none"
    if unreadable:
        return f"{registered.kept}: none is removed while {unreadable} files or folders cannot be read"
    return f"{registered.kept}: runs of them are not finished"
