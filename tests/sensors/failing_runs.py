"""Runs that fail for real: the job of a collection whose stages do as they are told."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from ct_assets.collection import Collection
from ct_assets.partitions import Scope, register_series

if TYPE_CHECKING:
    from collections.abc import Callable

COLLECTION = Collection.model_validate(
    {
        "name": "mine",
        "title": "Mine",
        "demonstration": True,
        "source": {"kind": "folder", "path": "/nowhere"},
        "organ_segmentation": {"model": "demo"},
        "body_part_regression": {"model": "demo"},
    }
)
SCOPE = Scope(COLLECTION)


class FailingRuns:
    """Fails series on an instance; `organ_seg` is what that stage does, `fit` and `geometry` what the checks say."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.organ_seg: Callable[[], Any] = lambda: None
        self.fit = self.geometry = True
        self._job = self._definitions().resolve_job_def(SCOPE.job.name)

    def run(self, uid: str, *stages: str, **tags: str) -> str:
        """Run a series through stages, ct_nifti with its checks and organ_seg if none is named; return the run."""
        register_series(self.instance, COLLECTION, [uid], remove=False)
        result = self._job.execute_in_process(
            instance=self.instance,
            partition_key=uid,
            raise_on_error=False,
            tags=tags,
            asset_selection=[SCOPE.key(stage) for stage in stages] or None,
        )
        return result.run_id

    def fail(self, uid: str, error: BaseException, **tags: str) -> str:
        """Fail a series in organ_seg, and return the run."""

        def fail() -> None:
            raise error

        self.organ_seg = fail
        return self.run(uid, "organ_seg", **tags)

    def _definitions(self) -> dg.Definitions:
        key = SCOPE.key("ct_nifti")

        @SCOPE.series_asset("ct_nifti", kinds=set(), pool="cpu", description="")
        def ct_nifti() -> dg.MaterializeResult:
            return dg.MaterializeResult()

        @dg.multi_asset_check(
            name="mine_ct_nifti_checks",
            specs=[
                dg.AssetCheckSpec(name, asset=key, blocking=True, partitions_def=SCOPE.partitions)
                for name in ("fit", "geometry_matches_dicom")
            ],
        )
        def checks():
            yield dg.AssetCheckResult(check_name="fit", asset_key=key, passed=self.fit)
            yield dg.AssetCheckResult(check_name="geometry_matches_dicom", asset_key=key, passed=self.geometry)

        @SCOPE.series_asset("organ_seg", "ct_nifti", kinds=set(), pool="gpu", description="")
        def organ_seg() -> dg.MaterializeResult:
            self.organ_seg()
            return dg.MaterializeResult()

        job = dg.define_asset_job(SCOPE.job.name, selection=dg.AssetSelection.key_prefixes(["mine"]))
        return dg.Definitions(
            assets=[ct_nifti, organ_seg], asset_checks=[checks], jobs=[job], executor=dg.in_process_executor
        )
