"""Checks of bpr_json: slices scored, plausible spacing, scores along the geometry."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from ct_assets.partitions import Scope
from resources.series_store import SeriesStore

if TYPE_CHECKING:
    from ct_assets.bpr_json.record import BodyPartRecord


_DESCRIPTIONS = {
    "slices_scored": "Body part regression could take the series.",
    "valid_z_spacing": "The scores rise about as fast as the slice spacing makes expect.",
    "z_ordering": "The scores rise towards the head, as the geometry says.",
}


def bpr_json_checks(scope: Scope) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a collection's bpr_json."""
    key, name = scope.key("bpr_json"), scope.collection.name

    @dg.multi_asset_check(
        name=f"{'_'.join(key.path)}_checks",
        specs=[
            dg.AssetCheckSpec(check, asset=key, partitions_def=scope.partitions, description=text)
            for check, text in _DESCRIPTIONS.items()
        ],
    )
    def bpr_json_checks(
        context: dg.AssetCheckExecutionContext, series_store: SeriesStore
    ) -> Iterator[dg.AssetCheckResult]:
        from ct_assets.bpr_json.record import read_body_part_record

        yield from score_results(
            read_body_part_record(series_store.series(name, context.partition_key).bpr_record), key
        )

    return [bpr_json_checks]


def score_results(record: "BodyPartRecord", key: dg.AssetKey) -> Iterator[dg.AssetCheckResult]:
    """Return what bpr_record.json says: whether the slice scores are plausible.

    Parameters
    ----------
    record : BodyPartRecord
        bpr_record.json.
    key : AssetKey
        Key of bpr_json.
    """
    from ct_assets.bpr_json.plausibility import outcomes

    for check, outcome in outcomes(record).items():
        yield dg.AssetCheckResult(
            check_name=check,
            asset_key=key,
            passed=outcome != "fail",
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "outcome": outcome,
                "reason": record.reason or "none",
                "slope_ratio": "none" if record.slope_ratio is None else round(record.slope_ratio, 3),
                "expected_z_spacing_mm": "none"
                if record.expected_z_spacing_mm is None
                else round(record.expected_z_spacing_mm, 2),
            },
        )
