"""Limits in a collection YAML: what a curator may write, and what a mistake is told."""

from pathlib import Path

import pytest

from ct_assets.collection import Collection, CollectionError, load_collection
from ct_assets.qc_report.limits import LimitsInForce
from ct_assets.store.tables import DISTRIBUTIONS

YAML = """
name: lungs
title: Lungs
source: {kind: folder, path: /nowhere}
organ_segmentation: {model: segthor}
body_part_regression: {model: bpr_public}
qc:
  %s
"""


def read(tmp_path: Path, qc: str) -> Collection:
    path = tmp_path / "lungs.yaml"
    path.write_text(YAML % qc)
    return load_collection(path)


@pytest.mark.parametrize(
    ("qc", "message"),
    [
        ("dice_minimum: {heart: high}", "key qc.dice_minimum.heart: give a number, null, or either"),
        ("dice_minimum: {heart: off}", "key qc.dice_minimum.heart: give a number, null, or either"),
        ("dice_minimum: {hart: 0.5}", "key qc.dice_minimum.hart: input should be 'esophagus', 'heart'"),
        ("dice_minimum: {heart: {2D: 0.5}}", "key qc.dice_minimum.heart.2D: input should be '2d', '3d_lowres' or"),
        ("dice_minimum: {heart: 78}", "key qc.dice_minimum.heart: input should be less than or equal to 1 (given: 78)"),
        ("hd95_maximum_mm: {heart: {2d: -1}}", "key qc.hd95_maximum_mm.heart.2d: input should be greater than 0"),
        ("sphericity: {heart: cohrt}", "key qc.sphericity.heart: input should be 'auto', 'cohort' or 'reference'"),
        ("sphericity: {heart: [0.9, 0.5]}", "key qc.sphericity.heart: value error, the first of the two"),
        ("sphericity: {heart: {2d: [0.1]}}", "key qc.sphericity.heart.2d.1: field required"),
        ("volume_ml: {heart: 5}", "key qc.volume_ml.heart: give [low, high], auto, cohort, reference"),
        ("lung_end_difference_mm: {lung_top: 4}", "key qc.lung_end_difference_mm.lung_top: input should be"),
        ("largest_region: thorax", "key qc.largest_region: input should be 'legs'"),
        ("dice: {heart: 0.5}", "key qc.dice: unknown; allowed here: cohort_minimum, dice_minimum"),
    ],
)  # fmt: skip
def test_a_mistake_names_the_key_and_what_is_allowed_and_nothing_else(tmp_path: Path, qc: str, message: str) -> None:
    with pytest.raises(CollectionError) as caught:
        read(tmp_path, qc)
    assert f"lungs.yaml: {message}" in str(caught.value)
    assert "; key" not in str(caught.value)


@pytest.mark.parametrize(
    ("qc", "key", "expected"),
    [
        ("dice_minimum: {heart: 0.9}", ("dice", "heart", "2d"), (0.9, None)),
        ("dice_minimum: {heart: {2d: 0.9, 3d_lowres: null}}", ("dice", "heart", "2d"), (0.9, None)),
        ("dice_minimum: {heart: {2d: 0.9, 3d_lowres: null}}", ("dice", "heart", "3d_lowres"), None),
        ("dice_minimum: {heart: {2d: 0.9}}", ("dice", "heart", "3d_fullres"), None),
        ("dice_minimum: {heart: null}", ("dice", "esophagus", "3d_fullres"), (0.60, None)),
        ("sphericity: {heart: [0.1, 0.2]}", ("sphericity", "heart", "2d"), (0.1, 0.2)),
        ("sphericity: {heart: {2d: reference}}", ("sphericity", "heart", "2d"), (0.7, 0.852)),
        ("lung_extent_mm: reference", ("lung_extent", "lung", "bpr_public"), (226.0, 322.0)),
        ("lung_extent_mm: null", ("lung_extent", "lung", "bpr_public"), None),
        ("slope_ratio: [0.5, 2]", ("slope_ratio", "slice scores", "bpr_public"), (0.5, 2.0)),
        ("lung_end_difference_mm: {lung_end: null}", ("expert_difference", "lung_end", "bpr_public"), None),
    ],
)
def test_what_a_curator_writes_is_in_force(
    tmp_path: Path, qc: str, key: tuple[str, str, str], expected: tuple[float | None, float | None] | None
) -> None:
    found = LimitsInForce(read(tmp_path, qc).qc, DISTRIBUTIONS.empty()).of(*key)
    assert (found and (found.lower, found.upper)) == (expected and pytest.approx(expected))
