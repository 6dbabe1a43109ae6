"""Every figure: drawn from tables, complete, legible, honest about simulation, refused without data."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from plr_assets.figures.page_tables import TABLES
from plr_assets.figures.pipeline import draw_pipeline
from plr_assets.figures.study import draw_auroc_heatmap
from plr_assets.figures.style import Style
from plr_assets.figures.traces import draw_recording, draw_recording_overview, draw_traces
from plr_assets.registry import load_registry
from plr_assets_tests.figures.pages import assert_good_page, make_recordings, texts

Tables = dict[str, pl.DataFrame]
Display = dict[str, dict[str, str]]
LONG = "simple__ensemble-LOF-MOMENT-OneClassSVM-PROPHET-SubPCA-TimesNet-UniTS-gt-finetune__SAITS__LogisticRegression"


def traces(style: Style, *, n: int = 2, truth: bool = True, rate_hz: float = 30, duration_s: float = 66) -> Figure:
    recordings = make_recordings(n, rate_hz, duration_s, truth)
    mask = recordings.dropout.copy()
    mask[:, recordings.n_samples // 10 : recordings.n_samples // 9] = True
    signal = np.where(mask, -1, recordings.pupil)
    return draw_traces(recordings, mask, signal, title="LOF, linear", synthetic=True, style=style)


@pytest.mark.parametrize("synthetic", [True, False])
@pytest.mark.parametrize("title", ["LOF, linear, CatBoost", LONG])
def test_a_pipeline_fills_its_page(tables: Tables, style: Style, title: str, synthetic: bool) -> None:
    tables["essential_metrics"] = tables["essential_metrics"].with_columns(synthetic=synthetic)
    figure = draw_pipeline(tables, title=title, synthetic=synthetic, style=style)
    assert_good_page(figure, synthetic=synthetic)
    words = " ".join(texts(figure))
    for number in ("0.81 (0.71 to 0.91)", "0.84 (0.74 to 0.94)", "1.20 (1.10 to 1.30)", "0.90 (0.80 to 1.00)"):
        assert number in words
    assert "−0.20 (−0.60 to 0.20)" in words


def test_a_pipeline_shows_the_numbers_of_its_tables(tables: Tables, style: Style) -> None:
    shuffled = {name: table.sample(fraction=1, shuffle=True, seed=1) for name, table in tables.items()}
    figure = draw_pipeline(shuffled, title="x", synthetic=True, style=style)
    roc, calibration, decision, distribution, recall, confusion = figure.axes
    curve = roc.lines[1].get_xydata()
    assert np.array_equal(curve, tables["roc_curves"].select("false_positive_rate", "true_positive_rate").to_numpy())
    points = next(c for c in calibration.collections if isinstance(c, PathCollection))
    expected = tables["calibration_curves"].select("predicted_mean", "observed_share").to_numpy()
    assert np.array_equal(np.asarray(points.get_offsets()), expected)
    model = next(line for line in decision.lines if line.get_label() == "refer by the model")
    assert np.array_equal(model.get_ydata(), tables["dca_curves"]["net_benefit_model"].to_numpy())
    heights = [int(bar.get_height()) for container in distribution.containers for bar in container]
    histogram = tables["probability_distributions"]
    assert heights[:20] == histogram.filter(y_true=1)["n"].to_list()
    assert heights[20:] == [-n for n in histogram.filter(y_true=0)["n"]]
    precise = tables["pr_curves"].select("recall", "precision").to_numpy()
    assert np.array_equal(recall.lines[1].get_xydata(), precise)
    assert [text.get_text() for text in confusion.texts] == ["48", "8", "60", "92"], "at 10 %"
    assert any("area  0.70 (0.60 to 0.80)" in word for word in texts(figure))


def test_what_is_undefined_is_written_so_and_never_as_a_number(tables: Tables, style: Style) -> None:
    gone = ["calibration_slope", "calibration_slope_ci_lower", "calibration_slope_ci_upper", "auroc_ci_lower"]
    tables["essential_metrics"] = tables["essential_metrics"].with_columns(
        pl.lit(None, pl.Float64).alias(name) for name in gone
    )
    words = texts(draw_pipeline(tables, title="x", synthetic=True, style=style))
    assert any("slope  undefined" in word for word in words)
    assert any("AUROC  0.81 (no interval)" in word for word in words)
    assert not any("nan" in word.lower() or "None" in word for word in words)


@pytest.mark.parametrize("name", TABLES)
def test_a_pipeline_without_data_is_refused_by_table(tables: Tables, style: Style, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is empty"):
        draw_pipeline({**tables, name: tables[name].clear()}, title="x", synthetic=True, style=style)
    with pytest.raises(ValueError, match=f"{name} is missing"):
        draw_pipeline({k: v for k, v in tables.items() if k != name}, title="x", synthetic=True, style=style)


def test_simulated_data_cannot_be_drawn_as_clinical_nor_beside_it(
    tables: Tables, metrics: pl.DataFrame, display: Display, style: Style
) -> None:
    with pytest.raises(ValueError, match="synthetic=False"):
        draw_pipeline(tables, title="x", synthetic=False, style=style)
    mixed = metrics.with_columns(synthetic=pl.int_range(pl.len()) > 0)
    for table in (metrics, mixed):
        with pytest.raises(ValueError, match="synthetic=False"):
            draw_auroc_heatmap(table, display=display, synthetic=False, style=style)


def test_tables_of_two_pipelines_are_not_drawn_as_one(tables: Tables, style: Style) -> None:
    tables["roc_curves"] = tables["roc_curves"].with_columns(pipeline=pl.lit("another"))
    with pytest.raises(ValueError, match="one pipeline"):
        draw_pipeline(tables, title="x", synthetic=True, style=style)


@pytest.mark.parametrize("synthetic", [True, False])
def test_the_published_design_fits_one_page(
    metrics: pl.DataFrame, display: Display, style: Style, synthetic: bool
) -> None:
    methods = load_registry().methods
    categories = {axis: {n: m.category for n, m in entries.items()} for axis, entries in methods.items()}
    table = metrics.with_columns(synthetic=synthetic)
    figure = draw_auroc_heatmap(table, display=display, synthetic=synthetic, style=style, categories=categories)
    assert_good_page(figure, synthetic=synthetic)
    assert figure.get_figheight() < 11  # letter paper
    panels = [axes for axes in figure.axes if axes.images]
    assert [panel.get_title("left") for panel in panels] == [
        display["classification"][c] for c in methods["classification"]
    ]
    assert len({panel.images[0].get_clim() for panel in panels}) == 1
    words = texts(figure)
    assert "Ensemble (full)" in words
    assert not any("OneClassSVM-PROPHET" in word for word in words)


def test_a_heatmap_writes_each_value_hatches_the_missing_and_marks_oracles(
    metrics: pl.DataFrame, display: Display, style: Style
) -> None:
    figure = draw_auroc_heatmap(metrics, display=display, synthetic=True, style=style)
    panels = [axes for axes in figure.axes if axes.images]
    written = [text.get_text() for panel in panels for text in panel.texts]
    expected = [f"{a:.2f}"[1:] + "†" * o for a, o in metrics.select("auroc", "oracle").iter_rows()]
    assert sorted(written) == sorted(expected)
    hatched = [p for panel in panels for p in panel.patches if isinstance(p, Rectangle) and p.get_hatch()]
    assert len(hatched) == 11 * 8 * 5 - len(metrics)
    rows = [label.get_text() for label in panels[0].get_yticklabels()]
    columns = [label.get_text() for label in panels[-1].get_xticklabels()]
    assert [label for label in rows + columns if "†" in label] == ["Ground truth †"] * 2


def test_a_heatmap_of_honest_methods_has_no_dagger(metrics: pl.DataFrame, display: Display, style: Style) -> None:
    honest = metrics.filter(~pl.col("oracle"))
    words = texts(draw_auroc_heatmap(honest, display=display, synthetic=True, style=style))
    assert not any("†" in word for word in words)


def test_one_pipeline_is_a_heatmap_too(metrics: pl.DataFrame, display: Display, style: Style) -> None:
    figure = draw_auroc_heatmap(metrics.head(1), display=display, synthetic=True, style=style)
    assert_good_page(figure, synthetic=True)


def test_a_heatmap_that_would_hide_something_is_refused(metrics: pl.DataFrame, display: Display, style: Style) -> None:
    def draw(table: pl.DataFrame, **names: Any) -> None:
        draw_auroc_heatmap(table, display={**display, **names}, synthetic=True, style=style)

    with pytest.raises(ValueError, match="empty"):
        draw(metrics.clear())
    with pytest.raises(ValueError, match="featurization"):
        draw(pl.concat([metrics, metrics.with_columns(featurization=pl.lit("embedding"))]))
    with pytest.raises(ValueError, match="several pipelines"):
        draw(pl.concat([metrics, metrics.head(1)]))
    with pytest.raises(ValueError, match="no display name for imputation"):
        draw(metrics, imputation={})
    with pytest.raises(ValueError, match="no cell has"):
        draw(metrics.with_columns(auroc=pl.lit(None, pl.Float64)))


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("truth", [True, False])
def test_traces_fill_their_page(style: Style, n: int, truth: bool) -> None:
    figure = traces(style, n=n, truth=truth)
    assert_good_page(figure, synthetic=True)
    assert len(figure.axes) == n
    assert ("ground truth" in texts(figure)) == truth
    assert figure.axes[-1].get_xlabel() == "time (s)"
    assert figure.axes[0].get_ylabel() == "pupil (% change)"


def test_a_long_recording_is_drawn_in_time_and_in_full(style: Style) -> None:
    start = time.perf_counter()
    figure = traces(style, n=3, rate_hz=200, duration_s=360)
    assert_good_page(figure, synthetic=True)
    assert time.perf_counter() - start < 6  # 1.5 s measured
    assert len(figure.axes[0].lines[0].get_xdata()) == 72_001


def test_traces_show_what_was_masked_and_what_was_imputed_there(style: Style) -> None:
    recordings = make_recordings(1)
    mask = np.zeros(recordings.pupil.shape, dtype=bool)
    mask[0, 100:120] = mask[0, 500] = True
    signal = np.where(mask, 7, recordings.pupil)
    figure = draw_traces(recordings, mask, signal, title="x", synthetic=True, style=style)
    lines = {line.get_label(): np.asarray(line.get_ydata()) for line in figure.axes[0].lines}
    np.testing.assert_array_equal(lines["recording"], recordings.pupil[0])
    np.testing.assert_array_equal(np.isfinite(lines["masked sample"]), mask[0])
    np.testing.assert_array_equal(lines["imputed"][mask[0]], 7)
    assert np.flatnonzero(np.isfinite(lines["imputed"])).tolist() == [*range(99, 121), 499, 500, 501]
    bands = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in figure.axes[0].patches]
    assert bands == [(15.5, 24.5), (46.5, 55.5)]


def test_traces_that_contradict_each_other_are_refused(style: Style) -> None:
    recordings = make_recordings(2)
    mask, signal = recordings.dropout, recordings.pupil

    def draw(who: Any = recordings, mask: Any = mask, signal: Any = signal, synthetic: bool = True) -> None:
        draw_traces(who, mask, signal, title="x", synthetic=synthetic, style=style)

    with pytest.raises(ValueError, match="1 to 3"):
        draw(recordings.take([]), mask[:0], signal[:0])
    with pytest.raises(ValueError, match="1 to 3"):
        draw(four := make_recordings(4), four.dropout, four.pupil)
    with pytest.raises(ValueError, match="do not fit"):
        draw(mask=mask[:, 1:])
    with pytest.raises(ValueError, match="synthetic"):
        draw(synthetic=False)


def test_an_overview_draws_the_summary_that_it_is_given(style: Style) -> None:
    recordings = make_recordings(5)
    zero = np.zeros(recordings.n_samples)
    figure = draw_recording_overview(
        recordings, title="x", synthetic=True, style=style, centre=zero, band=(zero - 1, zero + 1)
    )
    assert_good_page(figure, synthetic=True)
    assert len(figure.axes[0].lines) == 6
    with pytest.raises(ValueError, match="no recordings"):
        draw_recording_overview(recordings.take([]), title="x", synthetic=True, style=style)


def test_a_recording_shows_what_a_human_rejected_and_nothing_that_a_method_did(style: Style) -> None:
    plain = make_recordings(2)
    recordings = replace(plain, artefact=np.arange(plain.n_samples)[None, :] % [[50], [70]] == 0)
    figure = draw_recording(recordings.take([1]), title="S002-1", synthetic=True, style=style)
    assert_good_page(figure, synthetic=True)
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert set(lines) == {"recording", "rejected by a human", "truth"}
    assert recordings.artefact is not None
    shown = ~np.isnan(np.asarray(lines["rejected by a human"].get_ydata(), dtype=float))
    np.testing.assert_array_equal(shown, recordings.artefact[1] & ~recordings.dropout[1])
    with pytest.raises(ValueError, match="1 recording, not 2"):
        draw_recording(recordings, title="x", synthetic=True, style=style)
    with pytest.raises(ValueError, match="synthetic=False"):
        draw_recording(recordings.take([0]), title="x", synthetic=False, style=style)


def test_figures_load_no_statistics_library_and_no_pyplot() -> None:
    code = (
        "import sys; from plr_assets.figures import pipeline, save, study, traces; "
        "print(sorted({'scipy', 'sklearn', 'statsmodels', 'matplotlib', 'plr_assets.evaluation'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
