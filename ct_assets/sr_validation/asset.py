"""Asset sr_validation: what DicomSRValidator says of the reports of a collection."""

import dagster as dg

from ct_assets.partitions import Scope, scopes
from resources.series_store import SeriesStore


def sr_validation(scope: Scope) -> dg.AssetsDefinition:
    """Return the sr_validation asset of a collection."""
    collection = scope.collection

    @dg.asset(
        key=scope.cohort_key("sr_validation"),
        deps=[part.key("dicom_sr") for part in scopes(collection)],
        group_name=scope.group,
        kinds={"parquet", "dicom"},
        pool="cpu",
        code_version="1",
        description="PixelMed's DicomSRValidator on the reports of all series, or of a sample; export asks for it.",
    )
    def sr_validation(context: dg.AssetExecutionContext, series_store: SeriesStore) -> dg.MaterializeResult:
        from ct_assets.sr_validation.cohort import validate_cohort

        store = series_store.collection(collection.name)

        def progress(done: int, of_all: int) -> None:
            if done % 10 == 0 or done == of_all:
                context.log.info("%d of %d reports", done, of_all)

        found = validate_cohort(store, collection.report_validation, progress)
        return dg.MaterializeResult(
            metadata={
                "outcome": found.outcome.value if found.outcome else "no reports",
                "reports": len(found.rows),
                "known_before": found.reused,
                "series": f"{found.chosen} of {found.series}",
                "table": dg.MetadataValue.path(str(store.cohort.sr_validation)),
            }
        )

    return sr_validation
