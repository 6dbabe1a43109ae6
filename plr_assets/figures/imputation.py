"""One imputer at work under one mask: what it put into gaps, how sure it is, and what was true.

Belongs here: drawing signals, their bands and errors. Does not belong here: choosing recordings and gaps, or any error:
they are read from `schemas.IMPUTATION_ERRORS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from plr_assets.figures.style import Style, require_origin
from plr_assets.figures.traces import draw_lights, legend_below, runs_of, value_limits
from plr_assets.recordings.table import Mask, Recordings, Signal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 3
# What is shown on either side of a gap: a blink, and what the pupil did before and after it.
_BESIDE_S = 1.0
Band = tuple[Signal, Signal]


def draw_imputation(
    recordings: Recordings,
    mask: Mask,
    signal: Signal,
    *,
    errors: Sequence[Mapping[str, Any]],
    places: Sequence[str],
    gaps: Sequence[tuple[int, int]],
    title: str,
    synthetic: bool,
    style: Style,
    band: Band | None = None,
) -> Figure:
    """Up to three recordings, a row each: the whole of it, and one of its gaps close up.

    mask, signal   (n, T) what was imputed; %, without gaps.
    errors         the recordings' rows of `schemas.IMPUTATION_ERRORS`: numbers in the headings.
    places         why each recording is shown ("worst").
    gaps           first sample of the gap that is shown close up, and the one after its last.
    band           two (n, T), %: limits of the 90 % band, read at masked samples.
    Raises ValueError if there is none or more than three, if shapes or recordings differ, without ground truth, or if
    `synthetic` contradicts the recordings.
    """
    n, shape = len(recordings), recordings.pupil.shape
    if not 1 <= n <= MOST or not n == len(places) == len(gaps):
        raise ValueError(f"the figure shows 1 to {MOST} recordings, each with its place and gap, not {n}")
    if any(array.shape != shape for array in (mask, signal, *(band or ()))):
        raise ValueError(f"mask, signal or band do not fit pupil {shape}")
    if tuple(row["recording"] for row in errors) != recordings.recording:
        raise ValueError("the errors are of other recordings")
    if recordings.truth is None:
        raise ValueError("nothing to compare with: there is no ground truth")
    require_origin([recordings.synthetic], synthetic)
    with style.applied():
        figure = style.page(0.9 + 1.85 * n, title=title, synthetic=synthetic)
        panels = figure.subplots(n, 2, squeeze=False, width_ratios=[2.5, 1])
        for i, numbers in enumerate(errors):
            label = recordings.label[i]
            name = recordings.recording[i] + (f"  ({label})" if label else "")
            limits = None if band is None else (band[0][i], band[1][i])
            for axes in panels[i]:
                draw_lights(axes, recordings.stimuli[i], style)
                _draw(axes, recordings.take([i]), mask[i], signal[i], band=limits, style=style)
            whole, close = panels[i]
            style.dress(whole, "", f"{places[i].capitalize()}: {name}", [_in_words(numbers)])
            style.dress(close, "", "Its worst gap", [f"{(gaps[i][1] - gaps[i][0]) / recordings.rate_hz:.2f} s"])
            whole.set(ylabel="pupil (% change)", xlim=(0, recordings.time[-1]))
            _look_closer(close, recordings.take([i]), signal[i], limits, gaps[i])
            if i == n - 1:
                whole.set_xlabel("time (s)")
                close.set_xlabel("time (s)")
        figure.align_ylabels(panels[:, 0].tolist())
        legend_below(figure, panels[0, 0])
    return figure


def _in_words(numbers: Mapping[str, Any]) -> str:
    bias = f"{numbers['bias']:+.1f}".replace("-", "−")
    told = f"MAE {numbers['mae']:.1f} %   bias {bias} %   "
    told += f"{numbers['n_gaps']} gaps, the longest of {numbers['longest_gap_s']:.2f} s"
    held = numbers["coverage_90"]
    return told if held is None else f"{told}   band holds {100 * held:.0f} %"


def _draw(axes: Axes, recording: Recordings, mask: Mask, signal: Signal, *, band: Band | None, style: Style) -> None:
    time, pupil, colours, runs = recording.time, recording.pupil[0], style.signals, runs_of(mask)
    half = (time[1] - time[0]) / 2
    widths = [(time[start] - half, 2 * half * (end - start)) for start, end in runs]
    axes.broken_barh(
        widths, (0, 1), transform=axes.get_xaxis_transform(), color=colours.masked, alpha=0.18, linewidth=0, zorder=1,
        label="masked",
    )  # fmt: skip
    axes.plot(time, pupil, color=colours.recording, linewidth=0.5, zorder=2, label="recording")
    if band is not None:
        axes.fill_between(
            time, *band, where=mask, color=colours.imputed, alpha=0.3, linewidth=0, zorder=3, label="90 % band"
        )
    assert recording.truth is not None  # noqa: S101 - draw_imputation refuses recordings without
    axes.plot(
        time, recording.truth[0], color=colours.truth, linewidth=0.5, linestyle=(0, (3, 2)), zorder=4,
        label="ground truth",
    )  # fmt: skip
    # with the samples beside a gap, so that what was imputed meets the recording and a single sample shows
    joined = np.full(signal.shape, np.nan)
    for start, end in runs:
        joined[max(start - 1, 0) : end + 1] = signal[max(start - 1, 0) : end + 1]
    axes.plot(time, joined, color=colours.imputed, linewidth=1.0, zorder=5, label="imputed")
    low, high = value_limits(pupil, signal, recording.truth[0])
    axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))


def _look_closer(axes: Axes, recording: Recordings, signal: Signal, band: Band | None, gap: tuple[int, int]) -> None:
    """Limits of the panel: the gap and a second on either side, and what of signal, band and truth lies there."""
    assert recording.truth is not None  # noqa: S101 - draw_imputation refuses recordings without
    beside = round(_BESIDE_S * recording.rate_hz)
    start, end = max(gap[0] - beside, 0), min(gap[1] + beside, recording.n_samples)
    axes.set_xlim(recording.time[start], recording.time[end - 1])
    inside: list[NDArray[np.floating]] = [signal[start:end], recording.truth[0, start:end]]
    if band is not None:
        inside += [limit[gap[0] : gap[1]] for limit in band]
    low, high = value_limits(*inside)
    axes.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
