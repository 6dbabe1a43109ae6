"""The catalogue against plain numpy, and the page that documents features."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from plr_assets.featurization.catalog import feature_catalog, feature_dictionary, histograms
from plr_assets.featurization.definitions import LEAKAGE
from plr_assets.featurization.page import PAGE, features_page
from plr_assets.featurization.windowed import WindowedFeatures
from plr_assets.registry import load_registry
from plr_assets.schemas import FEATURE_CATALOG, FEATURE_DICTIONARY, validate
from plr_assets_tests.builders import make_recordings

RECORDINGS = make_recordings(10)
assert RECORDINGS.truth is not None
SIMPLE = WindowedFeatures(**load_registry().methods["featurization"]["simple"].parameters)
TABLES = [SIMPLE.transform(RECORDINGS, signal) for signal in (RECORDINGS.truth, RECORDINGS.truth - 2)]
DEVELOPMENT = set(RECORDINGS.recording[:7])
DICTIONARY = feature_dictionary(SIMPLE, RECORDINGS)


def test_quantiles_are_of_development_recordings_over_all_combinations() -> None:
    catalog = feature_catalog({"simple": TABLES}, {"simple": [DICTIONARY]}, DEVELOPMENT)
    validate(catalog, FEATURE_CATALOG)
    assert catalog["name"].to_list() == TABLES[0].columns[2:]
    for row in catalog.iter_rows(named=True):
        values = np.concatenate([table[row["name"]].to_numpy()[:7] for table in TABLES])
        assert (row["combinations"], row["n"], row["missing"]) == (2, 14, 0.0)
        told = [row[name] for name in ("q05", "q25", "q50", "q75", "q95")]
        assert told == pytest.approx(np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95]))


def test_evaluated_recordings_have_no_say() -> None:
    others = pl.col("recording").is_in(list(DEVELOPMENT))
    moved = [t.with_columns(pl.when(others).then(c).otherwise(1e6).alias(c) for c in t.columns[2:]) for t in TABLES]
    told = {"simple": [DICTIONARY]}
    assert feature_catalog({"simple": moved}, told, DEVELOPMENT).equals(
        feature_catalog({"simple": TABLES}, told, DEVELOPMENT)
    )
    assert histograms(moved, DEVELOPMENT).equals(histograms(TABLES, DEVELOPMENT))


def test_values_that_are_missing_are_counted_and_a_feature_without_values_has_no_quantiles() -> None:
    gone = [t.with_columns(Blue_PHASIC=pl.lit(None, dtype=pl.Float64)) for t in TABLES]
    gone[0] = gone[0].with_columns(Red_PHASIC=pl.lit(float("nan")))
    catalog = feature_catalog({"simple": gone}, {"simple": [DICTIONARY]}, DEVELOPMENT)
    validate(catalog, FEATURE_CATALOG)
    (blue,), (red,) = (catalog.filter(name=name).rows(named=True) for name in ("Blue_PHASIC", "Red_PHASIC"))
    assert (blue["n"], blue["missing"], blue["q50"]) == (0, 1.0, None)
    assert (red["n"], red["missing"]) == (7, 0.5)
    assert red["q50"] == pytest.approx(np.median(TABLES[1]["Red_PHASIC"].to_numpy()[:7]))
    assert "Blue_PHASIC" not in histograms(gone, DEVELOPMENT)["name"]


def test_features_that_nobody_described_are_listed_without_words() -> None:
    """A table that was logged from outside need not come with a dictionary."""
    catalog = feature_catalog({"simple": TABLES, "mine": TABLES}, {"simple": [DICTIONARY]}, DEVELOPMENT)
    validate(catalog, FEATURE_CATALOG)
    mine = catalog.filter(featurization="mine")
    assert mine["description"].null_count() == mine.height == 8
    assert mine["q50"].equals(catalog.filter(featurization="simple")["q50"])


def test_histograms_hold_every_value_between_the_outer_percents() -> None:
    bars = histograms(TABLES, DEVELOPMENT)
    values = np.concatenate([table["Red_PIPR_AUC"].to_numpy()[:7] for table in TABLES])
    own = bars.filter(name="Red_PIPR_AUC")
    assert own["n"].sum() == 14
    assert (own["bin_start"].min(), own["bin_end"].max()) == pytest.approx(np.quantile(values, [0.01, 0.99]))
    flat = [table.with_columns(Red_PHASIC=pl.lit(3.0)) for table in TABLES]
    assert histograms(flat, DEVELOPMENT).filter(name="Red_PHASIC").rows() == [("Red_PHASIC", 3.0, 3.0, 14)]


@pytest.mark.parametrize("name", ["simple", "baseline", "extended"])
def test_the_dictionary_says_where_each_feature_lies(name: str) -> None:
    featurizer = WindowedFeatures(**load_registry().methods["featurization"][name].parameters)
    table = validate(feature_dictionary(featurizer, RECORDINGS), FEATURE_DICTIONARY)
    windows = featurizer.windows(RECORDINGS)
    for row in table.iter_rows(named=True):
        runs = list(zip(row["run_starts_s"], row["run_ends_s"], strict=True))
        expected = [(start[0] / 30, (stop[0] - 1) / 30) for start, stop in windows[row["name"]]]
        assert np.allclose(runs, expected, atol=1e-5)


def test_a_light_that_only_some_recordings_have_counts_where_it_is() -> None:
    from dataclasses import replace

    lit = replace(RECORDINGS, stimuli=((RECORDINGS.stimuli[0][1],), *RECORDINGS.stimuli[1:]))
    table = feature_dictionary(SIMPLE, lit)
    assert table.equals(DICTIONARY)
    none = feature_dictionary(SIMPLE, replace(RECORDINGS, stimuli=((),) * 10))
    assert none["run_starts_s"].list.len().to_list() == [0] * 8


def test_the_page_of_features_is_what_the_registry_says() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == features_page(), "run python -m plr_assets.featurization.page"


def test_the_registrys_features_state_source_and_risk() -> None:
    for method in load_registry().methods["featurization"].values():
        for entry in {**method.parameters.get("features", {}), **method.parameters.get("across", {})}.values():
            assert entry["source"]
            words = [entry["leakage"]] if isinstance(entry["leakage"], str) else entry["leakage"]
            assert set(words) <= set(LEAKAGE)
