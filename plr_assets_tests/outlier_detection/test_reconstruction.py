"""Detectors that rebuild the pupil: who trains, who stops and sets the threshold, and what never matters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from plr_assets.errors import ConfigError, ContractError, DataError
from plr_assets.networks.files import NETWORK_FILE
from plr_assets.outlier_detection.pretrained import MomentDetector, UnitsDetector
from plr_assets.outlier_detection.reconstruction import ReconstructionDetector
from plr_assets.outlier_detection.thresholds import f1_optimal_threshold, quantile_threshold
from plr_assets.outlier_detection.timesnet import TimesNetDetector
from plr_assets.pretrained.moment import WEIGHTS_FILE
from plr_assets.recordings.table import Mask, Recordings
from plr_assets_tests.builders import make_recordings
from plr_assets_tests.contract.registered import tiny_weights

DEVELOPMENT = make_recordings(8, seed=1, n_samples=300, prefix="D")
SCORED = make_recordings(3, seed=2, n_samples=300)


def timesnet(**more: Any) -> TimesNetDetector:
    size = {"window": 60, "n_layers": 1, "top_k": 2, "d_model": 4, "d_ffn": 4, "n_kernels": 1}
    return TimesNetDetector(**{**size, "epochs": 1, "passes": 2, "block": 10, "seed": 5, **more})


def fitted(development: Recordings = DEVELOPMENT, **more: Any) -> TimesNetDetector:
    return timesnet(**more).fit(development)


def weights(network: torch.nn.Module) -> dict[str, bytes]:
    return {name: tensor.cpu().numpy().tobytes() for name, tensor in network.state_dict().items()}


def held_out(detector: ReconstructionDetector, development: Recordings = DEVELOPMENT) -> Mask:
    _, holdout = detector._split(development)
    return np.isin(np.arange(len(development)), holdout)


def state(detector: ReconstructionDetector) -> tuple[Any, ...]:
    return (
        weights(detector.network_),
        *(getattr(detector, name) for name in ("centre_", "spread_", "noise_", "threshold_", "epoch_")),
    )


@pytest.fixture(scope="module")
def plain() -> TimesNetDetector:
    return fitted()


def test_the_split_is_by_subject_and_neither_side_is_empty() -> None:
    for subjects in (2, 3, 8):
        for share in (0.01, 0.2, 0.5, 0.99):
            several = make_recordings(12, n_samples=20)
            several = replace(several, subject=tuple(f"S{row % subjects}" for row in range(12)))
            training, holdout = timesnet(holdout_share=share)._split(several)
            assert sorted([*training, *holdout]) == list(range(12))
            here, there = ({several.subject[row] for row in rows} for rows in (training, holdout))
            assert here
            assert not here & there
            assert len(there) == min(max(round(share * subjects), 1), subjects - 1)


def test_the_split_follows_the_subjects_and_the_seed_and_not_the_order_of_recordings() -> None:
    order = np.random.default_rng(0).permutation(8)
    _, straight = timesnet()._split(DEVELOPMENT)
    _, shuffled = timesnet()._split(DEVELOPMENT.take(order))
    assert {DEVELOPMENT.subject[row] for row in straight} == {DEVELOPMENT.subject[order[row]] for row in shuffled}
    others = {tuple(timesnet(seed=seed)._split(DEVELOPMENT)[1]) for seed in range(6)}
    assert len(others) > 1


def test_a_single_subject_is_refused() -> None:
    with pytest.raises(DataError, match="at least 2 subjects"):
        fitted(DEVELOPMENT.take([0]))


def with_artefact(recordings: Recordings, rows: Mask, masks: Mask) -> Recordings:
    assert recordings.artefact is not None
    return replace(recordings, artefact=np.where(rows[:, None], masks & ~recordings.dropout, recordings.artefact))


@pytest.mark.parametrize("rule", ["f1-optimal", "quantile"])
def test_human_masks_of_the_training_subjects_change_nothing(rule: str) -> None:
    """The network learns from signal and truth; masks set the threshold, and only the hold-out's do."""
    expected = fitted(threshold=rule)
    rows = ~held_out(expected)
    flipped = ~DEVELOPMENT.artefact  # type: ignore[operator]
    assert state(fitted(with_artefact(DEVELOPMENT, rows, flipped), threshold=rule)) == state(expected)
    changed = fitted(with_artefact(DEVELOPMENT, ~rows, flipped), threshold=rule)
    assert weights(changed.network_) == weights(expected.network_)
    assert changed.threshold_ != expected.threshold_


def test_truth_of_the_training_subjects_reaches_the_network_and_the_holdouts_only_stops_it() -> None:
    assert DEVELOPMENT.truth is not None
    one = fitted(patience=5, epochs=2)
    rows = held_out(one)[:, None]
    opposite = replace(DEVELOPMENT, truth=np.where(rows, -DEVELOPMENT.truth, DEVELOPMENT.truth))
    stopped = fitted(opposite, patience=5, epochs=2)
    assert (stopped.centre_, stopped.spread_) == (one.centre_, one.spread_)
    assert stopped.epoch_ == one.epoch_ == 2
    assert weights(stopped.network_) == weights(one.network_)
    learned = replace(DEVELOPMENT, truth=np.where(rows, DEVELOPMENT.truth, -DEVELOPMENT.truth))
    assert weights(fitted(learned, patience=5, epochs=2).network_) != weights(one.network_)


@pytest.mark.parametrize("rule", ["f1-optimal", "quantile"])
def test_the_threshold_is_what_its_rule_says_on_the_holdout(rule: str) -> None:
    detector = fitted(threshold=rule)
    holdout = DEVELOPMENT.take(np.flatnonzero(held_out(detector)))
    assert holdout.artefact is not None
    scores = detector._scores(holdout.blinded())
    observed = ~holdout.dropout
    if rule == "f1-optimal":
        expected = f1_optimal_threshold(scores, holdout.artefact, observed)
    else:
        expected = quantile_threshold(scores, observed, float(holdout.artefact[observed].mean()))
        flagged = detector.predict(holdout) & observed
        assert flagged.sum() == pytest.approx((holdout.artefact & observed).sum(), abs=2)
    assert detector.threshold_ == expected
    assert detector.threshold_source_ == "development"


def test_without_a_masked_sample_in_the_holdout_the_declared_share_is_flagged() -> None:
    nothing = np.zeros(DEVELOPMENT.pupil.shape, dtype=np.bool_)
    for unmasked in (replace(DEVELOPMENT, artefact=nothing), replace(DEVELOPMENT, artefact=None)):
        detector = fitted(unmasked, artefact_share_without_masks=0.1)
        assert detector.threshold_source_ == "declared"
        holdout = DEVELOPMENT.take(np.flatnonzero(held_out(detector)))
        flagged = detector.predict(holdout)[~holdout.dropout]
        assert flagged.mean() == pytest.approx(0.1, abs=1 / flagged.size)


def test_evaluated_recordings_do_not_change_each_others_scores(plain: TimesNetDetector) -> None:
    before = state(plain)
    scores = plain.decision_function(SCORED)
    wild = replace(SCORED, pupil=np.where(np.arange(3)[:, None] == 1, -5 * SCORED.pupil, SCORED.pupil))
    assert np.array_equal(plain.decision_function(wild)[[0, 2]], scores[[0, 2]], equal_nan=True)
    assert not np.array_equal(plain.decision_function(wild)[1], scores[1], equal_nan=True)
    assert state(plain) == before


@pytest.mark.parametrize("passes", [2, 4])
def test_a_sample_has_no_part_in_what_is_rebuilt_there(passes: int) -> None:
    """With the sample's block hidden, changing it changes what is rebuilt elsewhere and not there."""
    detector = fitted(passes=passes)
    detector.passes = passes
    one = SCORED.take([0])
    sample = int(np.flatnonzero(~one.dropout[0])[120])
    moved = one.pupil.copy()
    moved[0, sample] += 25
    plain, changed = detector.reconstruct(one), detector.reconstruct(replace(one, pupil=moved))
    assert plain[0, sample] == changed[0, sample]
    assert not np.array_equal(plain, changed)


def test_with_no_pass_everything_is_seen_and_can_be_copied() -> None:
    detector = fitted(passes=0)
    one = SCORED.take([0])
    sample = int(np.flatnonzero(~one.dropout[0])[120])
    moved = one.pupil.copy()
    moved[0, sample] += 25
    assert detector.reconstruct(one)[0, sample] != detector.reconstruct(replace(one, pupil=moved))[0, sample]


@pytest.mark.parametrize("learn_from", ["recording", "ground_truth"])
def test_what_it_learns_from_is_what_the_parameter_says(learn_from: str) -> None:
    """Changing the signal (not its mean or spread, not where it is lost) of the training recordings."""
    rows = ~held_out(timesnet())
    reversed_ = DEVELOPMENT.pupil.copy()
    for row in np.flatnonzero(rows):
        seen = ~DEVELOPMENT.dropout[row]
        reversed_[row, seen] = DEVELOPMENT.pupil[row, seen][::-1]
    one = fitted(learn_from=learn_from)
    other = fitted(replace(DEVELOPMENT, pupil=reversed_), learn_from=learn_from)
    same = all(
        np.allclose(a.detach().cpu(), b.detach().cpu(), atol=1e-5)
        for a, b in zip(one.network_.state_dict().values(), other.network_.state_dict().values(), strict=True)
    )
    assert same == (learn_from == "ground_truth")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("epochs", 0),
        ("epochs", -1),
        ("patience", 0),
        ("batch_size", 0),
        ("window", 0),
        ("block", 0),
        ("passes", 1),
        ("passes", -2),
        ("holdout_share", 0.0),
        ("holdout_share", 1.0),
        ("hidden_share", 0.0),
        ("hidden_share", 1.0),
        ("learning_rate", 0.0),
        ("threshold", "f1"),
        ("learn_from", "truth"),
        ("artefact_share_without_masks", 1.0),
    ],
)
def test_a_parameter_that_cannot_be_is_named_before_anything_is_trained(
    parameter: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TimesNetDetector, "_build", lambda _: pytest.fail("it was built"))
    with pytest.raises(ConfigError) as caught:
        timesnet(**{parameter: value}).fit(DEVELOPMENT)
    assert caught.value.where == f"TimesNetDetector: {parameter}"
    assert repr(value) in caught.value.problem


def pretrained(model: str, **more: Any) -> MomentDetector | UnitsDetector:
    kind = MomentDetector if model == "moment" else UnitsDetector
    return kind(**{"epochs": 1, "passes": 2, "block": 16, "seed": 5, **more}).fit(
        DEVELOPMENT,
        weights=tiny_weights(model),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("model", ["moment", "units"])
def test_zero_shot_trains_nothing_and_says_what_the_weights_learned_from(model: str) -> None:
    detector = pretrained(model, epochs=0)
    start = detector._build()
    assert weights(detector.network_) == weights(start)
    assert detector.epoch_ == 0
    assert detector.pretrained_on_ == "nothing: random weights"
    tuned = pretrained(model, learning_rate=1e-2)
    assert weights(tuned.network_) != weights(start) or tuned.epoch_ == 0
    assert tuned.epoch_ == 1


def test_zero_shot_needs_no_truth() -> None:
    blind = replace(DEVELOPMENT, truth=None)
    detector = MomentDetector(epochs=0, passes=2, block=16, seed=5).fit(blind, weights=tiny_weights("moment"))
    assert detector.threshold_ == pretrained("moment", epochs=0).threshold_
    with pytest.raises(DataError, match="learns from ground truth"):
        MomentDetector(epochs=1).fit(blind, weights=tiny_weights("moment"))


def test_fine_tuning_moves_the_head_alone_or_every_weight() -> None:
    moved = {}
    for trained in ("head", "all"):
        detector = pretrained("moment", trained=trained, learning_rate=1e-2)
        start = weights(detector._build())
        moved[trained] = {name for name, value in weights(detector.network_).items() if value != start[name]}
    assert moved["head"] == {"model.head.linear.weight", "model.head.linear.bias"}
    assert moved["all"] > moved["head"]
    assert any(".encoder." in name for name in moved["all"])


@pytest.mark.parametrize(("parameter", "value"), [("trained", "heads"), ("window", 100)])
def test_moment_names_a_parameter_that_cannot_be(parameter: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        pretrained("moment", **{parameter: value})
    assert caught.value.where == f"MomentDetector: {parameter}"


def test_a_fitted_detector_stands_alone_once_it_is_saved(tmp_path: Path) -> None:
    """The folder of weights that it started from is not needed any more."""
    import shutil

    start = Path(shutil.copytree(tiny_weights("moment"), tmp_path / "start"))
    detector = MomentDetector(epochs=1, passes=2, trained="all", seed=5).fit(DEVELOPMENT, weights=start)
    detector.save(tmp_path / "saved")
    shutil.rmtree(start)
    loaded = MomentDetector.load(tmp_path / "saved")
    assert weights(loaded.network_) == weights(detector.network_)
    loaded.save(tmp_path / "again")
    files = sorted(path.name for path in (tmp_path / "saved").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "again").iterdir())
    assert WEIGHTS_FILE not in files
    for name in files:
        assert (tmp_path / "saved" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_another_detectors_network_is_refused(tmp_path: Path, plain: TimesNetDetector) -> None:
    plain.save(tmp_path / "a")
    fitted(d_model=8).save(tmp_path / "b")
    (tmp_path / "b" / NETWORK_FILE).replace(tmp_path / "a" / NETWORK_FILE)
    mixed = TimesNetDetector.load(tmp_path / "a")
    with pytest.raises(ContractError, match="not the weights of this network"):
        mixed.decision_function(DEVELOPMENT)
