"""One outlier method at work: what it flagged in single recordings, what a human rejected, and its score.

Belongs here: drawing masks and scores over recordings. Does not belong here: choosing the recordings, counting
agreement, or finding the threshold: they are read from `schemas.OUTLIER_AGREEMENT`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.figures.style import Style, require_origin
from plr_assets.figures.traces import draw_lights, legend_below, runs_of, value_limits
from plr_assets.recordings.table import Mask, Recordings, Signal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 3
# Axes heights: from foot to head, the method's strip, the human's, and the lowest that a signal may reach.
_STRIPS, _STRIP_HEIGHT, _FLOOR = {"method": 0.02, "human": 0.12}, 0.07, 0.24
# A score whose largest value is that many times its median has its structure in the logarithm (LOF, squared errors).
_LOGARITHMIC_FROM = 10


def draw_detection(
    recordings: Recordings,
    mask: Mask,
    agreement: pl.DataFrame,
    places: Sequence[str],
    *,
    title: str,
    synthetic: bool,
    style: Style,
    score: Signal | None = None,
) -> Figure:
    """Up to three recordings, each with its trace and below it its score, on one time axis.

    mask        (n, T) what the method replaces, dropouts included.
    agreement   `schemas.OUTLIER_AGREEMENT` of these recordings: numbers in the headings, threshold lines.
    places      why each recording is shown ("worst").
    score       (n, T) NaN at dropouts; None: traces alone.
    Raises ValueError if there is none or more than three, if shapes or recordings differ, if no human rejected samples,
    or if `synthetic` contradicts the recordings.
    """
    n = len(recordings)
    if not 1 <= n <= MOST or len(places) != n:
        raise ValueError(f"the figure shows 1 to {MOST} recordings, each with its place, not {n} with {len(places)}")
    if mask.shape != recordings.pupil.shape or (score is not None and score.shape != mask.shape):
        raise ValueError(f"mask or score do not fit pupil {recordings.pupil.shape}")
    if tuple(agreement["recording"]) != recordings.recording:
        raise ValueError("the table of agreement is of other recordings")
    if recordings.artefact is None:
        raise ValueError("nothing to compare with: no human rejected samples")
    require_origin([recordings.synthetic], synthetic)
    ratios = [2.2] if score is None else [2.2, 1.0]
    with style.applied():
        figure = style.page(0.9 + n * (1.6 if score is None else 2.2), title=title, synthetic=synthetic)
        axes = figure.subplots(
            n * len(ratios), 1, squeeze=False, sharex=True, gridspec_kw={"height_ratios": ratios * n}
        )[:, 0].reshape(n, len(ratios))
        for i, numbers in enumerate(agreement.iter_rows(named=True)):
            trace = axes[i, 0]
            draw_lights(trace, recordings.stimuli[i], style)
            _draw_trace(trace, recordings.take([i]), mask[i], recordings.artefact[i], style)
            style.dress(trace, "", f"{places[i].capitalize()}: {_named(recordings, i)}", [_in_words(numbers)])
            trace.set_ylabel("pupil (% change)")
            if score is not None:
                draw_lights(axes[i, 1], recordings.stimuli[i], style)
                _draw_score(axes[i, 1], recordings.time, score[i], numbers["threshold"], style)
        axes[-1, -1].set_xlabel("time (s)")
        axes[-1, -1].set_xlim(0, recordings.time[-1])
        figure.align_ylabels(axes.ravel().tolist())
        legend_below(figure, *_legend_axes(axes))
    return figure


def _legend_axes(axes: NDArray[Any]) -> list[Axes]:
    """The first trace, and the first score that has a threshold line, or else the first."""
    if axes.shape[1] == 1:
        return [axes[0, 0]]
    with_threshold = [panel for panel in axes[:, 1] if len(panel.get_lines()) > 1]
    return [axes[0, 0], (with_threshold or list(axes[:, 1]))[0]]


def _named(recordings: Recordings, row: int) -> str:
    label = recordings.label[row]
    return recordings.recording[row] + (f"  ({label})" if label else "")


def _in_words(numbers: Mapping[str, Any]) -> str:
    f1 = "undefined" if numbers["f1"] is None else f"{numbers['f1']:.2f}"
    alarms = numbers["predicted_events"] - numbers["right_events"]
    return (
        f"F1 {f1}   {numbers['found_events']} of {numbers['true_events']} artefacts found, {alarms} false "
        f"{'alarm' if alarms == 1 else 'alarms'}"
    )


def _draw_trace(axes: Axes, recording: Recordings, mask: Mask, artefact: Mask, style: Style) -> None:
    time, pupil, dropout, colours = recording.time, recording.pupil[0], recording.dropout[0], style.signals
    axes.plot(time, pupil, color=colours.recording, linewidth=0.5, zorder=2, label="recording")
    flagged = mask & ~dropout
    for name, which, colour in (
        ("false alarm", flagged & ~artefact, colours.masked),
        ("found", flagged & artefact, colours.imputed),
        ("missed", artefact & ~flagged & ~dropout, colours.truth),
    ):
        axes.plot(
            time, np.where(which, pupil, np.nan), linestyle="none", marker=".", markersize=2.5, markeredgewidth=0,
            color=colour, zorder=3, label=name, rasterized=True,
        )  # fmt: skip
    for name, which, colour in (("method", flagged, colours.masked), ("human", artefact, colours.truth)):
        foot = _STRIPS[name]
        _strip(axes, time, which, (foot, _STRIP_HEIGHT), color=colour)
        axes.text(
            1.006, foot + _STRIP_HEIGHT / 2, name, transform=axes.transAxes, va="center", fontsize=style.small_size
        )
    both = _STRIPS["human"] + _STRIP_HEIGHT - _STRIPS["method"]
    _strip(axes, time, dropout, (_STRIPS["method"], both), color=style.faint, label="no pupil")
    low, high = value_limits(pupil)
    head = high + 0.04 * (high - low)
    axes.set_ylim(head - (head - low) / (1 - _FLOOR), head)
    # numbers stand beside the signal only, not beside the strips
    axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= head])


def _strip(axes: Axes, time: NDArray[np.float64], which: Mask, place: tuple[float, float], **look: Any) -> None:
    """Bars where `which` is true; `place`: foot and height, in axes heights."""
    step = time[1] - time[0]
    widths = [(time[start] - step / 2, (end - start) * step) for start, end in runs_of(which)]
    axes.broken_barh(widths, place, transform=axes.get_xaxis_transform(), linewidth=0.3, zorder=1, **look)


def _draw_score(axes: Axes, time: NDArray[np.float64], score: Signal, threshold: float | None, style: Style) -> None:
    style.dress(axes, "", "")
    axes.plot(time, score, color=style.model, linewidth=0.5, zorder=2, label="score")
    if threshold is not None:
        axes.axhline(threshold, color=style.ink, linewidth=0.6, linestyle=(0, (4, 2)), zorder=3, label="threshold")
    values = score[np.isfinite(score)]
    if values.size and values.min() > 0 and values.max() > _LOGARITHMIC_FROM * np.median(values):
        axes.set_yscale("log")
        # the smallest of squared errors are many decades below any that matters
        axes.set_ylim(bottom=max(float(values.min()), float(np.median(values)) / 1000))
    axes.set_ylabel("score")
