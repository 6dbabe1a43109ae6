"""Pictures of a figure at the resolution of a screen.

Belongs here: making a 300 dpi PNG small enough to stand in an HTML page. Does not belong here: drawing.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path

# Twice the width of the report's text, for screens of double density.
SCREEN_PIXELS = 1500


def data_uri(path: Path, pixels: int = SCREEN_PIXELS) -> tuple[str, int, int]:
    """The PNG at `path`, at most `pixels` wide, as a `data:` URI, and the width and height it has then.

    256 colours: our figures have fewer, but for blended edges and colour scales, and the file is a third.
    """
    from PIL import Image

    with Image.open(path) as opened:
        image = opened.convert("RGB")
    if image.width > pixels:
        image = image.resize((pixels, round(image.height * pixels / image.width)), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.quantize(256).save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}", image.width, image.height
