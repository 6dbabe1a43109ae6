"""Imputation figures: pages hold, gaps and bands are drawn where they are, numbers are the table's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from plr_assets.figures.imputation import draw_imputation
from plr_assets.figures.style import Style
from plr_assets.imputation.errors import Imputed, per_recording, worst_gaps
from plr_assets.recordings.table import Recordings
from plr_assets_tests.builders import make_recordings
from plr_assets_tests.figures.pages import assert_good_page, texts

PLACES = ("better quartile", "median", "worst")
LONG = "What was put into gaps: Ensemble of six outlier detectors → Ensemble of four imputers"


def imputed(n: int = 3, *, with_band: bool = True) -> tuple[Recordings, Imputed]:
    recordings = make_recordings(n)
    assert recordings.artefact is not None
    assert recordings.truth is not None
    mask = recordings.artefact | recordings.dropout
    mask[:, 500:560] = True
    signal = np.where(mask, recordings.truth + 4, recordings.pupil).astype(np.float32)
    band = {"lower": signal - 6, "upper": signal + 6} if with_band else {}
    return recordings, Imputed(signal=signal, mask=mask, **band)


def figure_of(
    style: Style, n: int = 3, *, with_band: bool = True, synthetic: bool = True, title: str = "x", **other: Any
) -> Figure:
    recordings, own = imputed(n, with_band=with_band)
    recordings = replace(recordings, synthetic=synthetic)
    told: dict[str, Any] = {
        "errors": per_recording(own, recordings).rows(named=True),
        "places": PLACES[:n],
        "gaps": worst_gaps(own, recordings),
        "band": (own.lower, own.upper) if with_band else None,
        "recordings": recordings,
        "mask": own.mask,
        "signal": own.signal,
    }
    return draw_imputation(**(told | other), title=title, synthetic=synthetic, style=style)


@pytest.mark.parametrize("synthetic", [True, False])
@pytest.mark.parametrize("with_band", [True, False])
@pytest.mark.parametrize("n", [1, 3])
def test_recordings_fill_their_page(style: Style, n: int, with_band: bool, synthetic: bool) -> None:
    figure = figure_of(style, n, with_band=with_band, synthetic=synthetic, title=LONG)
    assert len(figure.axes) == 2 * n
    assert_good_page(figure, synthetic=synthetic)
    assert any("90 % band" in word for word in texts(figure)) is with_band


def test_imputed_values_are_drawn_in_gaps_and_at_their_edges_only(style: Style) -> None:
    _, own = imputed(1)
    for panel in figure_of(style, 1).axes:
        (line,) = [line for line in panel.lines if line.get_label() == "imputed"]
        drawn = np.asarray(line.get_ydata(), dtype=float)
        mask = own.mask[0]
        edges = np.zeros_like(mask)
        edges[1:] |= mask[:-1]
        edges[:-1] |= mask[1:]
        assert np.array_equal(np.isfinite(drawn), mask | edges)
        assert np.array_equal(drawn[mask], own.signal[0, mask].astype(float))


def test_the_right_panel_shows_the_gap_and_a_second_around_it(style: Style) -> None:
    recordings, own = imputed()
    for panel, (start, stop) in zip(figure_of(style).axes[1::2], worst_gaps(own, recordings), strict=True):
        low, high = panel.get_xlim()
        assert low == pytest.approx(start / 30 - 1)
        assert high == pytest.approx((stop - 1) / 30 + 1)
        bottom, top = panel.get_ylim()
        assert own.lower is not None
        assert own.upper is not None
        assert bottom < own.lower[:, start:stop].min(axis=1).max()
        assert top > own.signal[:, start:stop].max(axis=1).min()


def test_headings_are_the_numbers_of_the_table(style: Style) -> None:
    recordings, own = imputed()
    words = texts(figure_of(style))
    for row in per_recording(own, recordings).iter_rows(named=True):
        told = (
            f"MAE {row['mae']:.1f} %   bias +4.0 %   {row['n_gaps']} gaps, the longest of {row['longest_gap_s']:.2f} s"
        )
        assert any(f"{told}   band holds 100 %" in word for word in words)


def test_what_cannot_be_compared_is_refused(style: Style) -> None:
    recordings, own = imputed(2)
    with pytest.raises(ValueError, match="1 to 3 recordings"):
        figure_of(style, 2, places=PLACES)
    with pytest.raises(ValueError, match="do not fit"):
        figure_of(style, 2, mask=own.mask[:, 1:])
    with pytest.raises(ValueError, match="do not fit"):
        figure_of(style, 2, band=(own.signal[:1], own.signal[:1]))
    with pytest.raises(ValueError, match="other recordings"):
        figure_of(style, 2, recordings=recordings.take([1, 0]))
    with pytest.raises(ValueError, match="no ground truth"):
        figure_of(style, 2, recordings=replace(recordings, truth=None))
    with pytest.raises(ValueError, match="synthetic=True"):
        figure_of(style, 2, recordings=replace(recordings, synthetic=False))
