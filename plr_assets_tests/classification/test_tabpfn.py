"""TabPFN's weights: what may be read, what is refused, and that nothing is made up where there are none."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from plr_assets.classification.tabpfn import TabPFN
from plr_assets.errors import ConfigError, ContractError
from plr_assets.grid import Grid
from plr_assets.pretrained.tabpfn_weights import HUB_FILE, REPOSITORY, WEIGHTS_FILE, obtain_tabpfn
from plr_assets.pretrained.weights import Origin
from plr_assets.registry import load_registry
from plr_assets.study import Study, load_study
from plr_assets.study.pretrained import Foundations, TabpfnWeights
from plr_assets_tests.contract.registered import tiny_weights

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((20, 3)), np.arange(20) % 2


def local(path: Path) -> TabpfnWeights:
    return TabpfnWeights(source="local", path=path)


def checkpoint() -> dict[str, Any]:
    """The tiny network's file, as the package reads it."""
    from tabpfn.checkpoint import Checkpoint

    return Checkpoint(tiny_weights("tabpfn") / WEIGHTS_FILE).load()


def probabilities(folder: Path) -> np.ndarray:
    return TabPFN(n_estimators=1, weights=folder).fit(X, Y).predict_proba(X)


def paper_with(source: TabpfnWeights) -> Study:
    return load_study("paper").model_copy(update={"pretrained": Foundations(tabpfn=source)})


@pytest.mark.parametrize("spelling", ["safetensors", "ckpt", "folder"])
def test_a_local_file_in_either_official_format_gives_the_same_network(tmp_path: Path, spelling: str) -> None:
    given = tiny_weights("tabpfn") / WEIGHTS_FILE
    if spelling == "ckpt":
        given = tmp_path / HUB_FILE
        torch.save(checkpoint(), given)
    origin = obtain_tabpfn(local(given.parent if spelling == "folder" else given), tmp_path / "out")
    assert origin == Origin.load(tmp_path / "out")
    assert np.array_equal(probabilities(tmp_path / "out"), probabilities(tiny_weights("tabpfn")))


@pytest.mark.usefixtures("no_hub")
def test_without_a_network_the_error_says_what_is_missing_and_how_to_get_it(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigError) as caught:
        obtain_tabpfn(TabpfnWeights(revision="a1b2c3", cache=tmp_path / "cache"), tmp_path / "out")
    assert REPOSITORY in caught.value.problem
    assert "a1b2c3" in caught.value.problem
    for word in (HUB_FILE, "source: local", "source: none"):
        assert word in caught.value.remedy
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.ckpt"):
        obtain_tabpfn(local(tmp_path / "absent.ckpt"), tmp_path / "out")


class _Shell:
    """What a malicious pickle does: it names a function to call."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (Path.touch, (Path("ran"),))  # type: ignore[return-value]


@pytest.mark.parametrize("content", ["code", "text", "no config", "other sizes", "other version"])
def test_what_is_no_checkpoint_of_version_2_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "given.ckpt"
    whole = checkpoint()
    if content == "code":
        file.write_bytes(pickle.dumps({"state_dict": _Shell(), "config": {}}))
    elif content == "text":
        file.write_text("version https://git-lfs.github.com/spec/v1\n")
    elif content == "no config":
        torch.save({"state_dict": whole["state_dict"]}, file)
    elif content == "other sizes":
        torch.save({**whole, "config": {**whole["config"], "emsize": 48}}, file)
    else:
        torch.save({**whole, "architecture_name": "tabpfn_v3"}, file)
    with pytest.raises(ContractError, match=r"given\.ckpt"):
        obtain_tabpfn(local(file), tmp_path / "out")
    assert not (tmp_path / "out" / "origin.json").exists()


def test_without_weights_nothing_is_fitted() -> None:
    with pytest.raises(ConfigError, match="no weights"):
        TabPFN().fit(X, Y)


def test_weights_that_are_no_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="counts"):
        TabPFN(weights=tiny_weights("tabpfn")).fit(X, Y, sample_weight=np.full(20, 0.5))


def test_where_weights_lie_is_not_kept_but_what_they_learned_from_is(tmp_path: Path) -> None:
    fitted = TabPFN(n_estimators=1, weights=tiny_weights("tabpfn")).fit(X, Y)
    fitted.save(tmp_path)
    text = (tmp_path / "estimator.json").read_text()
    assert str(tiny_weights("tabpfn")) not in text
    assert "nothing: random weights" in text


def test_a_study_that_goes_without_leaves_its_pipelines_out_and_says_why() -> None:
    without, with_it = (Grid(paper_with(TabpfnWeights(source=s)), load_registry()) for s in ("none", "hub"))
    assert "pretrained.tabpfn.source is none" in without.left_out["classification.TabPFN"]
    assert not [key for key in without.pipelines if key.classification == "TabPFN"]
    assert "tabpfn" not in without.foundations
    assert "classification.TabPFN" not in with_it.left_out
    assert len([key for key in with_it.pipelines if key.classification == "TabPFN"]) > 88
    assert "tabpfn" in with_it.foundations
