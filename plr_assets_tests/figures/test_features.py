"""Pages of features: every feature has its bars and its histogram where they belong, on a page that holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from plr_assets.featurization.catalog import feature_catalog, feature_dictionary, histograms
from plr_assets.featurization.windowed import WindowedFeatures
from plr_assets.figures.features import MOST, draw_features
from plr_assets.figures.save import thumbnail
from plr_assets.figures.style import Style
from plr_assets.registry import load_registry
from plr_assets_tests.builders import make_recordings
from plr_assets_tests.figures.pages import assert_good_page, texts

RECORDINGS = make_recordings(12)
LONG = "What features are made of: Handcrafted (extended)"


def told(featurization: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    featurizer = WindowedFeatures(**load_registry().methods["featurization"][featurization].parameters)
    assert RECORDINGS.truth is not None
    table = featurizer.transform(RECORDINGS, RECORDINGS.truth)
    dictionary = feature_dictionary(featurizer, RECORDINGS)
    catalog = feature_catalog({featurization: [table]}, {featurization: [dictionary]}, set(RECORDINGS.recording))
    return catalog, histograms([table], set(RECORDINGS.recording))


def figure_of(style: Style, catalog: pl.DataFrame, bars: pl.DataFrame, **other: Any) -> Figure:
    assert RECORDINGS.truth is not None
    look: dict[str, Any] = {"title": LONG, "synthetic": True, "style": style}
    course = {"time": RECORDINGS.time, "centre": RECORDINGS.truth[0], "lights": RECORDINGS.stimuli[0]}
    return draw_features(catalog, bars, **course, **(look | other))


@pytest.mark.parametrize(
    ("featurization", "synthetic"),
    [("simple", True), ("simple", False), pytest.param("extended", True, marks=pytest.mark.slow)],
)
def test_every_feature_fills_its_place(style: Style, featurization: str, synthetic: bool) -> None:
    catalog, bars = told(featurization)
    figure = figure_of(style, catalog, bars, synthetic=synthetic)
    assert_good_page(figure, synthetic=synthetic)
    words = "".join(texts(figure)).replace("\n", "")
    for name in catalog["name"]:
        assert words.count(name) >= 2, "beside its bars, and above its histogram"
    assert len(thumbnail(figure)) < 80_000


def test_bars_lie_where_the_samples_are_and_histograms_hold_every_recording(style: Style) -> None:
    catalog, bars = told("extended")
    runs, first = figure_of(style, catalog, bars).axes[1:3]
    place = catalog["name"].to_list().index("Blue_PIPR_6S")
    (drawn,) = [c for c in runs.collections if c.get_paths() and np.isclose(_top(c), place - 0.35)]
    boxes = [path.get_extents() for path in drawn.get_paths()]
    # blue is on from 15.5 to 24.5 s: its baseline is the 5 s before, the feature the second around 6 s after
    assert [(box.x0, box.x1) for box in boxes] == [pytest.approx((10.5, 15.5)), pytest.approx((30.0, 31.0))]
    assert sum(bar.get_height() for bar in first.patches) == len(RECORDINGS)


def _top(collection: Any) -> float:
    return float(collection.get_paths()[0].get_extents().y0)


def test_a_page_says_what_it_leaves_out(style: Style) -> None:
    catalog, bars = told("simple")
    many = pl.concat([catalog.with_columns(name=pl.format("{}_{}", "name", pl.lit(i))) for i in range(6)])
    assert any(f"the first {MOST} of 48" in word for word in texts(figure_of(style, many, bars)))


def test_rows_of_several_featurizations_and_no_rows_are_refused(style: Style) -> None:
    catalog, bars = told("simple")
    mixed = pl.concat([catalog, catalog.with_columns(featurization=pl.lit("other"))])
    for rows in (mixed, catalog.clear()):
        with pytest.raises(ValueError, match="one featurization"):
            figure_of(style, rows, bars)
