"""Checks of ct_nifti: the series is fit, and the volume lies where DICOM puts it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from ct_assets.partitions import Scope
from resources.dicom_source import DicomSource
from resources.series_store import SeriesStore

if TYPE_CHECKING:
    from ct_assets.ct_nifti.record import CtRecord


def ct_nifti_checks(scope: Scope) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a collection's ct_nifti."""
    key, name = scope.key("ct_nifti"), scope.collection.name

    @dg.multi_asset_check(
        name=f"{'_'.join(key.path)}_checks",
        specs=[
            dg.AssetCheckSpec(
                "fit",
                asset=key,
                blocking=True,
                partitions_def=scope.partitions,
                description="The series can be one volume; if not, nothing downstream runs.",
            ),
            dg.AssetCheckSpec(
                "geometry_matches_dicom",
                asset=key,
                blocking=True,
                partitions_def=scope.partitions,
                description="ct.nii.gz lies where DICOM says; first, middle and last slice have DICOM's pixels.",
            ),
        ],
    )
    def ct_nifti_checks(
        context: dg.AssetCheckExecutionContext, dicom_source: DicomSource, series_store: SeriesStore
    ) -> Iterator[dg.AssetCheckResult]:
        from ct_assets.ct_nifti.record import read_ct_record
        from ct_assets.ct_nifti.source import source_series
        from ct_assets.ct_nifti.verify import differences_from_dicom

        folder = series_store.series(name, context.partition_key)
        record = read_ct_record(folder.ct_record, require_fit=False)
        yield from fit_results(record, key)
        if not record.fit or record.shape is None:
            return
        store = series_store.collection(name)
        series = source_series(store, dicom_source.folder(scope.collection), context.partition_key)
        problems = differences_from_dicom(folder, record, series)
        yield dg.AssetCheckResult(
            check_name="geometry_matches_dicom",
            asset_key=key,
            passed=not problems,
            metadata={"problems": "; ".join(problems) or "none"},
        )

    return [ct_nifti_checks]


def fit_results(record: "CtRecord", key: dg.AssetKey) -> Iterator[dg.AssetCheckResult]:
    """Return what ct.json alone says: whether the series is fit; of an unfit one, that its geometry is not evaluated.

    Parameters
    ----------
    record : CtRecord
        ct.json.
    key : AssetKey
        Key of ct_nifti.
    """
    reasons = {"reasons": "; ".join(record.reasons) or "none"}
    yield dg.AssetCheckResult(check_name="fit", asset_key=key, passed=record.fit, metadata=reasons)
    if not record.fit or record.shape is None:
        yield dg.AssetCheckResult(
            check_name="geometry_matches_dicom",
            asset_key=key,
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"outcome": "not evaluated"},
        )
