"""Asset cohort_table: which series of the collection are annotated; it alone registers their partitions."""

import dagster as dg

from ct_assets.cohort_table.header_index import index_folder, unreadable_files
from ct_assets.cohort_table.manifest import manifest
from ct_assets.cohort_table.selection import select
from ct_assets.partitions import Registered, Scope, register_series
from ct_assets.store.atomic import write_json
from ct_assets.store.tables import COHORT, INSTANCES, SELECTION_FLOW
from resources.dicom_source import DicomSource
from resources.series_store import SeriesStore

_ROWS_SHOWN = 50


def cohort_table(scope: Scope) -> dg.AssetsDefinition:
    """Return the cohort_table asset of a collection."""
    collection = scope.collection

    @dg.asset(
        key=scope.cohort_key("cohort_table"),
        group_name=scope.group,
        kinds={"dicom", "parquet"},
        pool="cpu",
        code_version="1",
        description="Selected and excluded CT series with the reasons; registers one partition per selected series.",
    )
    def cohort_table(
        context: dg.AssetExecutionContext, dicom_source: DicomSource, series_store: SeriesStore
    ) -> dg.MaterializeResult:
        instances = index_folder(dicom_source.folder(collection))
        cohort, flow = select(instances, collection)
        folder = series_store.collection(collection.name).cohort
        INSTANCES.write(instances, folder.instances)
        COHORT.write(cohort, folder.cohort)
        SELECTION_FLOW.write(flow, folder.selection_flow)
        write_json(folder.manifest, manifest(cohort, instances, collection.name))
        selected = cohort.loc[cohort["selected"], "SeriesInstanceUID"].tolist()
        unreadable = unreadable_files(instances)
        registered = register_series(context.instance, collection, selected, remove=unreadable.empty)
        context.log.info("%d of %d CT series selected: %s", len(selected), len(cohort), ", ".join(selected[:20]))
        excluded = cohort[~cohort["selected"]]
        return dg.MaterializeResult(
            metadata={
                "series_selected": len(selected),
                "series_excluded": len(excluded),
                "patients_selected": cohort.loc[cohort["selected"], "PatientID"].nunique(),
                "partitions_added": registered.added,
                "partitions_removed": registered.removed,
                "partitions_kept": _kept(registered, len(unreadable)),
                "unreadable_files": len(unreadable),
                "selection_flow": dg.MetadataValue.md(flow.to_markdown(index=False)),
                "excluded": dg.MetadataValue.md(
                    excluded[["SeriesInstanceUID", "reason"]].head(_ROWS_SHOWN).to_markdown(index=False)
                ),
                "cohort": dg.MetadataValue.path(str(folder.cohort)),
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
