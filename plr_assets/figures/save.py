"""Figures as files: PNG, SVG and a JSON sidecar of the plotted data, the same bytes for the same figure.

Belongs here: rendering to bytes and writing them whole. Does not belong here: drawing, or where results live.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from plr_assets.figures.style import load_figures_config

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image

THUMBNAIL_BYTES = 80_000


def save_figure(
    figure: Figure, folder: Path, name: str, data: Mapping[str, Any], provenance: Mapping[str, Any]
) -> tuple[Path, ...]:
    """Write `<name>.png`, `<name>.svg` and `<name>.json` into `folder` and return their paths.

    data         what was plotted: tables, arrays, numbers; NaN and infinity become null.
    provenance   where it came from (run ids, digests); no time of day, so that equal figures are equal files.
    Everything is rendered before the first file appears, and each appears whole. Raises ValueError for a name that is
    no file name, a figure without panels, or data that are empty or cannot be written as JSON.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise ValueError(f"{name!r} is no plain file name")
    if not figure.axes or not data:
        raise ValueError(f"{name}: a figure has panels and the data that are plotted in them")
    sidecar = {"figure": name, "data": _plain(data), "provenance": _plain(provenance)}
    files = {
        f"{name}.png": _png(figure, load_figures_config().style.dpi),
        f"{name}.svg": _svg(figure, name),
        f"{name}.json": (json.dumps(sidecar, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n").encode(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(_write_whole(folder / file, content) for file, content in files.items())


def save_png(figure: Figure, folder: Path, name: str) -> Path:
    """Write `<name>.png` for the screen (100 dpi): for pages of many, whose data are a published table already."""
    folder.mkdir(parents=True, exist_ok=True)
    return _write_whole(folder / f"{name}.png", _png(figure, 100))


def thumbnail(figure: Figure) -> bytes:
    """A small PNG (below 80 kB) for previews. Raises ValueError for a figure that is too large for that."""
    from PIL import Image

    drawn = _image(figure, 100)
    for percent in (100, 80, 60, 45, 30):
        size = (drawn.width * percent // 100, drawn.height * percent // 100)
        image = _encoded(drawn if percent == 100 else drawn.resize(size, Image.Resampling.LANCZOS), percent)
        if len(image) < THUMBNAIL_BYTES:
            return image
    raise ValueError(f"the figure does not fit into {THUMBNAIL_BYTES} bytes at 30 dpi")


def _settle(figure: Figure) -> None:
    """Lay the figure out once and for all. The solver's last digits vary from process to process, and an SVG names its
    clip paths after positions: a millionth of the page is exact enough for both."""
    from matplotlib.layout_engine import PlaceHolderLayoutEngine

    if isinstance(figure.get_layout_engine(), PlaceHolderLayoutEngine | None):
        return  # it was, or never needs to be
    with load_figures_config().style.applied():
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = (round(float(value), 6) for value in axes.get_position(original=True).bounds)
        axes.set_position((left, bottom, width, height))


def _png(figure: Figure, dpi: float) -> bytes:
    return _encoded(_image(figure, dpi), dpi)


def _image(figure: Figure, dpi: float) -> Image.Image:
    """The figure's pixels. `savefig` would draw it twice: once to see how large it is."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    _settle(figure)
    before = figure.dpi
    with load_figures_config().style.applied():  # ticks are made when they are first drawn
        try:
            figure.set_dpi(dpi)
            canvas = FigureCanvasAgg(figure)
            canvas.draw()  # type: ignore[no-untyped-call]
            return Image.fromarray(np.array(canvas.buffer_rgba()))  # type: ignore[no-untyped-call]
        finally:
            figure.set_dpi(before)


def _encoded(image: Image.Image, dpi: float) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="png", dpi=(dpi, dpi), optimize=True)
    return buffer.getvalue()


def _svg(figure: Figure, name: str) -> bytes:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    _settle(figure)
    buffer = io.BytesIO()
    before = figure.dpi
    with load_figures_config().style.applied(), rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        try:
            canvas = FigureCanvasSVG(figure)
            canvas.print_svg(buffer, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
        finally:
            figure.set_dpi(before)
    return buffer.getvalue()


def _write_whole(path: Path, content: bytes) -> Path:
    """Write beside `path`, then rename: a reader never sees half a file."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return path


def _plain(value: Any) -> Any:
    """`value` as JSON knows it. Raises ValueError for what JSON cannot hold."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): _plain(entry) for key, entry in value.items()}
        case pl.DataFrame():
            return {column: _plain(value[column].to_list()) for column in value.columns}
        case np.ndarray() | np.generic():
            if value.dtype == np.float32:  # the shortest digits that name the value: a third of those of its double
                value = value.astype(str).astype(np.float64)
            return _plain(value.tolist())
        case list() | tuple():
            return [_plain(entry) for entry in value]
        case _:
            raise ValueError(f"the sidecar cannot hold a {type(value).__name__}")
