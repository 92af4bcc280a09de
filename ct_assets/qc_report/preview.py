"""Multiplanar previews: planes through the heart with the outlines of every model and of the expert."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from ct_assets.organs import LUNGS, ORGANS
from ct_assets.picture.image import SOFT_TISSUE, Window, grey_image, plane_data_url, png_within
from ct_assets.picture.planes import EDGES, Array, Orientation, Plane, plane_image
from ct_assets.qc_report.inputs import SeriesInputs
from ct_assets.qc_report.outline import contours, css, organ_colour, svg_path

THUMBNAIL_BUDGET = 20_000
"""Largest thumbnail in bytes."""

_HEART = 2


@dataclass(frozen=True)
class Outline:
    """One drawn outline: whose it is, of what, its SVG path in mm and its colour."""

    model: str
    organ: str
    path: str
    colour: str


@dataclass(frozen=True)
class Panel:
    """One image of a plane with its outlines; sizes in mm."""

    plane: Plane
    window: Window
    width_mm: float
    height_mm: float
    image: str
    outlines: tuple[Outline, ...]

    @property
    def edges(self) -> tuple[str, str, str, str]:
        """What lies at the left, right, top and bottom edge."""
        return EDGES[self.plane]


def panels(inputs: SeriesInputs) -> list[Panel]:
    """Return the axial, coronal and sagittal panel in the soft tissue window.

    Parameters
    ----------
    inputs : SeriesInputs
        The series, loaded.

    Returns
    -------
    list of Panel
        Planes through the heart's centre, or the volume's where no model found a heart.
    """
    orientation = Orientation.of(inputs.affine, inputs.ct.shape)
    ct = orientation.turned(inputs.ct)
    centre = focus(inputs, orientation)
    return [
        Panel(
            plane,
            SOFT_TISSUE,
            *orientation.size_mm(plane),
            image=plane_data_url(plane_image(ct, plane, centre), SOFT_TISSUE, orientation.size_mm(plane)),
            outlines=tuple(_outlines(inputs, orientation, plane, centre)),
        )
        for plane in Plane
    ]


def focus(inputs: SeriesInputs, orientation: Orientation) -> tuple[int, int, int]:
    """Return the voxel of the turned grid that the planes go through.

    Parameters
    ----------
    inputs : SeriesInputs
        The series, loaded.
    orientation : Orientation
        How its grid is turned.

    Returns
    -------
    tuple of int
        Centre of the heart of the first model that has one, otherwise of the volume.
    """
    for label_map in inputs.label_maps.values():
        voxels = np.argwhere(label_map == _HEART)
        if len(voxels):
            middle = np.rint(orientation.turned_index(voxels.mean(axis=0), inputs.ct.shape)).astype(int)
            return int(middle[0]), int(middle[1]), int(middle[2])
    left, back, head = orientation.shape
    return left // 2, back // 2, head // 2


def thumbnail(inputs: SeriesInputs, budget: int = THUMBNAIL_BUDGET) -> bytes:
    """Return a small coronal and axial view with the first model's outlines, for materialization metadata.

    Parameters
    ----------
    inputs : SeriesInputs
        The series, loaded.
    budget : int
        Largest size in bytes.

    Returns
    -------
    bytes
        PNG.
    """
    orientation = Orientation.of(inputs.affine, inputs.ct.shape)
    centre = focus(inputs, orientation)
    ct = orientation.turned(inputs.ct)
    label_map = next(iter(inputs.label_maps.values()), None)
    labels = None if label_map is None else orientation.turned(label_map)
    tiles = []
    for plane in (Plane.CORONAL, Plane.AXIAL):
        tile = grey_image(plane_image(ct, plane, centre), SOFT_TISSUE, orientation.size_mm(plane), 240).convert("RGB")
        if labels is not None:
            _draw(tile, plane_image(labels, plane, centre))
        tiles.append(tile)
    sheet = Image.new("RGB", (sum(tile.width for tile in tiles), max(tile.height for tile in tiles)))
    left = 0
    for tile in tiles:
        sheet.paste(tile, (left, (sheet.height - tile.height) // 2))
        left += tile.width
    return png_within(sheet, budget)


def _outlines(
    inputs: SeriesInputs, orientation: Orientation, plane: Plane, centre: tuple[int, int, int]
) -> list[Outline]:
    pixel_mm = orientation.pixel_mm(plane)
    outlines = []
    for model, label_map in inputs.label_maps.items():
        labels = plane_image(orientation.turned(label_map), plane, centre)
        outlines += [
            Outline(model, organ, svg_path(labels == label, pixel_mm), css(organ_colour(organ)))
            for label, organ in ORGANS.items()
        ]
    for name, mask in (inputs.expert or {}).items():
        if name == LUNGS:
            continue
        cut: npt.NDArray[np.bool_] = plane_image(orientation.turned(mask), plane, centre)
        outlines.append(Outline("expert", name, svg_path(cut, pixel_mm), "#ffffff"))
    return [outline for outline in outlines if outline.path]


def _draw(tile: Image.Image, labels: Array) -> None:
    """Draw outlines of a label image onto a tile that shows the same plane."""
    drawing = ImageDraw.Draw(tile)
    scale = np.asarray([tile.width / labels.shape[1], tile.height / labels.shape[0]])
    for label, organ in ORGANS.items():
        for points in contours(labels == label):
            corners = [(float(x), float(y)) for x, y in (points[:, ::-1] + 0.5) * scale]
            drawing.line(corners, fill=organ_colour(organ), width=2)
