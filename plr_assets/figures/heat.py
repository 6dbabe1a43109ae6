"""Matrices of numbers: cells with their value written in, hatched where there is none, one colour scale.

Belongs here: what heat maps share. Does not belong here: which matrix, or what its numbers are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from plr_assets.figures.style import Style
from plr_assets.figures.tables import DAGGER, Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure

Flags = NDArray[np.bool_]
# The least cell that holds `.85` and a dagger in 6.5 pt. Two panels of the nine imputations then fit side by side.
CELL_IN = (0.27, 0.2)
# Names of detectors on the left, the colour bar on the right.
MARGINS_IN = 2.05
NARROWEST_PANEL_IN = 1.25  # the longest name of a classifier
NARROWEST_PAGE_IN = 3.5  # one journal column


def colour_scale(values: Values, style: Style) -> tuple[Colormap, Normalize]:
    """From the least value to the largest. Raises ValueError where there is none."""
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    if np.isnan(values).all():
        raise ValueError("nothing to draw: no cell has a value")
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    spare = 0.005 if high - low < 0.01 else 0.0  # equal values would have no scale
    return colormaps[style.colormap], Normalize(low - spare, high + spare)


def draw_cells(
    axes: Axes,
    values: Values,
    oracle: Flags,
    *,
    colours: Colormap,
    norm: Normalize,
    style: Style,
    write: Callable[[float], str] = lambda value: f"{value:.2f}".lstrip("0"),
) -> None:
    """values (rows, columns), NaN where there is none; oracle, the same shape, adds a dagger."""
    from matplotlib.patches import Rectangle

    axes.imshow(np.ma.masked_invalid(values), cmap=colours, norm=norm, aspect="auto", interpolation="nearest")
    for (row, column), value in np.ndenumerate(values):
        if np.isnan(value):
            corner = (column - 0.5, row - 0.5)
            axes.add_patch(Rectangle(corner, 1, 1, facecolor="white", edgecolor=style.faint, hatch="////", linewidth=0))
            continue
        red, green, blue, _ = colours(norm(value))
        # WCAG relative luminance (gamma 2.2); black and white print have equal contrast on 0.18
        luminance = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
        ink = "white" if luminance < 0.18 else style.ink
        text = write(value) + (DAGGER if oracle[row, column] else "")
        axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=style.small_size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(values.shape[1] + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(values.shape[0] + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8)
    axes.tick_params(which="minor", length=0)


def colour_bar(figure: Figure, axes: Any, colours: Colormap, norm: Normalize, *, label: str, style: Style) -> None:
    """The scale on the right of all `axes`."""
    from matplotlib.cm import ScalarMappable

    bar = figure.colorbar(ScalarMappable(norm, colours), ax=axes, fraction=0.03, pad=0.02, aspect=30)
    bar.set_label(label, fontsize=style.small_size)
    bar.ax.tick_params(labelsize=style.small_size, width=0.6, length=2.5)
    bar.outline.set_visible(False)
