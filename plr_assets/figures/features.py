"""What features are made of: their windows under a typical response, and how their values are spread.

Belongs here: drawing the catalogue of one featurization. Does not belong here: windows, quantiles or histograms: they
come from `schemas.FEATURE_CATALOG` and `featurization.catalog`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.figures.style import Style
from plr_assets.figures.traces import draw_lights
from plr_assets.recordings.table import Stimulus

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A page holds that many; the rest is in the table.
MOST = 40
_COLUMNS = 5


def draw_features(
    catalog: pl.DataFrame,
    histograms: pl.DataFrame,
    *,
    time: NDArray[np.float64],
    centre: NDArray[np.float64],
    lights: Sequence[Stimulus],
    title: str,
    synthetic: bool,
    style: Style,
) -> Figure:
    """One page: a typical response, a bar for each run of samples of each feature, a histogram a feature.

    catalog       rows of one featurization, of which the first 40 are drawn, and the page says so.
    histograms    name, bin_start, bin_end, n.
    time, centre  (T,) s and %, the response that the windows lie under.
    Raises ValueError where there is no feature, or rows of several featurizations.
    """
    if catalog["featurization"].n_unique() != 1:
        raise ValueError(f"a page is of one featurization, not {catalog['featurization'].n_unique()}")
    shown = catalog.head(MOST)
    lines = ceil(shown.height / _COLUMNS)
    heights = [1.3, 0.13 * shown.height + 0.15, 0.85 * lines]
    with style.applied():
        figure = style.page(sum(heights) + 1.3, title=title, synthetic=synthetic)
        pages = figure.add_gridspec(2, 1, height_ratios=[heights[0] + heights[1], heights[2]])
        above, below = pages[0].subgridspec(2, 1, height_ratios=heights[:2]), pages[1].subgridspec(lines, _COLUMNS)
        response = figure.add_subplot(above[0])
        runs = figure.add_subplot(above[1], sharex=response)
        response.tick_params(labelbottom=False)
        draw_lights(response, tuple(lights), style)
        response.plot(time, centre, color=style.signals.recording, linewidth=1)
        response.set(ylabel="pupil (% change)", xlim=(0, time[-1]))
        told = f"the first {MOST} of {catalog.height}" if catalog.height > MOST else f"{shown.height}"
        style.dress(response, "A", f"Samples that features rest on ({told})")
        _draw_runs(runs, shown, lights, style)
        for place, row in enumerate(shown.iter_rows(named=True)):
            axes = figure.add_subplot(below[divmod(place, _COLUMNS)])
            _draw_histogram(axes, row, histograms.filter(name=row["name"]), style)
    return figure


def _draw_runs(axes: Axes, shown: pl.DataFrame, lights: Sequence[Stimulus], style: Style) -> None:
    draw_lights(axes, tuple(lights), style)
    for place, row in enumerate(shown.iter_rows(named=True)):
        starts, ends = row["run_starts_s"] or [], row["run_ends_s"] or []
        axes.broken_barh(
            [(start, end - start) for start, end in zip(starts, ends, strict=True)],
            (place - 0.35, 0.7),
            color=_colour(row, style),
            linewidth=0,
        )
    axes.set_yticks(range(shown.height), shown["name"].to_list())
    axes.set(ylim=(shown.height - 0.5, -0.5), xlabel="time (s)")
    style.dress(axes, "", "")


def _draw_histogram(axes: Axes, row: dict[str, object], bars: pl.DataFrame, style: Style) -> None:
    starts, ends = bars["bin_start"].to_numpy(), bars["bin_end"].to_numpy()
    axes.bar(starts, bars["n"], ends - starts, align="edge", color=_colour(row, style), linewidth=0)
    if bars.height == 1:  # all values are one
        axes.vlines(starts, 0, bars["n"], color=_colour(row, style))
    axes.set_yticks([])
    axes.locator_params(axis="x", nbins=3)
    style.dress(axes, "", "")
    # A name may be wider than its panel: it breaks where its words do.
    axes.set_title(_broken(str(row["name"])), loc="left", fontsize=style.small_size, pad=3)
    axes.set_xlabel(str(row["unit"] or ""), fontsize=style.small_size, labelpad=1)


def _colour(row: dict[str, object], style: Style) -> str:
    """The light's; of several lights, ink."""
    return style.stimuli.get(str(row["colour"]), style.muted)


def _broken(name: str, letters: int = 20) -> str:
    """`name` on two lines, at the last `_` that leaves the first short enough."""
    if len(name) <= letters or "_" not in name[:letters]:
        return name
    cut = name[:letters].rindex("_") + 1
    return f"{name[:cut]}\n{name[cut:]}"
