"""Study files: what is written wrong is refused by file, key and remedy; the repository's own load."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from plr_assets.errors import ConfigError
from plr_assets.paths import configs_dir
from plr_assets.registry import Method, load_registry
from plr_assets.study import Study, load_study, study_names
from plr_assets_tests.contract.registered import without_embedding

Edit = Callable[[dict[str, Any]], object]
DEMO: dict[str, Any] = yaml.safe_load((configs_dir() / "studies" / "demo.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Edit], Path]:
    """Writes the demo study, changed, to a file of its own."""

    def written(change: Edit) -> Path:
        content = deepcopy(DEMO)
        change(content)
        path = tmp_path / "trial.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path

    return written


def refusal(path: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_study(str(path))
    return caught.value


@pytest.mark.parametrize("name", study_names())
def test_every_study_of_the_repository_loads_under_its_file_name(name: str) -> None:
    assert load_study(name).name == name


def test_demo_and_paper_are_there() -> None:
    assert {"demo", "paper"} <= set(study_names())


def test_the_paper_study_is_the_published_cohort_at_its_published_size() -> None:
    """507 recordings, 208 of them with a diagnosis, 56 of those glaucoma, 1000 iterations."""
    paper = load_study("paper")
    assert paper.simulation is not None
    assert (paper.simulation.control, paper.simulation.glaucoma, paper.simulation.unlabelled) == (152, 56, 299)
    assert paper.bootstrap.iterations == 1000
    assert paper.sampling.n_samples == 1981


@pytest.mark.parametrize(
    ("change", "key", "nearest"),
    [
        (lambda s: s.update(sede=1), "sede", "seed"),
        (lambda s: s["recordings"].update(subject="x"), "recordings.subject", "subjects"),
        (lambda s: s["sampling"].update(rate_h=1), "sampling.rate_h", "rate_hz"),
        (lambda s: s["sampling"]["align_onset"].update(color="red"), "sampling.align_onset.color", "colour"),
        (lambda s: s["grids"][0].update(imputtion=[]), "grids.0.imputtion", "imputation"),
        (lambda s: s["bootstrap"].update(iteration=5), "bootstrap.iteration", "iterations"),
        (lambda s: s["workers"].update(procesess=1), "workers.procesess", "processes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unknown_key_at_any_depth_names_the_nearest_known_one(
    write: Callable[[Edit], Path], change: Edit, key: str, nearest: str
) -> None:
    path = write(change)
    error = refusal(path)
    assert error.where == f"{path}: {key}"
    assert error.remedy.splitlines()[0] == f"Did you mean {nearest!r}?"


@pytest.mark.parametrize(
    ("change", "key", "says"),
    [
        (lambda s: s.pop("seed"), "seed", "missing"),
        (lambda s: s.update(seed=-1), "seed", "-1"),
        (lambda s: s.update(seed="soon"), "seed", "'soon'"),
        (lambda s: s.update(origin="clinical"), "(top level)", "`simulation` needs `origin: synthetic`"),
        (lambda s: s["recordings"].pop("subjects"), "(top level)", "`labels` needs `recordings.subjects`"),
        (lambda s: s["recordings"].update(reader="headered_csv"), "recordings", "`columns` is needed"),
        (lambda s: s.update(grids=[]), "grids", "at least 1 item"),
        (lambda s: s.update(labels=["control"]), "labels.1", "missing"),
        (lambda s: s["bootstrap"].update(iterations=1), "bootstrap.iterations", "greater than or equal to 2"),
        (
            lambda s: s.update(stimuli=[{"colour": "blue", "onset_s": 3, "offset_s": 2}]),
            "stimuli.0",
            "offset_s must be later than onset_s",
        ),
        (lambda s: s.update(name="other"), "(top level)", "`name` is the file's name"),
        (lambda s: s.update(training="tpu"), "training", "'tpu'"),
        (lambda s: s.update(pretrained={"moment": {"source": "local"}}), "pretrained.moment", "`path` is needed"),
        (lambda s: s.update(pretrained={"units": {"path": "x.pth"}}), "pretrained.units", "used by no other"),
        (lambda s: s.update(pretrained={"units": {"source": "hub"}}), "pretrained.units.source", "'hub'"),
    ],
)
def test_a_rule_between_keys_is_refused_by_file_and_key(
    write: Callable[[Edit], Path], change: Edit, key: str, says: str
) -> None:
    path = write(change)
    error = refusal(path)
    assert error.where == f"{path}: {key}"
    assert says in error.problem
    assert error.remedy


def test_a_reserved_method_is_refused_by_file_key_and_remedy(
    write: Callable[[Edit], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plr_assets.study.load_registry", lambda: without_embedding(load_registry()))
    path = write(lambda s: s["grids"][0].update(featurization=["embedding"]))
    error = refusal(path)
    assert error.where == f"{path}: grids.0.featurization"
    assert "not implemented" in error.problem
    assert "simple" in error.remedy


@pytest.mark.parametrize(
    ("change", "key", "says", "remedy"),
    [
        (
            lambda s: s["grids"][0].update(outlier_detection=["LOFF"]),
            "grids.0.outlier_detection",
            "'LOFF'",
            "Did you mean 'LOF'?",
        ),
        (
            lambda s: s["grids"][0].update(classification=["CatBost"]),
            "grids.0.classification",
            "'CatBost'",
            "Did you mean 'CatBoost'?",
        ),
        (
            lambda s: s["recordings"].pop("ground_truth"),
            "grids.0.outlier_detection",
            "needs ground truth",
            "recordings.ground_truth",
        ),
        (
            lambda s: s.update(methods={"outlier_detection": {"LOF": {"n_neighbours": 5}}}),
            "methods.outlier_detection.LOF.n_neighbours",
            "no such parameter",
            "'n_neighbors'",
        ),
        (
            lambda s: s.update(methods={"outlier_detection": {"LFO": {}}}),
            "methods.outlier_detection.LFO",
            "'LFO'",
            "Did you mean 'LOF'?",
        ),
    ],
    ids=["misspelt", "misspelt classifier", "no ground truth", "parameter", "overridden method"],
)
def test_a_method_that_cannot_be_used_is_refused_by_file_key_and_remedy(
    write: Callable[[Edit], Path], change: Edit, key: str, says: str, remedy: str
) -> None:
    path = write(change)
    error = refusal(path)
    assert error.where == f"{path}: {key}"
    assert says in error.problem
    assert remedy in error.remedy


def test_an_unknown_axis_of_overrides_is_refused_with_the_known_ones(write: Callable[[Edit], Path]) -> None:
    error = refusal(write(lambda s: s.update(methods={"outlier": {}})))
    assert "methods.outlier" in error.where
    assert "outlier_detection" in error.problem


def test_several_broken_keys_are_reported_at_once(write: Callable[[Edit], Path]) -> None:
    error = refusal(write(lambda s: s.update(sede=1, origin="guessed")))
    assert "sede" in str(error)
    assert "origin" in str(error)


def test_overridden_parameters_lie_on_top_of_the_registrys(write: Callable[[Edit], Path]) -> None:
    path = write(lambda s: s.update(methods={"outlier_detection": {"LOF": {"n_neighbors": 5}}}))
    demo, changed = (
        study.parameters("outlier_detection", "LOF") for study in (load_study("demo"), load_study(str(path)))
    )
    assert changed == {**demo, "n_neighbors": 5}
    assert demo["n_neighbors"] != 5


def test_a_training_profile_lies_between_the_registrys_parameters_and_the_studys(write: Callable[[Edit], Path]) -> None:
    method = Method(
        display="Net",
        abbreviation="Net",
        category="Deep learning",
        source="nobody",
        implemented=False,
        parameters={"epochs": 30, "width": 8, "depth": 2},
        profiles={"cpu": {"epochs": 20, "width": 4}, "gpu": {"depth": 3}},
    )
    known = load_registry()
    registry = known.model_copy(update={"methods": {**known.methods, "imputation": {"Net": method}}})
    own = load_study(str(write(lambda s: s))).model_copy(update={"methods": {"imputation": {"Net": {"width": 6}}}})
    found = {
        name: own.model_copy(update={"training": name}).parameters("imputation", "Net", registry)
        for name in ("cpu", "gpu")
    }
    assert found == {
        "cpu": {"epochs": 20, "width": 6, "depth": 2},
        "gpu": {"epochs": 30, "width": 6, "depth": 3},
    }


def test_the_paper_study_needs_no_network_and_no_accelerator() -> None:
    paper = load_study("paper")
    assert paper.training == "cpu"
    assert {paper.pretrained.moment.source, paper.pretrained.units.source} == {"pretrain"}


def test_a_key_that_is_written_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "trial.yaml"
    path.write_text("title: a\nseed: 1\nrecordings: {path: a, path: b}\n", encoding="utf-8")
    error = refusal(path)
    assert error.where == f"{path}: line 3"
    assert "'path' is written twice" in error.problem


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_a_file_without_keys_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "trial.yaml"
    path.write_text(text, encoding="utf-8")
    assert refusal(path).where == str(path)


@pytest.mark.parametrize("content", [b"a: [1,\nb: 2", b"\xff\xfe\x00broken"], ids=["yaml", "utf-8"])
def test_a_file_that_cannot_be_read_is_refused_with_a_remedy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trial.yaml"
    path.write_bytes(content)
    error = refusal(path)
    assert error.where.startswith(str(path))
    assert error.remedy


def test_a_missing_file_is_answered_with_the_one_beside_it(tmp_path: Path, write: Callable[[Edit], Path]) -> None:
    write(lambda s: s)
    error = refusal(tmp_path / "trail.yaml")
    assert error.where == str(tmp_path / "trail.yaml")
    assert error.remedy == "Did you mean 'trial.yaml'?"


def test_a_misspelt_study_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"Did you mean 'demo'\?"):
        load_study("dmeo")


def test_a_file_name_that_cannot_prefix_assets_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "My-Study.yaml"
    path.write_text(yaml.safe_dump(DEMO), encoding="utf-8")
    assert "Rename" in refusal(path).remedy


def test_data_lies_below_the_data_root_under_the_studys_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLR_DATA_DIR", str(tmp_path))
    study: Study = load_study("demo")
    assert study.data_dir == tmp_path / "demo"
    assert study.resolve(Path("raw")) == tmp_path / "demo" / "raw"
    assert study.resolve(tmp_path / "elsewhere") == tmp_path / "elsewhere"
