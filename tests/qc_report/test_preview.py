"""Orientation, windows, outlines and sizes of previews."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from skimage.draw import polygon2mask

from ct_assets.picture.planes import Orientation
from ct_assets.qc_report.inputs import SeriesInputs
from ct_assets.qc_report.outline import contours, organ_colour
from ct_assets.qc_report.preview import focus, panels, thumbnail

MakeInputs = Callable[..., SeriesInputs]


@pytest.mark.parametrize("reverse", [(False, False, False), (True, False, False), (True, True, True)])
def test_planes_are_the_same_in_every_voxel_order(make_inputs: MakeInputs, reverse: tuple[bool, bool, bool]) -> None:
    expected, actual = panels(make_inputs()), panels(make_inputs(reverse))
    assert [panel.image for panel in actual] == [panel.image for panel in expected]
    assert [panel.outlines for panel in actual] == [panel.outlines for panel in expected]


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


def test_thumbnail(make_inputs: MakeInputs) -> None:
    noise = np.random.default_rng(0).normal(40, 150, make_inputs().ct.shape).astype(np.float32)
    content = thumbnail(make_inputs(ct=noise))
    assert content.startswith(b"\x89PNG")
    assert len(content) <= 20_000
