"""The grid: keys that print and parse, which combinations exist, and in which order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plr_assets.errors import SelectionError
from plr_assets.grid import PRINT_ORDER, SORT_ORDER, Grid, PipelineKey, grid_of
from plr_assets.registry import AXES, SEPARATOR, Axis, Registry, load_registry
from plr_assets.study import Study, SubGrid, load_study
from plr_assets.study.pretrained import Foundations

STAGES = ("features", "pipelines", "imputed_signals", "outlier_masks", "detectors", "imputers", "reconstructions")
FULL_VOTE = "ensemble-LOF-MOMENT-OneClassSVM-PROPHET-SubPCA-TimesNet-UniTS-gt-finetune"
THREE_MEAN = "ensemble-CSDI-MOMENT-SAITS"

axes_of_a_stage = st.sets(st.sampled_from(AXES), min_size=1)
registered = st.fixed_dictionaries({axis: st.sampled_from(load_registry().names(axis)) for axis in AXES})


def grid_with(*grids: dict[str, Any], every_method: bool = False, **changes: Any) -> Grid:
    """The demo's grid with other sub-grids; `every_method`: as if every registered method were there."""
    study = load_study("demo").model_copy(update={"grids": tuple(SubGrid(**grid) for grid in grids), **changes})
    return Grid(study, complete_registry() if every_method else load_registry())


def complete_registry() -> Registry:
    registry = load_registry()
    methods = {
        axis: {name: method.model_copy(update={"implemented": True}) for name, method in entries.items()}
        for axis, entries in registry.methods.items()
    }
    return registry.model_copy(update={"methods": methods})


def sub_grid(outlier: Any = ("LOF",), imputation: Any = ("linear",), **more: Any) -> dict[str, Any]:
    return {"outlier_detection": outlier, "imputation": imputation, "featurization": ("simple",), **more}


def names(keys: tuple[PipelineKey, ...]) -> list[str]:
    return [str(key) for key in keys]


# -- keys -----------------------------------------------------------------------------------------------------------


@given(axes=axes_of_a_stage, methods=registered)
def test_a_key_of_any_stage_comes_back_from_its_text(axes: set[Axis], methods: dict[Axis, str]) -> None:
    key = PipelineKey(**methods).only(*axes)
    assert PipelineKey.parse(str(key), axes) == key
    assert set(key.axes) == axes
    assert str(key).split(SEPARATOR) == [methods[axis] for axis in PRINT_ORDER if axis in axes]


@given(axes=axes_of_a_stage, one=registered, other=registered)
def test_two_keys_of_a_stage_print_alike_only_if_they_are_equal(
    axes: set[Axis], one: dict[Axis, str], other: dict[Axis, str]
) -> None:
    left, right = (PipelineKey(**methods).only(*axes) for methods in (one, other))
    assert (str(left) == str(right)) == (left == right)


def test_a_pipeline_is_named_as_the_published_experiment_named_its_runs() -> None:
    key = PipelineKey("simple", "MOMENT-gt-finetune", "SAITS", "CatBoost")
    assert str(key) == "simple__MOMENT-gt-finetune__SAITS__CatBoost"
    assert str(key.only("outlier_detection", "imputation")) == "MOMENT-gt-finetune__SAITS"


@pytest.mark.parametrize("text", ["", "LOF", "LOF__linear__simple", "LOF__", "__linear"])
def test_text_that_is_no_key_of_the_stage_is_refused(text: str) -> None:
    with pytest.raises(SelectionError, match="this is no key of outlier_detection__imputation"):
        PipelineKey.parse(text, ("outlier_detection", "imputation"))


# -- grids ----------------------------------------------------------------------------------------------------------


def test_a_study_has_one_grid_until_it_or_the_registry_changes() -> None:
    """Every partition that is planned asks for the grid: listing its keys each time took a third of a plan."""
    study = load_study("demo")
    first = grid_of(study)
    assert grid_of(study) is first
    other = study.model_copy(update={"grids": study.grids[:1], "labels": None})
    assert grid_of(other).pipelines == ()
    assert grid_of(study).pipelines == first.pipelines
    load_registry.cache_clear()
    assert grid_of(study).registry is load_registry()


def test_demo_ranks_eighteen_pipelines() -> None:
    grid = grid_of(load_study("demo"))
    assert len(grid.pipelines) == 3 * 2 * 1 * 3
    assert "simple__OneClassSVM__linear__CatBoost" in names(grid.pipelines)


def test_the_paper_is_the_published_grid_with_linear_and_the_fields_own_way_beside_it() -> None:
    grid = Grid(load_study("paper").model_copy(update={"pretrained": Foundations()}), complete_registry())
    linear = [key for key in grid.pipelines if key.imputation == "linear"]
    # four standard pairs of detector and imputer have the other three featurizations too
    assert len(grid.pipelines) == 440 + 55 + 5 + 4 * 3 * 5
    standard = {(key.outlier_detection, key.imputation) for key in grid.features if key.featurization == "embedding"}
    assert standard == {
        ("pupil-gt", "pupil-gt"),
        ("ensemble-LOF-MOMENT-OneClassSVM-PROPHET-SubPCA-TimesNet-UniTS-gt-finetune", "CSDI"),
        ("MOMENT-gt-finetune", "SAITS"),
        ("LOF", "SAITS"),
    }
    assert len(linear) == (11 + 1) * 1 * 5
    assert len(grid.outlier_masks) == 11 + 1
    assert len(grid.detectors) == 8 + 1
    assert len(grid.imputed_signals) == 11 * (8 + 1) + 1
    assert len(grid.imputers) == 5 + 1
    assert not grid.left_out


def test_the_paper_offers_what_is_implemented_and_says_why_the_rest_is_not_there() -> None:
    grid = grid_of(load_study("paper"))
    registry = grid.registry
    offered = {axis: {key.named(axis) for key in grid.pipelines} for axis in AXES}
    for axis in ("outlier_detection", "imputation", "classification"):
        published = set(registry.published(axis))
        ready = {name for name in published if registry.is_implemented(axis, name)} - {"TabPFN"}
        assert offered[axis] - {"linear", "dilation-speed"} == ready
        assert {name for name in published if f"{axis}.{name}" in grid.left_out} == published - ready
    assert grid.left_out.pop("classification.TabPFN") == "its weights are left out: pretrained.tabpfn.source is none"
    assert set(grid.left_out.values()) <= {"not implemented yet"}


@pytest.mark.parametrize("study", ["demo", "paper"])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("every_method", [False, True])
def test_keys_are_unique_and_sorted_outlier_detection_first(study: str, stage: str, every_method: bool) -> None:
    """One contiguous range is then all of one detector, which a backfill runs at once."""
    grid = Grid(load_study(study), complete_registry() if every_method else load_registry())
    keys: tuple[PipelineKey, ...] = getattr(grid, stage)
    position = {axis: grid.registry.names(axis) for axis in AXES}
    places = [tuple(position[axis].index(key.named(axis)) for axis in SORT_ORDER if axis in key.axes) for key in keys]
    assert places
    assert places == sorted(set(places))


def test_a_union_of_overlapping_sub_grids_repeats_nothing_whatever_their_order() -> None:
    one = sub_grid(("LOF", "pupil-gt"), ("linear",), classification=("XGBoost",))
    other = sub_grid(("LOF",), ("linear", "pupil-gt"), classification=("XGBoost", "CatBoost"))
    expected = [
        "simple__pupil-gt__linear__XGBoost",
        "simple__LOF__pupil-gt__CatBoost",
        "simple__LOF__pupil-gt__XGBoost",
        "simple__LOF__linear__CatBoost",
        "simple__LOF__linear__XGBoost",
    ]
    assert names(grid_with(one, other).pipelines) == expected
    assert names(grid_with(other, one).pipelines) == expected


def test_the_members_of_an_ensemble_are_fitted_and_the_ensemble_is_not() -> None:
    grid = grid_with(sub_grid((FULL_VOTE,), (THREE_MEAN,)), every_method=True)
    members = load_registry().methods["outlier_detection"][FULL_VOTE].members
    assert names(grid.outlier_masks) == [FULL_VOTE]
    assert set(names(grid.detectors)) == set(members)
    assert set(names(grid.imputers)) == {"CSDI", "MOMENT-finetune", "SAITS"}
    assert set(names(grid.reconstructions)) == {f"{FULL_VOTE}__{name}" for name in names(grid.imputers)}
    assert names(grid.imputed_signals) == [f"{FULL_VOTE}__{THREE_MEAN}"]


def test_ground_truth_is_never_fitted() -> None:
    grid = grid_with(sub_grid(("pupil-gt",), ("pupil-gt",)))
    assert (grid.detectors, grid.imputers, grid.reconstructions) == ((), (), ())
    assert names(grid.imputed_signals) == ["pupil-gt__pupil-gt"]


@pytest.mark.parametrize(
    ("text", "oracle"),
    [
        ("simple__pupil-gt__linear__CatBoost", True),
        ("simple__LOF__pupil-gt__CatBoost", True),
        ("simple__LOF__linear__CatBoost", False),
    ],
)
def test_one_part_that_uses_ground_truth_makes_the_pipeline_an_oracle(text: str, oracle: bool) -> None:
    assert grid_of(load_study("demo")).is_oracle(PipelineKey.parse(text, AXES)) is oracle


def without_truth() -> dict[str, Any]:
    files = load_study("demo").recordings
    return {"recordings": files.model_copy(update={"ground_truth": None})}


def test_a_study_without_ground_truth_offers_the_rest_and_says_why() -> None:
    grid = grid_with(sub_grid("published", "all", classification=("CatBoost",)), **without_truth())
    assert "pupil-gt" not in {key.outlier_detection for key in grid.pipelines}
    assert "simple__LOF__linear__CatBoost" in names(grid.pipelines)
    why = "needs ground truth, and the study has none"
    assert grid.left_out["outlier_detection.pupil-gt"] == grid.left_out["imputation.pupil-gt"] == why


def test_a_study_without_labels_has_features_and_no_pipelines_and_says_why() -> None:
    grid = grid_with(sub_grid(classification=("CatBoost",)), labels=None)
    assert names(grid.features) == ["simple__LOF__linear"]
    assert grid.pipelines == ()
    assert grid.left_out["classification"] == "the study declares no labels"


def test_what_a_study_never_asked_for_is_not_called_left_out() -> None:
    study: Study = load_study("demo")
    assert grid_of(study).left_out == {}
