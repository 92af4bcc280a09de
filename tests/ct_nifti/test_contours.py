"""Which pixels a contour encloses: by definition, whatever way it is drawn or turned."""

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ct_assets.ct_nifti.contours import filled

SHAPE = (24, 30)


def _square(first: float, last: float) -> npt.NDArray[np.float64]:
    return np.asarray([(first, first), (first, last), (last, last), (last, first)])


def _block(first: int, last: int) -> npt.NDArray[np.bool_]:
    mask = np.zeros(SHAPE, dtype=np.bool_)
    mask[first : last + 1, first : last + 1] = True
    return mask


@pytest.mark.parametrize("beyond", [0.5, 0.1, 0.4, 0.9])
def test_the_centres_within_a_square_at_any_fraction_of_a_pixel_are_in(beyond):
    np.testing.assert_array_equal(filled([_square(5 - beyond, 9 + beyond)], SHAPE), _block(5, 9))


def test_the_centres_on_the_outline_are_in_so_a_contour_through_them_gives_the_label_map_back():
    np.testing.assert_array_equal(filled([_square(5, 9)], SHAPE), _block(5, 9))
    np.testing.assert_array_equal(filled([_square(5 + 1e-5, 9 - 1e-5)], SHAPE), _block(5, 9))


def test_a_contour_within_another_is_a_hole_and_an_island_within_that_is_in():
    rings = [_square(2.5, 20.5), _square(5.5, 15.5), _square(8.5, 10.5)]
    expected = _block(3, 20) & ~_block(6, 15) | _block(9, 10)
    for order in itertools.permutations(rings):
        np.testing.assert_array_equal(filled(order, SHAPE), expected)


def test_islands_that_touch_have_no_seam():
    left = np.asarray([(2, 2), (2, 8), (9, 8), (9, 2)])
    np.testing.assert_array_equal(filled([left, left + np.asarray([0, 6])], SHAPE)[2:10, 2:15], True)


@pytest.mark.parametrize("column", [8, 8.25])
def test_a_keyhole_is_a_hole_whose_channel_leaves_no_trace_even_through_pixel_centres(column):
    outer = [(1.5, 1.5), (1.5, column), *[(5.5, column), (5.5, 5.5), (12.5, 5.5), (12.5, 12.5), (5.5, 12.5)]]
    keyhole = np.asarray([*outer, (5.5, column), (1.5, column), (1.5, 18.5), (18.5, 18.5), (18.5, 1.5)])
    expected = _block(2, 18) & ~_block(6, 12)
    for vertices in (keyhole, keyhole[::-1], keyhole[:, ::-1]):
        np.testing.assert_array_equal(filled([vertices], SHAPE), expected)


def test_what_is_outside_the_image_is_clipped():
    assert filled([_square(-1e8, 1e8)], SHAPE).all()
    assert not filled([_square(40, 50), _square(-50, -1)], SHAPE).any()
    np.testing.assert_array_equal(filled([_square(-1e6, 3.5)], SHAPE), _block(0, 3))


def _even_odd(vertices: npt.NDArray[np.float64], places: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Even-odd rule of places on no outline."""
    inside = np.zeros(len(places), dtype=np.bool_)
    rows, columns = places.T
    for (row_0, column_0), (row_1, column_1) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        if row_0 != row_1:
            crossing = column_0 + (rows - row_0) * (column_1 - column_0) / (row_1 - row_0)
            inside ^= ((row_0 <= rows) != (row_1 <= rows)) & (columns < crossing)
    return inside


@given(st.lists(st.tuples(st.integers(-8, 104), st.integers(-8, 128)), min_size=3, max_size=12))
@settings(max_examples=200, deadline=None)
def test_a_pixel_is_in_if_its_centre_or_what_is_next_to_it_is_inside_and_all_turns_with_the_image(quarters):
    vertices = np.asarray(quarters) / 4
    mask = filled([vertices], SHAPE)
    for steps in itertools.product((1, -1), (1, -1)):
        turned = vertices * steps + np.where(np.asarray(steps) > 0, 0, np.asarray(SHAPE) - 1)
        np.testing.assert_array_equal(filled([turned], SHAPE), mask[:: steps[0], :: steps[1]])
    np.testing.assert_array_equal(filled([vertices[:, ::-1]], SHAPE[::-1]), mask.T)
    centres = np.indices(SHAPE).reshape(2, -1).T.astype(float)
    angles = np.arange(0.1, 2 * np.pi, 0.02)
    around = 1e-5 * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    expected = np.any([_even_odd(vertices, centres + offset) for offset in around], axis=0).reshape(SHAPE)
    on_vertex = (centres[:, np.newaxis] == vertices).all(axis=2).any(axis=1).reshape(SHAPE)
    np.testing.assert_array_equal(mask[~on_vertex], expected[~on_vertex])
