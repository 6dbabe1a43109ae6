"""The scorer: scikit-learn's numbers, events of a slow loop, intervals of a plain bootstrap, no point adjustment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score

from plr_assets.outlier_detection.agreement import count_agreement, per_recording, typical_recordings
from plr_assets.outlier_detection.events import KINDS, find_events, kinds
from plr_assets.outlier_detection.ranking import weighted_ranking
from plr_assets.outlier_detection.scoring import score_detection
from plr_assets.recordings.phases import light_phases
from plr_assets.recordings.table import Mask, Recordings, Signal, Stimulus
from plr_assets.schemas import OUTLIER_AGREEMENT, validate
from plr_assets.subject_bootstrap import subject_weights
from plr_assets_tests.builders import make_recordings

RECORDINGS = make_recordings(6)
OBSERVED = ~RECORDINGS.dropout


def scored(recordings: Recordings = RECORDINGS, *, seed: int = 3, step: float = 0.0) -> tuple[Signal, Mask]:
    """A score that knows something, and its mask. `step` > 0 rounds it, so that many samples tie."""
    assert recordings.artefact is not None
    score = np.random.default_rng(seed).normal(size=recordings.pupil.shape) + 1.5 * recordings.artefact
    if step:
        score = np.round(score / step) * step
    return np.where(recordings.dropout, np.nan, score).astype(np.float32), score > 1.4


def value(table: pl.DataFrame, metric: str, stratum: str = "all", column: str = "value") -> float:
    return table.filter(stratum=stratum, metric=metric)[column].item()


def as_recordings(codes: NDArray[np.int64]) -> tuple[Mask, Recordings]:
    """(n, T) of 0 nothing, 1 artefact, 2 flagged, 3 both, 4 dropout -> mask and recordings."""
    n = len(codes)
    return (codes == 2) | (codes == 3), replace(
        make_recordings(n, n_samples=codes.shape[1]),
        pupil=np.where(codes == 4, np.nan, 1).astype(np.float32),
        artefact=(codes == 1) | (codes == 3),
        truth=None,
    )


CODES = npst.arrays(np.int64, st.tuples(st.integers(1, 3), st.integers(1, 24)), elements=st.integers(0, 4))


# -- samples --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stratum", ["all", "phase:before", "phase:blue", "phase:after_red"])
def test_precision_recall_and_f1_are_scikit_learns(stratum: str) -> None:
    assert RECORDINGS.artefact is not None
    _, mask = scored()
    names, phase = light_phases(RECORDINGS)
    which = OBSERVED if stratum == "all" else OBSERVED & (phase == names.index(stratum.removeprefix("phase:")))
    expected = precision_recall_fscore_support(RECORDINGS.artefact[which], mask[which], average="binary")
    table = score_detection(mask, RECORDINGS, seed=0, n_resamples=10)
    for metric, number in zip(("precision", "recall", "f1"), expected[:3], strict=True):
        assert value(table, metric, stratum) == pytest.approx(number, abs=1e-12)
    assert value(table, "recall", stratum, "n") == RECORDINGS.artefact[which].sum()


@pytest.mark.parametrize("step", [0.0, 0.3, 3.0])
def test_average_precision_and_auroc_are_scikit_learns_with_and_without_ties(step: float) -> None:
    assert RECORDINGS.artefact is not None
    score, mask = scored(step=step)
    table = score_detection(mask, RECORDINGS, score=score, seed=0, n_resamples=10)
    truth, found = RECORDINGS.artefact[OBSERVED], score[OBSERVED]
    assert value(table, "aupr") == pytest.approx(average_precision_score(truth, found), abs=1e-12)
    assert value(table, "auroc") == pytest.approx(roc_auc_score(truth, found), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), levels=st.integers(1, 40), n=st.integers(1, 4))
def test_weighted_rankings_are_those_of_repeated_subjects(seed: int, levels: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    score = rng.integers(0, levels, (n, 30)).astype(np.float32)
    artefact, observed = rng.random((n, 30)) < 0.3, rng.random((n, 30)) < 0.9
    subject, weights = rng.integers(0, 3, n), rng.integers(0, 4, (5, 3)).astype(np.float64)
    artefact &= observed
    aupr, auroc = weighted_ranking(score, artefact, observed, subject, weights)
    for row, drawn in enumerate(weights):
        times = np.broadcast_to(drawn[subject][:, None], score.shape)[observed].astype(int)
        truth, found = np.repeat(artefact[observed], times), np.repeat(score[observed], times)
        if truth.size == 0 or truth.all() or not truth.any():
            assert np.isnan([aupr[row], auroc[row]]).all()
        else:
            assert aupr[row] == pytest.approx(average_precision_score(truth, found), abs=1e-12)
            assert auroc[row] == pytest.approx(roc_auc_score(truth, found), abs=1e-12)


def test_rankings_do_not_depend_on_how_many_thresholds_are_worked_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    score, mask = scored(step=0.01)
    whole = score_detection(mask, RECORDINGS, score=score, seed=0, n_resamples=20)
    monkeypatch.setattr("plr_assets.outlier_detection.ranking._CHUNK", 7)
    parts = score_detection(mask, RECORDINGS, score=score, seed=0, n_resamples=20)
    for column in ("value", "lower", "upper"):
        assert np.allclose(whole[column].to_numpy(), parts[column].to_numpy(), rtol=0, atol=1e-12, equal_nan=True)


def test_dropouts_are_never_hits_nor_false_alarms_whatever_the_mask_says_of_them() -> None:
    score, mask = scored()
    for told in (mask | RECORDINGS.dropout, mask & ~RECORDINGS.dropout):
        other = score_detection(told, RECORDINGS, score=score, seed=0, n_resamples=10)
        assert other.equals(score_detection(mask, RECORDINGS, score=score, seed=0, n_resamples=10))
    table = score_detection(np.ones_like(mask), RECORDINGS, seed=0, n_resamples=10)
    assert value(table, "flagged_share") == 1
    assert value(table, "dropout_share") == pytest.approx(RECORDINGS.dropout.mean(), abs=1e-15)


# -- events ---------------------------------------------------------------------------------------------------------


def slow_events(core: Mask, dropout: Mask) -> list[tuple[int, int, int]]:
    """(recording, first, last) of every run of core or dropout that holds a core sample, walking sample by sample."""
    found = []
    for row in range(len(core)):
        start, held = None, False
        for t in range(core.shape[1] + 1):
            inside = t < core.shape[1] and (core[row, t] or dropout[row, t])
            if inside:
                start = t if start is None else start
                held = held or bool(core[row, t])
            elif start is not None:
                if held:
                    found.append((row, start, t - 1))
                start, held = None, False
    return found


@settings(max_examples=200, deadline=None)
@given(codes=CODES)
def test_events_are_those_of_a_slow_loop(codes: NDArray[np.int64]) -> None:
    mask, recordings = as_recordings(codes)
    artefact, dropout = recordings.artefact, recordings.dropout
    assert artefact is not None
    flagged = mask & ~dropout
    true, predicted = slow_events(artefact, dropout), slow_events(flagged, dropout)
    found = sum(bool(flagged[r, a : b + 1][artefact[r, a : b + 1]].any()) for r, a, b in true)
    right = sum(bool(artefact[r, a : b + 1][flagged[r, a : b + 1]].any()) for r, a, b in predicted)
    counts = count_agreement(mask, recordings)["all"]
    assert counts["true_events"].sum() == len(true)
    assert counts["found_events"].sum() == found
    assert counts["predicted_events"].sum() == len(predicted)
    assert counts["right_events"].sum() == right

    table = score_detection(mask, recordings, seed=0, n_resamples=5)
    precision = right / len(predicted) if predicted else None
    recall = found / len(true) if true else None
    assert value(table, "event_precision") == precision
    assert value(table, "event_recall") == recall
    if precision is None and recall is None:
        assert value(table, "event_f1") is None
    elif not precision or not recall:
        assert value(table, "event_f1") == 0
    else:
        assert value(table, "event_f1") == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-12)
    if observed := int((~dropout).sum()):
        minutes = observed / recordings.rate_hz / 60
        alarms = value(table, "false_alarms_per_minute")
        assert alarms == pytest.approx((len(predicted) - right) / minutes, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(codes=CODES)
def test_every_artefact_is_of_one_kind_and_in_one_phase(codes: NDArray[np.int64]) -> None:
    mask, recordings = as_recordings(codes)
    counts = count_agreement(mask, recordings)
    for group in ("kind:", "phase:"):
        for what in ("artefact", "hit"):
            parts = sum(counted[what] for name, counted in counts.items() if name.startswith(group))
            assert np.array_equal(parts, counts["all"][what])


def test_one_hit_finds_an_event_and_is_one_hit_among_samples() -> None:
    """Point adjustment would make the recall of samples 1."""
    codes = np.array([[0, 1, 1, 3, 1, 1, 0, 0, 0, 0]])
    table = score_detection(*as_recordings(codes), seed=0, n_resamples=5)
    assert value(table, "event_recall") == 1
    assert value(table, "recall") == pytest.approx(1 / 5)


@pytest.mark.parametrize("rate_hz", [15.0, 30.0, 120.0])
def test_the_kind_of_an_artefact_is_its_duration_not_its_samples(rate_hz: float) -> None:
    scale = rate_hz / 30
    core = np.zeros((1, 400), dtype=np.bool_)
    for start, samples in ((10, 2), (100, 6), (200, 7 if scale < 1 else 6 * scale + 1)):
        core[0, start : start + round(samples * scale) if samples < 7 else start + round(samples)] = True
    nothing = np.zeros_like(core)
    events = find_events(core, nothing, nothing)
    assert [KINDS[kind] for kind in kinds(events, rate_hz)] == ["spike", "short", "long"]


def test_artefacts_on_both_sides_of_a_dropout_are_one_event_at_its_edge() -> None:
    codes = np.array([[0, 1, 4, 4, 1, 0, 0, 3, 0, 4, 0]])
    counts = count_agreement(*as_recordings(codes))
    assert counts["kind:dropout_edge"]["true_events"].sum() == 1
    assert counts["kind:dropout_edge"]["artefact"].sum() == 2
    assert counts["kind:spike"]["true_events"].sum() == counts["kind:spike"]["found_events"].sum() == 1


def test_light_phases_follow_each_recordings_own_lights() -> None:
    lights = ((Stimulus("blue", 1.0, 2.0), Stimulus("blue", 4.0, 5.0)), (Stimulus("red", 0.0, 1.0),), ())
    recordings = replace(make_recordings(3, n_samples=181), stimuli=lights)
    names, phase = light_phases(recordings)
    at = {name: index for index, name in enumerate(names)}
    seconds = [0, 30, 60, 61, 119, 120, 149, 150, 151]
    told = ["before", "blue", "blue", "after_blue", "after_blue", "blue_2", "blue_2", "blue_2", "after_blue_2"]
    assert [names[index] for index in phase[0, seconds]] == told
    assert set(phase[1]) == {at["red"], at["after_red"]}
    assert set(phase[2]) == {-1}


# -- intervals ------------------------------------------------------------------------------------------------------


def test_intervals_are_percentiles_over_resampled_subjects_who_keep_their_recordings_together() -> None:
    subjects = ("A", "A", "B", "C", "C", "D")
    recordings = replace(RECORDINGS, subject=subjects)
    score, mask = scored()
    table = score_detection(mask, recordings, score=score, seed=5, n_resamples=30)
    weights = subject_weights(4, 30, 5)
    again = []
    for drawn in weights[1:].astype(int):
        rows = [row for row, name in enumerate(subjects) for _ in range(drawn["ABCD".index(name)])]
        truth, found = recordings.artefact[rows][OBSERVED[rows]], mask[rows][OBSERVED[rows]]  # type: ignore[index]
        ranks = score[rows][OBSERVED[rows]]
        f1 = precision_recall_fscore_support(truth, found, average="binary")[2]
        again.append((f1, average_precision_score(truth, ranks), roc_auc_score(truth, ranks)))
    for metric, column in zip(("f1", "aupr", "auroc"), np.array(again).T, strict=True):
        lower, upper = np.quantile(column, [0.025, 0.975])
        assert value(table, metric, column="lower") == pytest.approx(lower, abs=1e-12)
        assert value(table, metric, column="upper") == pytest.approx(upper, abs=1e-12)


def test_weights_are_whole_draws_with_replacement_and_row_0_is_the_sample_itself() -> None:
    weights = subject_weights(9, 50, 1)
    assert weights.shape == (51, 9)
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == 9).all()
    assert (weights[1:] > 1).any()
    assert np.array_equal(weights, subject_weights(9, 50, 1))
    assert not np.array_equal(weights, subject_weights(9, 50, 2))


def test_one_subject_has_values_and_no_interval() -> None:
    score, mask = scored()
    table = score_detection(mask, replace(RECORDINGS, subject=("A",) * 6), score=score, seed=0, n_resamples=10)
    assert table.filter(stratum="all")["value"].null_count() == 0
    assert table["lower"].null_count() == table["upper"].null_count() == table.height


def test_flagging_by_lot_scores_what_the_row_f1_random_says() -> None:
    lot = np.random.default_rng(0).random((60, *RECORDINGS.pupil.shape)) < 0.1
    found = [score_detection(mask, RECORDINGS, seed=0, n_resamples=2) for mask in lot]
    f1 = np.array([value(table, "f1") for table in found])
    expected = np.array([value(table, "f1_random") for table in found])
    assert f1.mean() == pytest.approx(expected.mean(), abs=4 * f1.std() / np.sqrt(len(f1)))


# -- what is undefined, what is refused --------------------------------------------------------------------------------


def test_what_is_undefined_is_null_and_without_a_human_only_shares_are_told() -> None:
    nothing = np.zeros_like(RECORDINGS.dropout)
    clean = score_detection(nothing, replace(RECORDINGS, artefact=nothing), seed=0, n_resamples=10)
    for metric in ("precision", "recall", "f1", "event_precision", "event_recall", "event_f1"):
        assert value(clean, metric) is None
        assert value(clean, metric, column="lower") is None
    assert value(clean, "false_alarms_per_minute") == 0
    unseen = score_detection(nothing, replace(RECORDINGS, artefact=None), seed=0, n_resamples=10)
    assert unseen["metric"].to_list() == ["flagged_share", "dropout_share"]


def test_a_score_with_a_hole_and_shapes_that_differ_are_refused() -> None:
    score, mask = scored()
    score[0, np.flatnonzero(OBSERVED[0])[0]] = np.nan
    with pytest.raises(ValueError, match="no finite score"):
        score_detection(mask, RECORDINGS, score=score, seed=0, n_resamples=2)
    with pytest.raises(ValueError, match="score has shape"):
        score_detection(mask, RECORDINGS, score=score[:, 1:], seed=0)
    with pytest.raises(ValueError, match="mask has shape"):
        score_detection(mask[1:], RECORDINGS, seed=0)


# -- the table of recordings ------------------------------------------------------------------------------------------


def test_the_table_of_recordings_adds_up_to_the_pooled_scores() -> None:
    score, mask = scored()
    table = validate(per_recording(mask, RECORDINGS, score=score), OUTLIER_AGREEMENT)
    tp, fp, fn = (table[name].sum() for name in ("tp", "fp", "fn"))
    pooled = score_detection(mask, RECORDINGS, seed=0, n_resamples=2)
    assert 2 * tp / (2 * tp + fp + fn) == pytest.approx(value(pooled, "f1"), abs=1e-12)
    assert np.allclose(table["threshold"].to_numpy(), 1.4, atol=0.05)
    validate(per_recording(mask, replace(RECORDINGS, artefact=None)), OUTLIER_AGREEMENT)


def test_a_mask_that_is_no_threshold_on_the_score_has_none() -> None:
    score, mask = scored()
    mask = mask.copy()
    mask[0, np.flatnonzero(OBSERVED[0])[np.argmin(score[0, OBSERVED[0]])]] = True
    mask[1] = False
    thresholds = per_recording(mask, RECORDINGS, score=score)["threshold"]
    assert thresholds.is_null().to_list() == [True, True, False, False, False, False]


def test_the_typical_recordings_are_at_their_places_of_f1_and_have_something_to_find() -> None:
    f1 = [0.9, None, 0.1, 0.5, 0.7, 0.3]
    table = pl.DataFrame(
        {"recording": list("abcdef"), "f1": f1, "n_artefact": [3, 0, 3, 3, 3, 3]},
        schema_overrides={"f1": pl.Float64},
    )
    assert typical_recordings(table) == {"upper quartile": "e", "median": "d", "worst": "c"}
    assert typical_recordings(table[:1]) == {"worst": "a"}
    assert typical_recordings(table[1:2]) == {"worst": "b"}
