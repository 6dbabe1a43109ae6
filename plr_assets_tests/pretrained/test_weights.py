"""Where weights come from is what the study said, is told with them, and is never made up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from plr_assets.errors import ConfigError, ContractError
from plr_assets.networks.seeding import reproducible
from plr_assets.pretrained import moment, units, units_weights
from plr_assets.pretrained.pretraining import simulated_recordings
from plr_assets.pretrained.weights import ORIGIN_FILE, Origin, obtain_moment, obtain_units
from plr_assets.recordings.simulator.cohort import simulate_cohort
from plr_assets.recordings.simulator.recordings import on_the_grid
from plr_assets.seeds import integer_seed
from plr_assets.study import load_study
from plr_assets.study.pretrained import MomentWeights, Pretraining, UnitsWeights
from plr_assets.study.recordings import Simulation

QUICK = Pretraining(recordings=10, epochs=1, learning_rate=3e-3)
TINY_MOMENT = MomentWeights(source="pretrain", d_model=16, layers=1, heads=2, d_ff=16, pretraining=QUICK)
TINY_UNITS = UnitsWeights(source="pretrain", d_model=16, layers=1, heads=2, prompts=2, pretraining=QUICK)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.usefixtures("no_hub")
def test_without_a_network_the_hubs_weights_are_asked_for_and_nothing_is_made_up(
    tmp_path: Path,
) -> None:
    target = tmp_path / "weights"
    source = MomentWeights(source="hub", size="base", revision="a1b2c3", cache=tmp_path / "cache")
    with pytest.raises(ConfigError) as caught:
        obtain_moment(source, target, seed=1)
    assert caught.value.where == "pretrained.moment"
    assert "AutonLab/MOMENT-1-base" in caught.value.problem
    assert "a1b2c3" in caught.value.problem
    for word in ("config.json", "model.safetensors", "source: local", "source: pretrain"):
        assert word in caught.value.remedy
    assert not target.exists() or not list(target.iterdir())


@pytest.mark.slow
def test_the_environment_variable_of_the_hub_is_obeyed(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from plr_assets.pretrained.weights import obtain_moment\n"
        "from plr_assets.study.pretrained import MomentWeights; from plr_assets.errors import ConfigError\n"
        f"at = Path({str(tmp_path)!r})\n"
        "try: obtain_moment(MomentWeights(cache=at / 'cache'), at / 'weights', 0)\n"
        "except ConfigError as error: print(error.where)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "pretrained.moment"


def test_what_the_hubs_cache_holds_is_used_without_a_network_and_its_commit_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache as the hub's own client lays it out: refs name a commit, snapshots hold its files."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    commit = "0123456789abcdef0123456789abcdef01234567"
    kept = tmp_path / "cache" / "models--AutonLab--MOMENT-1-small"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text(commit)
    tiny_moment(kept / "snapshots" / commit)
    origin = obtain_moment(MomentWeights(cache=tmp_path / "cache"), tmp_path / "weights", seed=1)
    assert origin == Origin.load(tmp_path / "weights") == Origin("MOMENT-1-small of the hub", commit)
    assert_same_weights(tmp_path / "weights", kept / "snapshots" / commit)


def tiny_moment(folder: Path) -> Path:
    config = moment.moment_config(d_model=16, layers=1, heads=2, d_ff=16)
    with reproducible(5):
        moment.save_moment(moment.build_moment(config), config, folder)
    return folder


def assert_same_weights(one: Path, other: Path) -> None:
    assert (one / moment.WEIGHTS_FILE).read_bytes() == (other / moment.WEIGHTS_FILE).read_bytes()


def test_a_local_moment_is_taken_as_it_is_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    local = tiny_moment(tmp_path / "mine")
    source = MomentWeights(source="local", path=local)
    origin = obtain_moment(source, tmp_path / "weights", seed=1)
    assert origin == Origin("weights of a local folder")
    assert_same_weights(tmp_path / "weights", local)
    (local / moment.WEIGHTS_FILE).unlink()
    with pytest.raises(ContractError, match="no weights"):
        obtain_moment(source, tmp_path / "again", seed=1)
    with pytest.raises(ContractError, match=r"no config\.json"):
        obtain_moment(MomentWeights(source="local", path=tmp_path / "nowhere"), tmp_path / "again", seed=1)
    assert not (tmp_path / "again" / ORIGIN_FILE).exists()


def test_a_local_units_is_taken_as_it_is_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    model = units.new_units(units.UnitsConfig(d_model=16, e_layers=1, prompt_num=2), seed=4)
    local = tmp_path / "mine"
    units_weights.save_units(model, local, "somewhere")
    source = UnitsWeights(source="local", path=local)
    assert obtain_units(source, tmp_path / "weights", seed=1) == Origin("weights of a local folder")
    assert_same_weights(tmp_path / "weights", local)
    assert Origin.load(tmp_path / "weights").pretrained_on == "weights of a local folder"
    (local / units_weights.WEIGHTS_FILE).unlink()
    with pytest.raises(ConfigError, match="no such file"):
        obtain_units(source, tmp_path / "again", seed=1)


def test_an_official_units_checkpoint_is_converted(tmp_path: Path) -> None:
    model = units.new_units(units.UnitsConfig(d_model=16, e_layers=1, prompt_num=2), seed=4)
    shared = {
        name: value
        for name, value in model.state_dict().items()
        if name.partition(".")[0] not in units_weights.PER_DATA_SET
    }
    path = tmp_path / "units_x16_pretrain_checkpoint.pth"
    torch.save({"student": {f"module.{name}": value for name, value in shared.items()}}, path)
    origin = obtain_units(UnitsWeights(source="local", path=path), tmp_path / "weights", seed=1)
    assert origin == Origin("the official UniTS checkpoint")
    loaded = units_weights.load_units(tmp_path / "weights").state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in shared.items())
    torch.save({"student": {}}, path)
    with pytest.raises(ConfigError, match="no matrix"):
        obtain_units(UnitsWeights(source="local", path=path), tmp_path / "again", seed=1)


@pytest.mark.parametrize("model", ["moment", "units"])
def test_pretraining_says_so_repeats_to_the_byte_and_leaves_no_start_as_it_was(tmp_path: Path, model: str) -> None:
    def obtain(folder: Path, seed: int) -> Origin:
        if model == "moment":
            return obtain_moment(TINY_MOMENT, folder, seed)
        return obtain_units(TINY_UNITS, folder, seed)

    origin = obtain(tmp_path / "a", seed=3)
    torch.rand(7)  # whatever was drawn before does not matter
    assert obtain(tmp_path / "b", seed=3) == origin
    assert origin.pretrained_on == "10 simulated recordings"
    assert origin.version is None
    written = bytes_of(tmp_path / "a")
    assert written == bytes_of(tmp_path / "b")
    assert sorted(written) == ["config.json", "model.safetensors", "origin.json"]
    assert json.loads(written["origin.json"])["pretrained_on"] == "10 simulated recordings"
    assert obtain(tmp_path / "c", seed=4) == origin
    assert bytes_of(tmp_path / "c")["model.safetensors"] != written["model.safetensors"]
    if model == "moment":
        network = moment.load_moment(tmp_path / "a")
        with reproducible(integer_seed(3, "pretraining", "network")):
            start = moment.build_moment(moment.read_config(tmp_path / "a"))
    else:
        network = units_weights.load_units(tmp_path / "a")
        assert json.loads(written["config.json"])["source"] == "10 simulated recordings"
        with reproducible(integer_seed(3, "pretraining", "network")):
            start = units.UniTS(units_weights.read_config(tmp_path / "a"))
    pairs = zip(network.state_dict().values(), start.state_dict().values(), strict=True)
    assert any(not torch.equal(trained, drawn) for trained, drawn in pairs)


def test_pretraining_that_learns_nothing_is_an_error_and_no_weights(tmp_path: Path) -> None:
    frozen = TINY_UNITS.model_copy(update={"pretraining": QUICK.model_copy(update={"learning_rate": 1e-30})})
    with pytest.raises(ConfigError, match="no epoch was better than the random weights"):
        obtain_units(frozen, tmp_path, seed=3)
    assert not list(tmp_path.iterdir())


def pupils(simulation: Simulation, seed: int) -> np.ndarray[Any, Any]:
    study = load_study("demo")
    return on_the_grid(simulate_cohort(simulation, seed), study).pupil


def test_pretraining_meets_nobody_of_a_simulated_study_of_the_same_seed() -> None:
    seed, count = 7, 12
    own = simulated_recordings(count, integer_seed(seed, "pretraining", "recordings"))
    assert len(own) == count
    assert own.pupil.shape[1] == 1981
    assert own.dropout.any()
    theirs = pupils(Simulation(control=9, glaucoma=3, unlabelled=4), seed)
    for mine in np.nan_to_num(own.pupil):
        assert not (np.nan_to_num(theirs) == mine).all(axis=1).any()
        assert not (np.abs(np.nan_to_num(theirs) - mine).mean(axis=1) < 0.5).any()
    again = simulated_recordings(count, integer_seed(seed, "pretraining", "recordings"))
    assert np.array_equal(own.pupil, again.pupil, equal_nan=True)
