"""The registry holds every published method, and a broken file is refused by file, key and remedy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from plr_assets.errors import ConfigError
from plr_assets.paths import configs_dir
from plr_assets.registry import AXES, SEPARATOR, Axis, load_registry

# The published design, name by name (its registry of February 2026).
PUBLISHED: dict[Axis, set[str]] = {
    "outlier_detection": {
        "pupil-gt",
        "MOMENT-gt-finetune",
        "MOMENT-gt-zeroshot",
        "UniTS-gt-finetune",
        "TimesNet-gt",
        "LOF",
        "OneClassSVM",
        "PROPHET",
        "SubPCA",
        "ensemble-LOF-MOMENT-OneClassSVM-PROPHET-SubPCA-TimesNet-UniTS-gt-finetune",
        "ensembleThresholded-MOMENT-TimesNet-UniTS-gt-finetune",
    },
    "imputation": {
        "pupil-gt",
        "MOMENT-finetune",
        "MOMENT-zeroshot",
        "CSDI",
        "SAITS",
        "TimesNet",
        "ensemble-CSDI-MOMENT-SAITS",
        "ensemble-CSDI-MOMENT-SAITS-TimesNet",
    },
    "classification": {"CatBoost", "XGBoost", "TabPFN", "TabM", "LogisticRegression"},
}

Edit = Callable[[dict], object]


@pytest.fixture
def methods(tmp_path: Path) -> Path:
    """A copy of configs/methods, to be broken."""
    return shutil.copytree(configs_dir() / "methods", tmp_path / "methods")


def edit(folder: Path, axis: Axis, change: Edit) -> Path:
    path = folder / f"{axis}.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content["methods"])
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


@pytest.mark.parametrize(("axis", "count"), [("outlier_detection", 11), ("imputation", 8), ("classification", 5)])
def test_every_published_method_is_registered_under_its_published_name(axis: Axis, count: int) -> None:
    published = load_registry().published(axis)
    assert set(published) == PUBLISHED[axis]
    assert len(published) == count


@pytest.mark.parametrize(("axis", "baseline"), [("imputation", "linear"), ("outlier_detection", "dilation-speed")])
def test_a_plain_baseline_is_offered_beside_the_published_methods(axis: Axis, baseline: str) -> None:
    assert set(load_registry().names(axis)) - PUBLISHED[axis] == {baseline}


@pytest.mark.parametrize("axis", AXES)
def test_every_entry_can_be_told_apart_and_traced_to_its_source(axis: Axis) -> None:
    entries = load_registry().methods[axis].values()
    for field in ("display", "abbreviation"):
        assert len({getattr(entry, field) for entry in entries}) == len(entries), field
    assert all(entry.source and entry.category for entry in entries)


@pytest.mark.parametrize("axis", AXES)
def test_implemented_methods_can_be_imported_and_take_their_registered_parameters(axis: Axis) -> None:
    for name, entry in load_registry().methods[axis].items():
        if entry.implemented and entry.implementation:
            made = entry.load()(**entry.parameters)
            assert made.parameters.items() >= entry.parameters.items(), name


def test_only_ground_truth_is_an_oracle_and_it_says_what_it_needs() -> None:
    oracles = [
        (axis, name, method.requires)
        for axis, methods in load_registry().methods.items()
        for name, method in methods.items()
        if method.oracle
    ]
    assert oracles == [
        ("outlier_detection", "pupil-gt", ("ground_truth",)),
        ("imputation", "pupil-gt", ("ground_truth",)),
    ]


@pytest.mark.parametrize(
    ("axis", "change", "key", "remedy"),
    [
        ("outlier_detection", lambda m: m["LOF"].update(dislpay="x"), "methods.LOF.dislpay", "'display'"),
        ("outlier_detection", lambda m: m["LOF"].pop("source"), "methods.LOF.source", "Add it"),
        ("imputation", lambda m: m.update({"a__b": m["linear"]}), "methods.a__b", "Rename it"),
        (
            "imputation",
            lambda m: m["ensemble-CSDI-MOMENT-SAITS"].update(members=["SAIT"]),
            "methods.ensemble-CSDI-MOMENT-SAITS.members",
            "'SAITS'",
        ),
        ("classification", lambda m: m["CatBoost"].pop("implementation"), "methods.CatBoost", "module:Class"),
        ("classification", lambda m: m["CatBoost"].update(implementation="nowhere"), "methods.CatBoost.impl", "docs/"),
        ("featurization", lambda m: m["simple"].update(requires=["luck"]), "methods.simple.requires.0", "docs/"),
        (
            "outlier_detection",
            lambda m: m["UniTS-gt-finetune"].pop("pretrained"),
            "methods.UniTS-gt-finetune.requires",
            "under `pretrained`",
        ),
        (
            "outlier_detection",
            lambda m: m["TimesNet-gt"].update(profiles={"gpu": {"epoch": 9}}),
            "methods.TimesNet-gt.profiles.gpu.epoch",
            "'epochs'",
        ),
    ],
    ids=[
        *("unknown key", "missing key", "separator", "unknown member", "no code", "no module", "unknown need"),
        *("weights of no model", "unknown parameter of a profile"),
    ],
)
def test_a_broken_entry_is_refused_by_file_key_and_remedy(
    methods: Path, axis: Axis, change: Edit, key: str, remedy: str
) -> None:
    path = edit(methods, axis, change)
    with pytest.raises(ConfigError) as caught:
        load_registry(methods)
    assert caught.value.where.startswith(f"{path}: {key}")
    assert remedy in caught.value.remedy


def test_a_method_that_is_written_twice_is_refused_with_its_line(methods: Path) -> None:
    path = methods / "classification.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines, "  CatBoost: {}"]), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_registry(methods)
    assert caught.value.where == f"{path}: line {len(lines) + 1}"
    assert "'CatBoost' is written twice" in caught.value.problem


def test_a_missing_file_is_named(methods: Path) -> None:
    (methods / "imputation.yaml").unlink()
    with pytest.raises(ConfigError) as caught:
        load_registry(methods)
    assert caught.value.where == str(methods / "imputation.yaml")


@pytest.mark.parametrize("name", ["SAITS", "ensemble-CSDI-MOMENT-SAITS"])
def test_a_reserved_name_is_refused_with_what_is_there_instead(methods: Path, name: str) -> None:
    """Ensembles too: one member that is not there is enough."""
    edit(methods, "imputation", lambda m: m["SAITS"].update(implemented=False))
    registry = load_registry(methods)
    with pytest.raises(ConfigError) as caught:
        registry.require_implemented("imputation", name, where="here")
    assert caught.value.where == "here"
    assert "not implemented yet" in caught.value.problem
    assert name in caught.value.problem
    assert "configs/methods/imputation.yaml" in caught.value.problem
    assert "linear" in caught.value.remedy
    assert "SAITS" not in caught.value.remedy


def test_a_misspelt_name_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"Did you mean 'OneClassSVM'\?"):
        load_registry().get("outlier_detection", "OneClasSVM", where="here")


def test_no_name_holds_the_separator_of_keys() -> None:
    names = [name for axis in AXES for name in load_registry().names(axis)]
    assert names
    assert not [name for name in names if SEPARATOR in name]
