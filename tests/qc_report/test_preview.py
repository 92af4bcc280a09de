"""Orientation, windows, outlines and sizes of previews."""

import io
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from skimage.draw import polygon2mask

from ct_assets.qc_report.body_axis import body_axis, spread
from ct_assets.qc_report.image import SOFT_TISSUE, png_within, windowed
from ct_assets.qc_report.inputs import SeriesInputs
from ct_assets.qc_report.outline import contours, organ_colour
from ct_assets.qc_report.planes import Orientation, Plane, plane_image
from ct_assets.qc_report.preview import focus, panels, thumbnail

MakeInputs = Callable[..., SeriesInputs]

PERMUTATIONS = [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0)]
FLIPS = [(1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1), (-1, -1, 1), (-1, -1, -1)]


@pytest.mark.parametrize("permutation", PERMUTATIONS)
@pytest.mark.parametrize("flips", FLIPS)
def test_marker_appears_where_a_radiologist_looks_for_it(
    permutation: tuple[int, int, int], flips: tuple[int, int, int]
) -> None:
    """A voxel at the patient's right, front and head is at the upper left of each plane, by the affine alone."""
    shape, steps = (6, 7, 8), (1.5, 2.0, 3.0)
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, world in enumerate(permutation):
        affine[world, axis] = flips[axis] * steps[axis]
    # The wanted corner in RAS: least x (right is +x, so greatest), greatest y (anterior), greatest z (superior).
    corners = np.asarray(np.meshgrid(*[[0, size - 1] for size in shape], indexing="ij")).reshape(3, -1).T
    world_corners = corners @ affine[:3, :3].T
    marker = corners[np.argmax(world_corners.sum(axis=1))]
    volume = np.zeros(shape)
    volume[tuple(marker)] = 1

    orientation = Orientation.of(affine, shape)
    turned = orientation.turned(volume)
    place = tuple(np.argwhere(turned)[0])
    assert place == (0, 0, turned.shape[2] - 1)
    assert turned.shape == orientation.shape
    assert tuple(orientation.turned_index(marker.astype(float), shape)) == place
    for plane in Plane:
        image = plane_image(turned, plane, place)
        assert image[0, 0] == 1, plane
        width, height = orientation.pixel_mm(plane)
        assert orientation.size_mm(plane) == pytest.approx((image.shape[1] * width, image.shape[0] * height))
    assert [orientation.spacing_mm[world] for world in permutation] == list(steps)


def test_slightly_oblique_affine_follows_the_nearest_axes() -> None:
    angle = np.deg2rad(12)
    affine = np.diag([-2.0, -2.0, 3.0, 1.0])
    affine[:3, :3] = (
        np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]) @ affine[:3, :3]
    )
    orientation = Orientation.of(affine, (4, 5, 6))
    assert orientation.shape == (4, 5, 6)
    assert orientation.spacing_mm == pytest.approx((2.0, 2.0, 3.0))


@pytest.mark.parametrize("reverse", [(False, False, False), (True, False, False), (True, True, True)])
def test_planes_are_the_same_in_every_voxel_order(make_inputs: MakeInputs, reverse: tuple[bool, bool, bool]) -> None:
    expected, actual = panels(make_inputs()), panels(make_inputs(reverse))
    assert [panel.image for panel in actual] == [panel.image for panel in expected]
    assert [panel.outlines for panel in actual] == [panel.outlines for panel in expected]
    expected_axis, axis = body_axis(make_inputs()), body_axis(make_inputs(reverse))
    assert expected_axis is not None
    assert axis is not None
    assert axis.image == expected_axis.image
    assert axis.regions == expected_axis.regions
    assert [line.y for line in axis.landmarks] == pytest.approx([line.y for line in expected_axis.landmarks])
    points, expected_points = (sorted(a.score_paths[0][1:].split("L")) for a in (axis, expected_axis))
    assert points == expected_points


def test_panels_go_through_the_heart(make_inputs: MakeInputs) -> None:
    inputs = make_inputs()
    assert focus(inputs, Orientation.of(inputs.affine, inputs.ct.shape)) == (25, 16, 22)
    for panel in panels(inputs):
        drawn = {(outline.model, outline.organ) for outline in panel.outlines}
        assert {("3d_fullres", "heart"), ("2d", "heart"), ("expert", "heart")} <= drawn
        assert panel.width_mm / panel.height_mm == pytest.approx(
            {"axial": 44 * 7 / (40 * 8), "coronal": 44 * 7 / (56 * 5.5), "sagittal": 40 * 8 / (56 * 5.5)}[panel.plane]
        )


def test_without_heart_the_planes_go_through_the_middle(make_inputs: MakeInputs) -> None:
    empty = {model: np.zeros_like(labels) for model, labels in make_inputs().label_maps.items()}
    inputs = make_inputs(label_maps=empty, expert=None)
    assert focus(inputs, Orientation.of(inputs.affine, inputs.ct.shape)) == (22, 20, 28)
    assert all(not panel.outlines for panel in panels(inputs))
    assert Image.open(io.BytesIO(thumbnail(inputs))).width > 100


def test_window() -> None:
    grey = windowed(np.array([[-1000, -160, 40, 240, 3000, np.nan]]), SOFT_TISSUE)
    assert grey.tolist() == [[0, 0, 128, 255, 255, 0]]


def test_outline_encloses_the_mask() -> None:
    mask = np.zeros((20, 30), dtype=bool)
    mask[0:12, 25:30] = mask[8:12, 3:9] = True
    filled = np.zeros_like(mask)
    for points in contours(mask):
        filled |= polygon2mask((24, 34), points + 2)[2:-2, 2:-2]
    assert np.array_equal(filled, mask)


def test_colours_are_legible_on_black() -> None:
    for organ in ("esophagus", "heart", "trachea", "aorta"):
        assert max(organ_colour(organ)) > 150


def test_png_keeps_its_budget_whatever_the_image() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 600), dtype=np.uint8))
    for image in (noise, noise.convert("RGB")):
        assert len(png_within(image, 20_000)) <= 20_000
    with pytest.raises(ValueError, match="fits"):
        png_within(noise, 10)


def test_thumbnail(make_inputs: MakeInputs) -> None:
    noise = np.random.default_rng(0).normal(40, 150, make_inputs().ct.shape).astype(np.float32)
    content = thumbnail(make_inputs(ct=noise))
    assert content.startswith(b"\x89PNG")
    assert len(content) <= 20_000


def test_landmarks_regions_and_scores_share_one_scale(make_inputs: MakeInputs) -> None:
    axis = body_axis(make_inputs())
    assert axis is not None
    heights = {line.name: line.y for line in axis.landmarks}
    # Lung slices 5 to 51 of 56 from the feet, 5.5 mm each; lung_start was put one slice too high.
    assert heights["lung_end"] == pytest.approx((56 - 0.5 - 51) * 5.5)
    assert heights["lung_start"] == pytest.approx((56 - 0.5 - 6) * 5.5)
    assert len(axis.score_paths) == 1
    assert "L5" not in heights


@pytest.mark.parametrize(("present", "curves"), [((), 0), ((3, 4, 5, 20, 21), 2)])
def test_score_curve_is_broken_where_slices_have_no_score(
    make_inputs: MakeInputs, present: tuple[int, ...], curves: int
) -> None:
    scores = tuple(40.0 + k if k in present else None for k in range(56))
    axis = body_axis(make_inputs(body_part=make_inputs().body_part.model_copy(update={"slice_scores": scores})))
    assert axis is not None
    assert len(axis.score_paths) == curves


def test_names_are_spread() -> None:
    assert spread([], 5, 100) == []
    assert spread([10, 50], 5, 100) == [10, 50]
    moved = spread([10, 10, 11, 99, 100], 5, 100)
    assert all(later - earlier >= 5 - 1e-9 for earlier, later in pairwise(moved))
    assert moved[0] >= 0
    assert moved[-1] <= 100
