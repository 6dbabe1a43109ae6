"""The figure of an outlier method: outcomes told apart, complete, legible, honest about simulation, refused without."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from plr_assets.figures.detection import draw_detection
from plr_assets.figures.style import Style
from plr_assets.outlier_detection.agreement import per_recording
from plr_assets.recordings.table import Mask, Recordings, Signal
from plr_assets_tests.builders import make_recordings
from plr_assets_tests.figures.pages import assert_good_page, texts

PLACES = ("upper quartile", "median", "worst")
LONG = (
    "Artefacts found and missed: Ensemble of LOF, MOMENT, One-class SVM, PROPHET, SubPCA, TimesNet and UniTS, finetuned"
)


def detected(n: int = 3, *, spread: float = 1.0) -> tuple[Recordings, Mask, Signal]:
    """Recordings, a mask that is a threshold on the score, and the score; `spread` > 1 stretches its high end."""
    recordings = make_recordings(n)
    assert recordings.artefact is not None
    noise = np.random.default_rng(0).random(recordings.pupil.shape)
    score = np.where(recordings.dropout, np.nan, (0.1 + noise + recordings.artefact) ** spread).astype(np.float32)
    return recordings, recordings.dropout | (score > 1.05**spread), score


def figure_of(
    style: Style,
    n: int = 3,
    *,
    with_score: bool = True,
    spread: float = 1.0,
    title: str = "LOF",
    synthetic: bool = True,
) -> Figure:
    recordings, mask, score = detected(n, spread=spread)
    recordings = replace(recordings, synthetic=synthetic)
    agreement = per_recording(mask, recordings, score=score)
    return draw_detection(
        recordings, mask, agreement, PLACES[:n], score=score if with_score else None, title=title,
        synthetic=synthetic, style=style,
    )  # fmt: skip


@pytest.mark.parametrize("synthetic", [True, False])
@pytest.mark.parametrize("with_score", [True, False])
@pytest.mark.parametrize("n", [1, 3])
def test_recordings_fill_their_page(style: Style, n: int, with_score: bool, synthetic: bool) -> None:
    figure = figure_of(style, n, with_score=with_score, synthetic=synthetic, title=LONG)
    assert len(figure.axes) == (2 * n if with_score else n)
    assert_good_page(figure, synthetic=synthetic)


def test_no_words_lie_on_each_other(style: Style) -> None:
    figure = figure_of(style)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    boxes = []
    for axes in figure.axes:
        low, high = axes.get_ylim()
        ticks = [
            tick.label1
            for tick in axes.yaxis.get_major_ticks()
            if low <= tick.get_loc() <= high and tick.label1.get_text()
        ]
        boxes += [
            text.get_window_extent(renderer)
            for text in (*axes.texts, *ticks, axes.yaxis.label, axes.xaxis.label, axes._left_title)  # type: ignore[attr-defined]
            if text.get_text() and text.get_visible()
        ]
    assert len(boxes) > 20
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


def test_each_sample_is_drawn_as_what_became_of_it(style: Style) -> None:
    recordings, mask, _ = detected(1)
    assert recordings.artefact is not None
    (trace, _) = figure_of(style, 1).axes
    drawn = {line.get_label(): np.isfinite(np.asarray(line.get_ydata(), dtype=float)) for line in trace.lines}
    flagged, artefact, observed = mask[0], recordings.artefact[0], ~recordings.dropout[0]
    assert np.array_equal(drawn["found"], flagged & artefact & observed)
    assert np.array_equal(drawn["missed"], artefact & ~flagged)
    assert np.array_equal(drawn["false alarm"], flagged & ~artefact & observed)
    assert np.array_equal(drawn["recording"], observed)
    assert drawn["found"].any()
    assert drawn["false alarm"].any()


def test_headings_and_threshold_are_those_of_the_table(style: Style) -> None:
    recordings, mask, score = detected()
    table = per_recording(mask, recordings, score=score)
    figure = figure_of(style)
    words = texts(figure)
    for row, panel in zip(table.iter_rows(named=True), figure.axes[1::2], strict=True):
        alarms = row["predicted_events"] - row["right_events"]
        found = f"{row['found_events']} of {row['true_events']} artefacts found, {alarms} false alarms"
        assert any(f"F1 {row['f1']:.2f}   {found}" in word for word in words)
        (line,) = [line for line in panel.lines if line.get_label() == "threshold"]
        assert set(np.asarray(line.get_ydata())) == {row["threshold"]}


def test_where_the_mask_is_no_threshold_on_the_score_no_line_is_drawn(style: Style) -> None:
    recordings, mask, score = detected(1)
    table = per_recording(mask, recordings, score=score).with_columns(threshold=pl.lit(None, pl.Float64))
    figure = draw_detection(
        recordings, mask, table, ("worst",), score=score, title="x", synthetic=True, style=style
    )  # fmt: skip
    assert [line.get_label() for line in figure.axes[1].lines] == ["score"]


@pytest.mark.parametrize(("spread", "scale"), [(1.0, "linear"), (12.0, "log")])
def test_a_score_with_its_structure_in_the_logarithm_is_drawn_so(style: Style, spread: float, scale: str) -> None:
    assert {axes.get_yscale() for axes in figure_of(style, spread=spread).axes[1::2]} == {scale}


def test_what_cannot_be_compared_is_refused(style: Style) -> None:
    recordings, mask, score = detected(2)
    table = per_recording(mask, recordings, score=score)

    def draw(
        recordings: Recordings = recordings, mask: Mask = mask, table: pl.DataFrame = table, synthetic: bool = True
    ) -> Figure:
        places = PLACES[: len(recordings)]
        return draw_detection(recordings, mask, table, places, title="x", synthetic=synthetic, style=style)

    with pytest.raises(ValueError, match="1 to 3 recordings"):
        draw(recordings.take([]), mask[:0], table[:0])
    with pytest.raises(ValueError, match="do not fit"):
        draw(mask=mask[:, 1:])
    with pytest.raises(ValueError, match="other recordings"):
        draw(table=table.reverse())
    with pytest.raises(ValueError, match="no human"):
        draw(replace(recordings, artefact=None))
    with pytest.raises(ValueError, match="synthetic=False"):
        draw(synthetic=False)
