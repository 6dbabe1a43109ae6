"""Recordings over time: what the device gave, what was masked, what was put there.

Belongs here: drawing pupil signals. Does not belong here: choosing the recordings, or summarising a cohort (summaries
are passed in).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plr_assets.figures.style import Style, require_origin
from plr_assets.recordings.table import Recordings, Stimulus

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Mask = NDArray[np.bool_]
MOST = 3


def draw_traces(
    recordings: Recordings, mask: Mask, signal: NDArray[np.floating], *, title: str, synthetic: bool, style: Style
) -> Figure:
    """Up to three recordings, one panel each, on one time axis.

    mask     (n, T) true where the method replaced the sample.
    signal   (n, T) % change, the cleaned signal; drawn where masked.
    Raises ValueError if there is none or more than three, if shapes differ, or if `synthetic` contradicts the
    recordings.
    """
    n = len(recordings)
    if not 1 <= n <= MOST:
        raise ValueError(f"the figure shows 1 to {MOST} recordings, not {n}")
    if mask.shape != recordings.pupil.shape or signal.shape != recordings.pupil.shape:
        raise ValueError(f"mask {mask.shape} and signal {signal.shape} do not fit pupil {recordings.pupil.shape}")
    require_origin([recordings.synthetic], synthetic)
    with style.applied():
        figure = style.page(0.9 + 1.75 * n, title=title, synthetic=synthetic)
        axes = figure.subplots(n, 1, squeeze=False, sharex=True)[:, 0]
        for i, panel in enumerate(axes):
            draw_lights(panel, recordings.stimuli[i], style)
            truth = None if recordings.truth is None else recordings.truth[i]
            _draw_recording(
                panel, recordings.time, recordings.pupil[i], mask=mask[i], signal=signal[i], truth=truth, style=style
            )
            label = recordings.label[i]
            style.dress(panel, "", recordings.recording[i] + (f"  ({label})" if label else ""))
            panel.set_ylabel("pupil (% change)")
        axes[-1].set_xlabel("time (s)")
        axes[-1].set_xlim(0, recordings.time[-1])
        legend_below(figure, axes[0])
    return figure


def draw_recording(recording: Recordings, *, title: str, synthetic: bool, style: Style) -> Figure:
    """One recording as it was imported: what the device gave, what a human rejected, ground truth, lights.

    Raises ValueError if there is not exactly one, or if `synthetic` contradicts it.
    """
    if len(recording) != 1:
        raise ValueError(f"the figure shows 1 recording, not {len(recording)}")
    require_origin([recording.synthetic], synthetic)
    time, colours, pupil = recording.time, style.signals, recording.pupil[0]
    truth = None if recording.truth is None else recording.truth[0]
    with style.applied():
        figure = style.page(2.4, title=title, synthetic=synthetic)
        axes = figure.subplots()
        style.dress(axes, "", "")
        draw_lights(axes, recording.stimuli[0], style)
        axes.plot(time, pupil, color=colours.recording, linewidth=0.5, zorder=2, label="recording")
        if recording.artefact is not None:
            rejected = np.where(recording.artefact[0], pupil, np.nan)
            axes.plot(
                time, rejected, linestyle="none", marker=".", markersize=2.5, markeredgewidth=0, color=colours.masked,
                zorder=3, label="rejected by a human", rasterized=True,
            )  # fmt: skip
        if truth is not None:
            axes.plot(time, truth, color=colours.truth, linewidth=0.5, linestyle=(0, (3, 2)), zorder=4, label="truth")
        _strip_at_foot(axes, time, recording.dropout[0], colours.masked)
        low, high = value_limits(pupil, truth)
        axes.set_ylim(low - 0.1 * (high - low), high + 0.04 * (high - low))
        axes.set(xlabel="time (s)", ylabel="pupil (% change)", xlim=(0, time[-1]))
        legend_below(figure, axes)
    return figure


def draw_recording_overview(
    recordings: Recordings,
    *,
    title: str,
    synthetic: bool,
    style: Style,
    centre: NDArray[np.floating] | None = None,
    band: tuple[NDArray[np.floating], NDArray[np.floating]] | None = None,
) -> Figure:
    """All recordings on one axis, thin, with a summary of the cohort in front where one is passed in.

    centre   (T,) % change, the median; band   two (T,), the 10 and 90 % quantiles. Lights: the first
    recording's.
    Raises ValueError if there is no recording, or if `synthetic` contradicts the recordings.
    """
    if len(recordings) == 0:
        raise ValueError("nothing to draw: no recordings")
    require_origin([recordings.synthetic], synthetic)
    time, colours = recordings.time, style.signals
    with style.applied():
        figure = style.page(3.2, title=title, synthetic=synthetic)
        axes = figure.subplots()
        style.dress(axes, "", "")
        draw_lights(axes, recordings.stimuli[0], style)
        for i, pupil in enumerate(recordings.pupil):
            label = "recordings" if i == 0 else None
            axes.plot(time, pupil, color=colours.recording, linewidth=0.3, alpha=0.5, zorder=1, label=label)
        if band is not None:
            axes.fill_between(time, *band, color=style.model, alpha=0.25, linewidth=0, zorder=2, label="10 to 90 %")
        if centre is not None:
            axes.plot(time, centre, color=style.model, zorder=3, label="median")
        axes.set(xlabel="time (s)", ylabel="pupil (% change)", xlim=(0, time[-1]))
        legend_below(figure, axes)
    return figure


def draw_lights(axes: Axes, stimuli: tuple[Stimulus, ...], style: Style) -> None:
    """A band a light, behind the data."""
    for light in stimuli:
        axes.axvspan(
            light.onset_s, light.offset_s, color=style.stimuli[light.colour], alpha=0.12, linewidth=0, zorder=0
        )


def _draw_recording(
    axes: Axes,
    time: NDArray[np.float64],
    pupil: NDArray[np.floating],
    *,
    mask: Mask,
    signal: NDArray[np.floating],
    truth: NDArray[np.floating] | None,
    style: Style,
) -> None:
    colours = style.signals
    axes.plot(time, pupil, color=colours.recording, linewidth=0.5, zorder=2, label="recording")
    masked = np.where(mask, pupil, np.nan)
    axes.plot(
        time, masked, linestyle="none", marker=".", markersize=1.8, markeredgewidth=0, color=colours.masked, zorder=3,
        label="masked sample", rasterized=True,
    )  # fmt: skip
    if truth is not None:
        axes.plot(
            time, truth, color=colours.truth, linewidth=0.5, linestyle=(0, (3, 2)), zorder=6, label="ground truth"
        )
    axes.plot(time, np.where(_with_neighbours(mask), signal, np.nan), color=colours.imputed, zorder=5, label="imputed")
    _strip_at_foot(axes, time, mask, colours.masked)
    low, high = value_limits(pupil, signal, truth)
    axes.set_ylim(low - 0.1 * (high - low), high + 0.04 * (high - low))


def _strip_at_foot(axes: Axes, time: NDArray[np.float64], mask: Mask, colour: str) -> None:
    """Where the mask is true, in axes heights: dropouts have no value to mark."""
    widths = [(time[start], (end - start) * (time[1] - time[0])) for start, end in runs_of(mask)]
    axes.broken_barh(widths, (0.0, 0.035), transform=axes.get_xaxis_transform(), color=colour, linewidth=0.3, zorder=1)


def _with_neighbours(mask: Mask) -> Mask:
    """The mask and the samples beside it, so that an imputed stretch meets the recording and a single sample shows."""
    wide = mask.copy()
    wide[1:] |= mask[:-1]
    wide[:-1] |= mask[1:]
    return wide


def runs_of(mask: Mask) -> list[tuple[int, int]]:
    """(start, end) of every stretch of true samples, end excluded."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def value_limits(*signals: NDArray[np.floating] | None) -> tuple[float, float]:
    """Lowest and highest value of all signals. Raises ValueError if there is none."""
    values = np.concatenate([signal[np.isfinite(signal)] for signal in signals if signal is not None])
    if values.size == 0:
        raise ValueError("nothing to draw: a recording without a single value")
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 1, high + 1)


def legend_below(figure: Figure, *panels: Axes) -> None:
    """One legend at the foot of the page, of what is labelled in `panels`."""
    found = [pair for axes in panels for pair in zip(*axes.get_legend_handles_labels(), strict=True)]
    handles, labels = [handle for handle, _ in found], [label for _, label in found]
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    for handle in legend.legend_handles:
        if handle is not None and hasattr(handle, "set_markersize"):
            handle.set_markersize(6)
