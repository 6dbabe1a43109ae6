"""What every figure is held to, and recordings to draw.

Belongs here: checks of a rendered page. Does not belong here: what one figure shows.
"""

from __future__ import annotations

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from plr_assets.recordings.table import Recordings, Stimulus

LIGHTS = (Stimulus("blue", 15.5, 24.5), Stimulus("red", 46.5, 55.5))


def make_recordings(n: int = 2, rate_hz: float = 30, duration_s: float = 66, truth: bool = True) -> Recordings:
    samples = round(rate_hz * duration_s) + 1
    time = np.arange(samples) / rate_hz
    clean = np.tile(-40 * ((time > 16) & (time < 25)) - 5 * np.sin(time), (n, 1)).astype(np.float32)
    pupil = clean + np.random.default_rng(1).normal(0, 0.3, clean.shape).astype(np.float32)
    pupil[:, samples // 10 : samples // 9] -= 30
    pupil[:, samples // 3 : samples // 3 + samples // 100] = np.nan
    return Recordings(
        recording=tuple(f"rec{i:03d}" for i in range(n)),
        subject=tuple(f"sub{i:03d}" for i in range(n)),
        rate_hz=rate_hz,
        pupil=pupil,
        light={colour: np.zeros_like(pupil) for colour in ("red", "blue")},
        stimuli=(LIGHTS,) * n,
        baseline=np.ones(n),
        baseline_unit="px",
        synthetic=True,
        truth=clean if truth else None,
    )


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


def assert_good_page(figure: Figure, *, synthetic: bool) -> None:
    """Every panel has ink, no word leaves the page, the title keeps clear of the mark, the mark is there if it must."""
    figure.savefig(buffer := io.BytesIO(), format="png", dpi=72)
    image = imread(io.BytesIO(buffer.getvalue()))[:, :, :3]
    height, width = image.shape[:2]
    for axes in figure.axes:
        if not axes.axison:
            continue
        box = axes.get_position()
        panel = image[
            int((1 - box.y1) * height) : int((1 - box.y0) * height), int(box.x0 * width) : int(box.x1 * width)
        ]
        assert panel.std() > 0.01, f"the panel {axes.get_title('left')!r} is empty"
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer, page, drawn = canvas.get_renderer(), figure.bbox, _drawn(figure)
    for text in figure.findobj(Text):
        # ticks beyond the limits of an axis exist, and are not drawn
        if not text.get_text() or not text.get_visible() or id(text) not in drawn:
            continue
        box = text.get_window_extent(renderer)
        inside = box.x0 > page.x0 - 1 and box.y0 > page.y0 - 1 and box.x1 < page.x1 + 1 and box.y1 < page.y1 + 1
        assert inside, f"{text.get_text()!r} leaves the page"
    marks = [text for text in figure.texts if text.get_gid() == "synthetic"]
    assert [mark.get_text() for mark in marks] == ["simulated data"] * synthetic
    for mark in marks:
        title = figure._suptitle  # type: ignore[attr-defined]
        assert not mark.get_window_extent(renderer).overlaps(title.get_window_extent(renderer))


def _drawn(figure: Figure) -> set[int]:
    """Ids of the texts that are written on the page, tick labels of visible ticks only."""
    words = [*figure.texts, figure._suptitle]  # type: ignore[attr-defined]
    words += [word for legend in figure.legends for word in legend.get_texts()]
    for axes in figure.axes:
        words += [*axes.texts, axes._left_title, axes.xaxis.label, axes.yaxis.label]  # type: ignore[attr-defined]
        for axis in (axes.xaxis, axes.yaxis):
            words += [tick.label1 for tick in axis._update_ticks() if tick.label1.get_visible()]
    return {id(word) for word in words}
