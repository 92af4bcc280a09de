"""The body axis: landmarks, regions and scores on one scale, in every voxel order, and as a PNG."""

import io
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ct_assets.bpr_json.axis_scale import spread
from ct_assets.bpr_json.body_axis import PNG_BUDGET, SCORE_WIDTH_MM, BodyAxis, body_axis
from ct_assets.bpr_json.landmark import AGAINST_GEOMETRY
from ct_assets.bpr_json.landmarks import locate_landmarks
from ct_assets.bpr_json.record import BodyPartRecord
from ct_assets.bpr_json.tables import landmark_table, region_table
from ct_assets.ct_nifti.record import CtRecord, SliceRecord
from ct_assets.provenance import DEMONSTRATION_NOTICE, Provenance

SLICES, STEP = 40, 5.0
SCORES = 42.0 + np.arange(SLICES)
"""From the feet up: 42 to 81."""


def axis_of(
    reverse: bool = False, scores: np.ndarray = SCORES, permuted: bool = False, **changes: Any
) -> BodyAxis | None:
    affine = np.diag([-4.0, -4.0, STEP, 1.0])
    affine[2, 3] = -100.0
    order = np.arange(SLICES)
    if reverse:
        order = order[::-1]
        affine[2, 2], affine[2, 3] = -STEP, -100.0 + STEP * (SLICES - 1)
    if permuted:
        affine = affine[:, [2, 0, 1, 3]]
    volume = np.full((30, 24, SLICES), -1000, dtype=np.int16)
    volume[5:25, 6:20] = 40
    volume[8:22, 8:16, 10:30] = -850
    positions = -100.0 + STEP * order
    record = CtRecord(
        patient_id="P", study_instance_uid="1.2", series_instance_uid="1.2.3", frame_of_reference_uid=None, fit=True,
        shape=volume.shape, affine=tuple(tuple(row) for row in affine.tolist()), spacing_mm=(4.0, 4.0, STEP),
        slices=tuple(
            SliceRecord(sop_instance_uid=f"1.2.3.{k}", file="x", position_mm=p) for k, p in enumerate(positions)
        ),
        source_digest="ab" * 32, converter="test",
    )  # fmt: skip
    provenance = Provenance(
        name="demo", configuration="bpreg", weights_digest="c" * 64, software="bpreg 1.1.0", demonstration=True
    )
    body_part = BodyPartRecord(
        series_instance_uid="1.2.3", source_digest="ab" * 32, provenance=provenance, landmark_rule="corrected",
        body_part_examined="CHEST", valid_z_spacing=True, reverse_z_ordering=False, slope_ratio=1.0,
        expected_z_spacing_mm=STEP, lung_extent_mm=None, reason=None, seconds=0.1,
        slice_scores=tuple(None if np.isnan(value) else float(value) for value in scores[order]),
        slice_regions=tuple(("chest",) if value > 50 else () for value in scores[order]),
    )  # fmt: skip
    lookup = {"lung_start": 51.5, "lung_end": 72.0, "Th5": 60.0, "L5": 12.0}
    landmarks = landmark_table(locate_landmarks(scores[order], positions, lookup), record, positions)
    regions = region_table(body_part.slice_regions, record)
    return body_axis(record, volume[:, :, order], body_part, landmarks, regions, **changes)


def test_landmarks_regions_and_scores_share_one_scale() -> None:
    axis = axis_of()
    assert axis is not None
    lines = {line.name: line for line in axis.landmarks}
    assert set(lines) == {"lung_start", "lung_end", "Th5"}
    # 72 is the score of slice 30 from the feet; slice centres lie half a slice from the image's edges.
    assert lines["lung_end"].y == pytest.approx((SLICES - 0.5 - 30) * STEP)
    assert lines["lung_start"].y == pytest.approx((SLICES - 0.5 - 9.5) * STEP)
    # The scale runs from 40 to 100.
    assert lines["lung_end"].x == pytest.approx((72 - 40) / 60 * SCORE_WIDTH_MM)
    assert [tick for _, tick in axis.score_ticks] == [40, 60, 80, 100]
    (band,) = axis.regions
    assert band.runs == ((0.0, 31 * STEP),)
    assert axis.width_mm == 120
    assert axis.height_mm == SLICES * STEP


def test_a_region_with_a_gap_is_drawn_with_its_gap() -> None:
    """The slices above 50 but for three of them, which the figure must not cover."""
    axis = axis_of(scores=np.where(np.isin(np.arange(SLICES), (20, 21, 22)), np.nan, SCORES))
    assert axis is not None
    (band,) = axis.regions
    assert band.runs == ((0.0, 17 * STEP), (20 * STEP, 11 * STEP))


def test_the_figure_is_the_same_in_either_slice_order() -> None:
    first, second = axis_of(), axis_of(reverse=True)
    assert first is not None
    assert second is not None
    assert (first.image, first.landmarks, first.regions) == (second.image, second.landmarks, second.regions)
    assert sorted(first.score_paths[0][1:].split("L")) == sorted(second.score_paths[0][1:].split("L"))


@pytest.mark.parametrize(("present", "curves"), [((), 0), ((3, 4, 5, 20, 21), 2)])
def test_score_curve_is_broken_where_slices_have_no_score(present: tuple[int, ...], curves: int) -> None:
    axis = axis_of(scores=np.where(np.isin(np.arange(SLICES), present), SCORES, np.nan))
    assert axis is not None
    assert len(axis.score_paths) == curves


def test_slices_that_do_not_run_along_the_body_have_no_figure() -> None:
    assert axis_of(permuted=True) is None


def test_drawing_names_what_it_shows_and_says_that_it_is_a_demonstration() -> None:
    axis = axis_of()
    assert axis is not None
    svg = axis.svg()
    for text in ("lung_start", "lung_end", "Th5", "chest", "slice score", DEMONSTRATION_NOTICE):
        assert text in svg
    assert ">L5<" not in svg
    png = axis.png()
    assert Image.open(io.BytesIO(png)).size[0] > 400
    assert len(png) <= PNG_BUDGET


def test_drawing_says_why_there_is_no_landmark() -> None:
    reversed_scores = axis_of(scores=SCORES[::-1])
    assert reversed_scores is not None
    assert f"no landmarks: {AGAINST_GEOMETRY}" in reversed_scores.svg()
    found = axis_of()
    assert found is not None
    assert found.remark is None


def test_text_from_outside_is_escaped() -> None:
    axis = axis_of(outline='M0 0"/><script>')
    assert axis is not None
    assert "<script>" not in axis.svg()


def test_names_are_spread() -> None:
    assert spread([], 5, 100) == []
    assert spread([10, 50], 5, 100) == [10, 50]
    moved = spread([10, 10, 11, 99, 100], 5, 100)
    assert all(later - earlier >= 5 - 1e-9 for earlier, later in pairwise(moved))
    assert moved[0] >= 0
    assert moved[-1] <= 100
