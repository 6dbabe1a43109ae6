"""Pictures of a figure at the resolution of a screen.

Belongs here: making a 300 dpi PNG small enough to stand in an HTML page. Does not belong here: drawing.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path

# CSS pixels an inch of a figure takes: letters of 6.5 pt then have the size of the page's notes.
PIXELS_PER_INCH = 140
# Pixels of the picture for each of the page: sharp on a phone, at a quarter of the bytes of 300 dpi.
DENSITY = 1.5


def data_uri(path: Path, dpi: int) -> tuple[str, int, int]:
    """The PNG at `path`, drawn at `dpi`, as a `data:` URI, and the width and height that it takes on the page.

    256 colours, the file is a third: our figures have fewer, but for blended edges and colour scales. Maximum coverage
    keeps the rare ones (labels, marks), which the median cut shifted by up to 81 of 255; here it was 10.
    """
    from PIL import Image

    with Image.open(path) as opened:
        image = opened.convert("RGB")
    shown = tuple(round(side * PIXELS_PER_INCH / dpi) for side in image.size)
    kept = tuple(min(side, round(on_page * DENSITY)) for side, on_page in zip(image.size, shown, strict=True))
    image = image.resize((kept[0], kept[1]), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.quantize(256, method=Image.Quantize.MAXCOVERAGE).save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}", shown[0], shown[1]
