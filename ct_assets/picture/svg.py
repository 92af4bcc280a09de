"""SVG drawings as small PNG, where a page cannot show the SVG itself."""

import io
from pathlib import Path

import matplotlib as mpl
import resvg_py
from PIL import Image

from ct_assets.picture.image import png_within

FONT = "DejaVu Sans"
"""The font of all text; it comes with matplotlib, so that a picture does not depend on the machine's fonts."""


def svg_to_png(svg: str, width: int, budget: int) -> bytes:
    """Render an SVG.

    Parameters
    ----------
    svg : str
        A whole document; images in it are data URLs.
    width : int
        Pixels.
    budget : int
        Largest size in bytes; where the PNG would be larger, it gets fewer colours, then fewer pixels.

    Returns
    -------
    bytes
        PNG, equal on all machines.

    Raises
    ------
    ValueError
        If it is no SVG.
    """
    fonts = Path(mpl.get_data_path()) / "fonts" / "ttf"
    png = resvg_py.svg_to_bytes(
        svg_string=svg,
        width=width,
        skip_system_fonts=True,
        font_files=[str(fonts / name) for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")],
        font_family=FONT,
        sans_serif_family=FONT,
    )
    return png_within(Image.open(io.BytesIO(bytes(png))).convert("RGB"), budget)
