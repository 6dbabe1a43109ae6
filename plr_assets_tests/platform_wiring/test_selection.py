"""Selections: what they cover, what is refused, and that nothing is run which is not needed."""

from __future__ import annotations

import pytest

from plr_assets.defs import ASSETS
from plr_assets.errors import ConfigError, SelectionError
from plr_assets.grid import Grid, grid_of
from plr_assets.platform.selection import AXIS_NAMES, needed_keys, parse_selection
from plr_assets.platform.stages import StageAsset
from plr_assets.registry import AXES, load_registry
from plr_assets.study import load_study
from plr_assets_tests.contract.registered import without_embedding
from plr_assets_tests.test_grid import FULL_VOTE, THREE_MEAN, complete_registry, grid_with, sub_grid


@pytest.fixture
def demo() -> Grid:
    return grid_of(load_study("demo"))


def needed(grid: Grid, text: str) -> dict[str, list[str]]:
    """Asset -> keys that the selection needs; assets without partitions are `[""]`."""
    assets = [asset for asset in ASSETS if asset.offered(grid.study)]
    chosen = needed_keys(assets, grid, parse_selection(text, grid, ASSETS))
    return {asset.name: [str(key) for key in keys] for asset, keys in chosen.items()}


def test_every_axis_can_be_selected_by_one_short_name() -> None:
    assert sorted(AXIS_NAMES.values()) == sorted(AXES)


def test_without_a_selection_everything_of_the_study_is_wanted(demo: Grid) -> None:
    assert needed(demo, "") == {
        asset.name: [str(key) for key in asset.keys_in(demo)] for asset in ASSETS if asset.offered(demo.study)
    }


def test_a_selection_is_the_product_of_its_terms(demo: Grid) -> None:
    chosen = needed(demo, "outlier=LOF,OneClassSVM imputer=linear classifier=CatBoost")
    assert chosen["bootstrap_results"] == ["simple__LOF__linear__CatBoost", "simple__OneClassSVM__linear__CatBoost"]


def test_what_is_selected_comes_with_what_it_is_computed_from_and_nothing_else(demo: Grid) -> None:
    chosen = needed(demo, "outlier=LOF imputer=linear features=simple classifier=CatBoost")
    assert {name: keys for name, keys in chosen.items() if keys != [""]} == {
        "detectors": ["LOF"],
        "outlier_scores": ["LOF"],
        "outlier_masks": ["LOF"],
        "imputers": ["linear"],
        "reconstructions": ["LOF__linear"],
        "imputed_signals": ["LOF__linear"],
        "features": ["simple__LOF__linear"],
        "bootstrap_results": ["simple__LOF__linear__CatBoost"],
        "models": ["simple__LOF__linear__CatBoost"],
        "internal_validation": ["simple__LOF__linear__CatBoost"],
        "evaluation": ["simple__LOF__linear__CatBoost"],
        "detection_figures": ["LOF"],
        "signal_figures": ["LOF__linear"],
        "pipeline_figures": ["simple__LOF__linear__CatBoost"],
    }
    assert {"device_files", "recordings", "cohort_split", "results_database"} <= set(chosen)


def test_members_of_a_selected_ensemble_are_needed_though_the_selection_does_not_name_them() -> None:
    grid = grid_with(
        sub_grid((FULL_VOTE, "LOF"), (THREE_MEAN, "linear"), classification=("CatBoost",)), every_method=True
    )
    chosen = needed(grid, f"outlier={FULL_VOTE} imputer={THREE_MEAN}")
    members = load_registry().methods["outlier_detection"][FULL_VOTE].members
    assert sorted(chosen["detectors"]) == sorted(chosen["outlier_scores"]) == sorted(members)
    assert chosen["outlier_masks"] == [FULL_VOTE]
    assert sorted(chosen["imputers"]) == ["CSDI", "MOMENT-finetune", "SAITS"]
    assert sorted(chosen["reconstructions"]) == [
        f"{FULL_VOTE}__{name}" for name in ("CSDI", "MOMENT-finetune", "SAITS")
    ]
    assert chosen["imputed_signals"] == [f"{FULL_VOTE}__{THREE_MEAN}"]


@pytest.mark.parametrize(
    "text", ["", "outlier=LOF", "imputer=pupil-gt", "classifier=XGBoost,CatBoost", "outlier=pupil-gt imputer=pupil-gt"]
)
def test_nothing_is_needed_but_what_is_covered_or_read_by_something_needed(demo: Grid, text: str) -> None:
    """Both ways: every required input of a needed key is needed, every needed key is covered or such an input."""
    assets = [asset for asset in ASSETS if asset.offered(demo.study)]
    selection = parse_selection(text, demo, ASSETS)
    chosen = needed_keys(assets, demo, selection)
    read: dict[StageAsset, set] = {asset: set() for asset in assets}
    for asset in assets:
        for one in asset.reads_in(demo.study):
            if one.required:
                read[one.asset].update(parent for key in chosen[asset] for parent in one.keys(demo, key))
    for asset in assets:
        covered = {key for key in asset.keys_in(demo) if selection.covers(key)}
        assert set(chosen[asset]) == covered | read[asset], asset.name


def test_an_asset_or_a_stage_is_wanted_with_what_it_is_computed_from_and_nothing_else(demo: Grid) -> None:
    upstream = {"device_files", "recordings", "cohort_split", "detectors", "outlier_scores"}
    chosen = needed(demo, "asset=outlier_masks outlier=LOF")
    assert {name for name, keys in chosen.items() if keys} == {*upstream, "outlier_masks"}
    assert chosen["outlier_masks"] == chosen["detectors"] == ["LOF"]
    whole = needed(demo, "stage=outlier_detection")
    assert {name for name, keys in whole.items() if keys} == {*upstream, "outlier_masks"}
    assert whole["outlier_masks"] == needed(demo, "")["outlier_masks"]


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("outlier=LOF imputer=linear", set()),
        ("outlier=LOF,MOMENT-gt-zeroshot imputer=linear", {"moment_weights"}),
        ("outlier=LOF imputer=MOMENT-zeroshot", {"moment_weights"}),
        ("outlier=LOF imputer=SAITS features=simple,extended", set()),
        ("outlier=LOF imputer=SAITS features=embedding", {"moment_weights"}),
        ("outlier=UniTS-gt-finetune stage=outlier_detection", {"units_weights"}),
        ("", {"moment_weights", "units_weights"}),
        ("asset=moment_weights", {"moment_weights"}),
    ],
)
def test_foundation_models_are_needed_by_the_methods_that_start_from_them_only(text: str, weights: set[str]) -> None:
    """They take minutes of training or a download; a selection of LOF must not wait for them."""
    chosen = needed(grid_of(load_study("paper")), text)
    assert {name for name in ("moment_weights", "units_weights") if chosen[name]} == weights


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ("LOF", "a term is axis=method", "outlier, imputer, features, classifier, asset, stage"),
        ("outlier=", "a term is axis=method", "outlier, imputer, features, classifier"),
        ("outliers=LOF", "no axis 'outliers'", "'outlier'"),
        ("outlier=LOF outlier=OneClassSVM", "named twice", "outlier=A,B"),
        ("imputer=linear classifier=TabPNF", "'TabPNF'", "'TabPFN'"),
        ("outlier=LOFF", "'LOFF'", "'LOF'"),
        ("asset=outlier_mask", "no asset 'outlier_mask'", "'outlier_masks'"),
        ("stage=outliers", "no stage 'outliers'", "outlier_detection"),
        ("outlier=LOF,", "''", "LOF"),
    ],
)
def test_a_selection_that_cannot_be_read_is_refused_by_term_and_remedy(
    demo: Grid, text: str, problem: str, remedy: str
) -> None:
    with pytest.raises((SelectionError, ConfigError)) as caught:
        parse_selection(text, demo, ASSETS)
    assert "--select" in caught.value.where
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


def test_a_reserved_method_is_refused_with_what_is_there_instead() -> None:
    grid = Grid(load_study("demo"), without_embedding(load_registry()))
    with pytest.raises((SelectionError, ConfigError), match=r"not implemented yet.*simple"):
        parse_selection("features=embedding", grid, ASSETS)


def test_a_method_that_the_study_does_not_list_is_refused_with_those_it_does() -> None:
    grid = grid_with(sub_grid(("OneClassSVM",), classification=("CatBoost",)))
    with pytest.raises(SelectionError) as caught:
        parse_selection("outlier=LOF", grid, ASSETS)
    assert "does not offer 'LOF': its grids do not list it" in caught.value.problem
    assert caught.value.remedy == "It offers: OneClassSVM."


def test_a_method_that_was_left_out_is_refused_with_the_reason() -> None:
    grid = grid_with(sub_grid("published", classification=("CatBoost",)), labels=None)
    with pytest.raises(SelectionError, match="the study declares no labels"):
        parse_selection("classifier=CatBoost", grid, ASSETS)


def test_methods_that_never_meet_in_one_pipeline_are_refused() -> None:
    grid = grid_with(
        sub_grid(("LOF",), ("linear",), classification=("CatBoost",)),
        sub_grid(("OneClassSVM",), ("linear",), classification=("XGBoost",)),
    )
    with pytest.raises(SelectionError, match="uses these methods together"):
        parse_selection("outlier=LOF classifier=XGBoost", grid, ASSETS)


def test_the_paper_can_be_selected_by_every_published_name_once_it_is_implemented() -> None:
    grid = Grid(load_study("paper"), complete_registry())
    for name, axis in AXIS_NAMES.items():
        for method in {key.named(axis) for key in grid.pipelines}:
            assert parse_selection(f"{name}={method}", grid, ASSETS).methods == {axis: (method,)}


def test_a_pattern_covers_the_methods_and_assets_of_the_study_that_it_fits(demo: Grid) -> None:
    offered = parse_selection("outlier=*", demo, ASSETS).methods["outlier_detection"]
    assert set(offered) == {key.outlier_detection for key in demo.outlier_masks}
    assert parse_selection("outlier=L*,LOF,One?lassSVM", demo, ASSETS).methods == {
        "outlier_detection": ("LOF", "OneClassSVM")
    }
    assert parse_selection("asset=*_curves", demo, ASSETS).assets == {"roc_curves", "calibration_curves", "dca_curves"}
    assert parse_selection("stage=f*", demo, ASSETS).assets == {
        asset.name for asset in ASSETS if asset.stage.name in ("featurization", "figures")
    }


def test_every_method_of_one_family_can_be_meant_by_a_pattern() -> None:
    grid = Grid(load_study("paper"), complete_registry())
    chosen = parse_selection("outlier=*MOMENT*", grid, ASSETS).methods["outlier_detection"]
    assert chosen == tuple(name for name in grid.registry.names("outlier_detection") if "MOMENT" in name)
    assert len(chosen) > 1


@pytest.mark.parametrize("text", ["outlier=*MOMENT*", "outlier=lof*", "asset=*_curve", "stage=?"])
def test_a_pattern_that_covers_nothing_is_refused_with_what_there_is(demo: Grid, text: str) -> None:
    with pytest.raises(SelectionError, match=r"(?s)(covered by|has no (asset|stage)).*(It offers|Did you mean|Known)"):
        parse_selection(text, demo, ASSETS)
