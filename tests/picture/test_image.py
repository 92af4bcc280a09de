"""Windows, sizes, and SVG as PNG."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from ct_assets.picture.image import SOFT_TISSUE, png_within, windowed
from ct_assets.picture.svg import svg_to_png


def test_window() -> None:
    grey = windowed(np.array([[-1000, -160, 40, 240, 3000, np.nan]]), SOFT_TISSUE)
    assert grey.tolist() == [[0, 0, 128, 255, 255, 0]]


def test_png_keeps_its_budget_whatever_the_image() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 600), dtype=np.uint8))
    for image in (noise, noise.convert("RGB")):
        assert len(png_within(image, 20_000)) <= 20_000
    with pytest.raises(ValueError, match="fits"):
        png_within(noise, 10)


def test_svg_is_drawn_with_its_own_font_and_images() -> None:
    red = io.BytesIO()
    Image.new("RGB", (4, 4), (255, 0, 0)).save(red, format="PNG")
    picture = base64.b64encode(red.getvalue()).decode()
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 50"><rect width="100" height="50" fill="#000"/>'
        f'<image href="data:image/png;base64,{picture}" width="50" height="50"/>'
        '<text x="55" y="35" font-size="30" font-family="system-ui, sans-serif" fill="#fff">Th4</text></svg>'
    )
    png = svg_to_png(svg, 200, 50_000)
    drawn = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    assert drawn.shape == (100, 200, 3)
    assert (drawn[:, :90, 0] > 200).all()
    assert (drawn[:, 110:].min(axis=2) > 200).sum() > 200  # the letters
    assert svg_to_png(svg, 200, 50_000) == png


def test_no_svg_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown token"):
        svg_to_png("no svg", 200, 50_000)
