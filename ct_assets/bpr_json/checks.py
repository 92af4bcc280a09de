"""Checks of bpr_json: plausible spacing, scores along the geometry."""

from collections.abc import Iterator

import dagster as dg

from ct_assets.bpr_json.record import read_body_part_record
from ct_assets.partitions import Scope
from resources.series_store import SeriesStore


def bpr_json_checks(scope: Scope) -> list[dg.AssetChecksDefinition]:
    """Return the checks of a collection's bpr_json."""
    key, name = scope.key("bpr_json"), scope.collection.name

    @dg.multi_asset_check(
        name=f"{'_'.join(key.path)}_checks",
        specs=[
            dg.AssetCheckSpec(
                "valid_z_spacing",
                asset=key,
                partitions_def=scope.partitions,
                description="The scores rise about as fast as the slice spacing makes expect.",
            ),
            dg.AssetCheckSpec(
                "z_ordering",
                asset=key,
                partitions_def=scope.partitions,
                description="The scores rise towards the head, as the geometry says.",
            ),
        ],
    )
    def bpr_json_checks(
        context: dg.AssetCheckExecutionContext, series_store: SeriesStore
    ) -> Iterator[dg.AssetCheckResult]:
        record = read_body_part_record(series_store.series(name, context.partition_key).bpr_record)
        for check, flag, wanted in (
            ("valid_z_spacing", record.valid_z_spacing, True),
            ("z_ordering", record.reverse_z_ordering, False),
        ):
            yield dg.AssetCheckResult(
                check_name=check,
                asset_key=key,
                passed=flag is None or flag is wanted,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"outcome": "not evaluated" if flag is None else "pass" if flag is wanted else "fail"},
            )

    return [bpr_json_checks]
