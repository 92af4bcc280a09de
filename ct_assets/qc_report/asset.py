"""Asset qc_report: every metric of a series, judged, and its page."""

from typing import TYPE_CHECKING

import dagster as dg

from ct_assets.partitions import Scope
from ct_assets.qc_report.applicable import few_series
from resources.dicom_source import DicomSource
from resources.series_store import SeriesStore

if TYPE_CHECKING:
    from ct_assets.qc_report.inputs import SeriesInputs


def qc_report(scope: Scope) -> dg.AssetsDefinition:
    """Return the qc_report asset of a collection."""
    collection = scope.collection

    @scope.series_asset(
        "qc_report",
        "organ_seg",
        "bpr_json",
        "shape_features",
        "dicom_seg",
        "dicom_sr",
        kinds={"parquet", "html"},
        pool="cpu",
        description="Metrics and rule outcomes (qc.parquet) and the page of the series (qc.html).",
    )
    def qc_report(
        context: dg.AssetExecutionContext, dicom_source: DicomSource, series_store: SeriesStore
    ) -> dg.MaterializeResult:
        from ct_assets.ct_nifti.expert import load_expert
        from ct_assets.ct_nifti.record import read_ct_record
        from ct_assets.qc_report.cohort import read_distributions
        from ct_assets.qc_report.evaluate import evaluate
        from ct_assets.qc_report.finding import rule_outcomes
        from ct_assets.qc_report.inputs import files_of, load_inputs
        from ct_assets.qc_report.page import series_page
        from ct_assets.qc_report.review_section import refresh_page, review_section
        from ct_assets.store.atomic import write_text
        from ct_assets.store.tables import QC

        uid = context.partition_key
        context.log.info("series %s", uid)
        store = series_store.collection(collection.name)
        folder = store.series(uid)
        expert = load_expert(collection, store, read_ct_record(folder.ct_record), dicom_source.folder(collection))
        masks = {name: structure.mask for name, structure in expert.items()}
        inputs = load_inputs(folder, collection, masks or None)
        cohort = read_distributions(store.cohort.distributions)
        qc = evaluate(inputs, cohort)
        QC.write(qc, folder.qc_table)
        write_text(folder.qc_page, series_page(inputs, qc, files_of(folder), cohort, review_section(store, uid)))
        refresh_page(store, uid)  # a verdict may have been given while the page was drawn
        return dg.MaterializeResult(
            metadata={
                **{str(rule): str(outcome) for rule, outcome in rule_outcomes(qc).items()},
                **({"preview": _preview(inputs)} if few_series(store.cohort.cohort, collection.shards) else {}),
                "page": series_store.link(folder.qc_page),
                "notice": inputs.notice or "none",
            }
        )

    return qc_report


def _preview(inputs: "SeriesInputs") -> dg.MarkdownMetadataValue:
    from ct_assets.picture.image import data_url
    from ct_assets.qc_report.preview import thumbnail

    return dg.MetadataValue.md(f"![preview]({data_url(thumbnail(inputs))})")
