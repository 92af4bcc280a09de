"""The code location: one asset graph per collection YAML, merged."""

import warnings

import dagster as dg

from ct_assets.bpr_json.asset import bpr_json
from ct_assets.bpr_json.checks import bpr_json_checks
from ct_assets.cohort_report.asset import cohort_report
from ct_assets.cohort_report.checks import cohort_report_checks
from ct_assets.cohort_table.asset import cohort_table
from ct_assets.cohort_table.checks import cohort_table_checks
from ct_assets.collection import Collection, load_collections
from ct_assets.ct_nifti.asset import ct_nifti
from ct_assets.ct_nifti.checks import ct_nifti_checks
from ct_assets.dicom_seg.asset import dicom_seg
from ct_assets.dicom_seg.checks import dicom_seg_checks
from ct_assets.dicom_sr.asset import dicom_sr
from ct_assets.dicom_sr.checks import dicom_sr_checks
from ct_assets.installation import resources
from ct_assets.organ_seg.asset import organ_seg
from ct_assets.organ_seg.checks import organ_seg_checks
from ct_assets.partitions import scopes
from ct_assets.qc_report.asset import qc_report
from ct_assets.qc_report.checks import qc_report_checks
from ct_assets.qc_report.job import record_review
from ct_assets.settings import settings
from ct_assets.shape_features.asset import shape_features
from ct_assets.source_settings import FolderSource
from ct_assets.sr_validation.asset import sr_validation
from ct_assets.sr_validation.checks import sr_validation_checks
from sensors.missing_series import missing_series_schedule
from sensors.new_release import new_release_sensor
from sensors.new_series import new_series_sensor
from sensors.run_failure import run_failure_sensor

SERIES_ASSETS = (ct_nifti, organ_seg, bpr_json, shape_features, dicom_seg, dicom_sr, qc_report)
"""Factories of the assets that are partitioned by series, in pipeline order."""

SERIES_CHECKS = (
    ct_nifti_checks,
    organ_seg_checks,
    bpr_json_checks,
    dicom_seg_checks,
    dicom_sr_checks,
    qc_report_checks,
)
"""Factories of their checks."""


COHORT_CHECKS = (cohort_table_checks, sr_validation_checks, cohort_report_checks)
"""Factories of the checks of the whole collection."""


def collection_definitions(collection: Collection) -> dg.Definitions:
    """Return the graph of one collection: assets, checks, sensor and schedule, without resources.

    Parameters
    ----------
    collection : Collection
        The collection.
    """
    # Partitioned checks are in preview; they are what makes results show per series (facts measured on 1.13).
    warnings.filterwarnings("ignore", category=dg.PreviewWarning)
    parts = scopes(collection)
    assets = [cohort_table(parts[0]), sr_validation(parts[0]), cohort_report(parts[0])]
    assets += [factory(scope) for scope in parts for factory in SERIES_ASSETS]
    checks = [check for factory in COHORT_CHECKS for check in factory(parts[0])]
    checks += [check for scope in parts for factory in SERIES_CHECKS for check in factory(scope)]
    source_sensor = new_series_sensor if isinstance(collection.source, FolderSource) else new_release_sensor
    schedules = [missing_series_schedule(scope) for scope in parts]
    return dg.Definitions(
        assets=assets,
        asset_checks=checks,
        sensors=[source_sensor(parts[0])],
        schedules=schedules,
        jobs=[scope.job for scope in parts],
    )


_collections = load_collections()
_attempts = {collection.name: collection.schedule.attempts for collection in _collections}
defs = dg.Definitions.merge(
    *(collection_definitions(collection) for collection in _collections),
    dg.Definitions(
        jobs=[record_review(_collections)],
        sensors=[run_failure_sensor(_attempts, told=settings().webhook_url is not None)],
        resources=resources(),
        executor=dg.in_process_executor,
    ),
)
