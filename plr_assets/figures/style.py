"""How figures look: `configs/figures.yaml`, typed, and the few drawing habits all figures share.

Belongs here: colours, sizes, the page with its title and its mark of simulated data. Does not belong here: a figure.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from plr_assets.config_files import load_model
from plr_assets.paths import configs_dir

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")]
Inches = Annotated[float, Field(gt=0, le=20)]
Points = Annotated[float, Field(ge=5, le=24, description="below 5 pt print cannot be read")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassColours(_Strict):
    control: Colour
    case: Colour


class SignalColours(_Strict):
    recording: Colour
    masked: Colour
    imputed: Colour
    truth: Colour


class Style(_Strict):
    """Sizes in inches and points, colours as #RRGGBB."""

    dpi: int = Field(ge=72, le=1200)
    width_in: Inches
    font_family: str
    font_size: Points
    small_size: Points
    title_size: Points
    line_width: float = Field(gt=0)
    colormap: str
    ink: Colour
    muted: Colour
    faint: Colour
    synthetic: Colour
    synthetic_text: str = Field(min_length=4)
    model: Colour
    classes: ClassColours
    categories: Mapping[str, Colour]
    series: tuple[Colour, ...] = Field(min_length=6)
    stimuli: Mapping[str, Colour]
    signals: SignalColours

    @contextmanager
    def applied(self) -> Iterator[None]:
        """matplotlib's own defaults but for what this style wants, for what is made or drawn inside; restored after.

        Libraries set defaults of their own when they are imported: what was imported before must not show.
        """
        from matplotlib import rc_context, rcParamsDefault

        ours = {name: value for name, value in rcParamsDefault.items() if not name.startswith("backend")}
        with rc_context(
            {
                **ours,
                "font.family": [self.font_family],
                "font.size": self.font_size,
                "axes.titlesize": self.font_size,
                "axes.labelsize": self.font_size,
                "legend.fontsize": self.small_size,
                "legend.title_fontsize": self.small_size,
                "legend.frameon": False,
                "axes.edgecolor": self.ink,
                "axes.labelcolor": self.ink,
                "text.color": self.ink,
                "axes.linewidth": 0.6,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "lines.linewidth": self.line_width,
                "hatch.linewidth": 0.5,
                "axes.unicode_minus": True,
                "figure.facecolor": "white",
                "savefig.facecolor": "white",
                # a third of a pixel at 300 dpi: recordings of 72,001 samples keep their look in a tenth of the size
                "path.simplify_threshold": 0.33,
            }
        ):
            yield

    def page(self, height_in: float, *, title: str, synthetic: bool, width_in: float | None = None) -> Figure:
        """An empty figure with its title on the left and, where the data are simulated, a mark on the right."""
        from matplotlib.figure import Figure

        width = width_in or self.width_in
        figure = Figure(figsize=(width, height_in), layout="constrained")
        reserved = self._width(self.synthetic_text) + 0.3 if synthetic else 0.15
        figure.suptitle(
            self._wrapped(title, width - reserved), x=0.01, ha="left", fontsize=self.title_size, fontweight="bold"
        )
        if synthetic:
            figure.text(
                0.99,
                1 - 0.0417 / height_in,  # where the constrained layout puts the title
                self.synthetic_text,
                ha="right",
                va="top",
                color=self.synthetic,
                fontsize=self.title_size,
                fontweight="bold",
                gid="synthetic",
            )
        return figure

    def _wrapped(self, title: str, room_in: float) -> str:
        """`title` on as few lines as fit into `room_in`."""
        for letters in range(len(title), 0, -1):
            lines = textwrap.wrap(title, letters)
            if all(self._width(line) <= room_in for line in lines):
                return "\n".join(lines)
        raise ValueError(f"the title {title!r} does not fit into {room_in:.1f} in")

    def _width(self, line: str) -> float:
        """Inches that a line of title takes."""
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import TextPath

        bold = FontProperties(family=self.font_family, weight="bold")
        return float(TextPath((0, 0), line, size=self.title_size, prop=bold).get_extents().x1) / 72

    def dress(self, axes: Axes, letter: str, text: str, below: Sequence[str] = ()) -> None:
        """The heading of a panel (`A  Discrimination`, flush left), small lines below it, and its ticks.

        Ticks are made when a figure is drawn, after `applied` has ended, so they are told their style one by one.
        """
        axes.tick_params(
            labelsize=self.small_size, labelfontfamily=self.font_family, width=0.6, length=2.5, colors=self.ink
        )
        # Outside the axes, so that no number can lie on data; 6 pt of air, 1.3 of the size a line.
        room = 6 + 1.3 * self.small_size * len(below)
        axes.set_title(f"{letter}  {text}" if letter else text, loc="left", fontweight="bold", pad=room)
        if below:
            lines = "\n".join(below)
            note = axes.annotate(
                lines, (0, 1), (0, 4), xycoords="axes fraction", textcoords="offset points", fontsize=self.small_size
            )
            note.set_in_layout(False)  # the title's pad keeps its room; its width is not the panel's


class FigureText(_Strict):
    """What a figure is called, and how its caption reads."""

    title: str
    caption: str


class FiguresConfig(_Strict):
    """The content of `configs/figures.yaml`."""

    style: Style
    figures: Mapping[str, FigureText]


def require_origin(found: Iterable[bool], synthetic: bool) -> None:
    """Raises ValueError unless all data are of the origin that the figure will claim on its face."""
    if set(found) != {synthetic}:
        raise ValueError(f"the figure would say synthetic={synthetic}, and its data do not")


def load_figures_config() -> FiguresConfig:
    """Read and check `configs/figures.yaml`, as it is now. Raises ConfigError naming file and key."""
    path = configs_dir() / "figures.yaml"
    try:
        found = path.stat()
    except FileNotFoundError:
        return load_model(path, FiguresConfig)  # which says so
    return _read(path, found.st_mtime_ns, found.st_size)


@cache
def _read(path: Path, _changed: int, _size: int) -> FiguresConfig:
    """Drawing asks for it hundreds of times; a process that stays (a sensor's) sees what was edited since."""
    return load_model(path, FiguresConfig)
