"""The simulator against the numbers measured on real device files and published cohorts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from plr_assets.errors import ConfigError, DataError
from plr_assets.recordings.device_csv import parse_device_csv
from plr_assets.recordings.gaps import runs
from plr_assets.recordings.simulator.cohort import SimulatedRecording, simulate_cohort
from plr_assets.recordings.simulator.files import write_study_files
from plr_assets.recordings.simulator.response import follow
from plr_assets.study import Study
from plr_assets.study.recordings import Simulation

# values a row, in the dark and in a stimulus slot
EARLY_LENGTHS, JUNE_LENGTHS = {75, 76}, {76, 77}
Cohort = tuple[SimulatedRecording, ...]


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulate_cohort(Simulation(control=80, glaucoma=60, unlabelled=10), seed=11)


def percent(recording: SimulatedRecording) -> np.ndarray:
    """Clean trace in % of the 5 s before blue."""
    onset = recording.time_s[np.argmax(recording.blue > 0)]
    before = (recording.time_s >= onset - 5) & (recording.time_s <= onset)
    base = np.median(recording.clean[before])
    return np.asarray((recording.clean - base) / base * 100)


def lit(recording: SimulatedRecording, colour: str) -> tuple[float, float]:
    code = recording.blue if colour == "blue" else recording.red
    times = recording.time_s[code > 0]
    return float(times[0]), float(times[-1])


def test_timing_is_the_device_s(cohort: Cohort) -> None:
    for recording in cohort:
        time_s = recording.time_s
        assert (np.diff(time_s) > 0).all()
        assert 0.03 <= time_s[0] <= 0.14
        assert 66.7 <= time_s[-1] <= 67.25
        assert 29.5 <= (len(time_s) - 1) / (time_s[-1] - time_s[0]) <= 30.02
        (blue_on, blue_off), (red_on, red_off) = lit(recording, "blue"), lit(recording, "red")
        assert 16.0 <= blue_on <= 16.3
        assert 24.8 <= blue_off <= 25.3
        assert 30.7 <= red_on - blue_on <= 31.3
        assert 8.8 <= red_off - red_on <= 9.2
        assert 220 <= recording.blue.max() <= 231
        assert [recording.slot[first] for first, _ in runs(recording.blue > 0)] == [True]
        assert recording.slot.sum() in range(640, 670)
    assert np.median([len(recording.time_s) for recording in cohort]) in range(1989, 2014)


def test_ramp_passes_through_the_measured_codes(cohort: Cohort) -> None:
    # observed codes 4, 6, 8 and 10 s into the slot
    ranges = {4.0: (7, 10), 6.0: (31, 35), 8.0: (80, 87), 10.0: (165, 179)}
    for recording in cohort[:20]:
        first = recording.time_s[np.argmax(recording.slot)]
        for since, (low, high) in ranges.items():
            assert low <= np.interp(first + since, recording.time_s, recording.blue) <= high


def test_responses_have_the_measured_size(cohort: Cohort) -> None:
    controls = [r for r in cohort if r.subject.label == "control"]
    lags, peaks, residual, before_red = [], [], [], []
    for recording in controls:
        change, time_s = percent(recording), recording.time_s
        on, off = lit(recording, "blue")
        lags.append(time_s[(time_s > on) & (change < -5)][0] - on)
        peaks.append(-change[(time_s >= on) & (time_s <= off + 1)].min())
        residual.append(-np.median(change[np.abs(time_s - off - 6) < 0.2]))
        red = lit(recording, "red")[0]
        before_red.append(100 + np.median(change[(time_s > red - 5) & (time_s < red)]))
    assert 0.56 <= np.median(lags) <= 0.87
    assert 36 <= np.median(peaks) <= 64
    assert 1 <= np.median(residual) <= 22
    assert np.mean(np.array(before_red) < 76) < 0.05
    assert np.mean(np.array(before_red) > 107) < 0.05
    assert 90 <= np.median(before_red) <= 99  # blue has not ended when red starts


def test_dropouts_and_artefacts_have_the_published_share(cohort: Cohort) -> None:
    lost = np.array([np.mean(recording.pupil <= 0) for recording in cohort])
    rejected = np.array([np.mean(recording.rejected) for recording in cohort])
    assert 0.013 <= lost.mean() <= 0.030  # 2.08 %
    assert 0.055 <= rejected.mean() <= 0.095  # 7.66 %
    assert 0.20 <= rejected.max() <= 0.40  # 749 / 1981
    assert not any((recording.rejected & (recording.pupil <= 0)).any() for recording in cohort)


def test_every_file_ends_in_the_bogus_transient(cohort: Cohort) -> None:
    assert all(len(set(recording.pupil[-3:])) == 1 for recording in cohort)
    assert 0.5 <= np.mean([recording.pupil[-1] == 48.0 for recording in cohort]) <= 0.95


def test_baseline_is_measured_and_independent_of_disease_given_age(cohort: Cohort) -> None:
    sizes = np.array([recording.subject.size_px for recording in cohort])
    assert 38 <= np.median(sizes) <= 52
    ages = np.array([recording.subject.age for recording in cohort])
    severity = np.array([recording.subject.severity for recording in cohort])
    design = np.column_stack([np.ones(len(ages)), ages])
    residual = [x - design @ np.linalg.lstsq(design, x, rcond=None)[0] for x in (sizes, severity)]
    assert abs(np.corrcoef(*residual)[0, 1]) < 0.2


def test_published_features_classify_as_published_and_nuisances_do_not(cohort: Cohort) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labelled = [recording for recording in cohort if recording.subject.label is not None]
    glaucoma = np.array([recording.subject.label == "glaucoma" for recording in labelled])

    def auroc(rows: list[list[float]]) -> float:
        model = make_pipeline(StandardScaler(), LogisticRegression())
        scores = cross_val_predict(model, np.array(rows), glaucoma, cv=10, method="predict_proba")
        return float(roc_auc_score(glaucoma, scores[:, 1]))

    # one draw of 140 subjects: its own standard error is about 0.02
    assert 0.85 <= auroc([_simple_features(recording) for recording in labelled]) <= 0.97
    assert auroc([_nuisances(recording) for recording in labelled]) <= 0.66


def _simple_features(recording: SimulatedRecording) -> list[float]:
    change, time_s, values = percent(recording), recording.time_s, []
    for colour in ("blue", "red"):
        on, off = lit(recording, colour)
        windows = [(on, on + 15), (on, on + 5), (off - 5, off)]
        values += [float(change[(time_s >= start) & (time_s <= end)].min()) for start, end in windows]
        after = (time_s >= off) & (time_s <= off + 12)
        values.append(float(np.trapezoid(change[after], time_s[after])))
    return values


def _nuisances(recording: SimulatedRecording) -> list[float]:
    steps = np.diff(recording.pupil[recording.pupil > 0], 2)
    return [recording.subject.size_px, float(len(runs(recording.pupil <= 0))), float(np.median(np.abs(steps)))]


def test_follower_is_an_exponential() -> None:
    step = np.zeros((1, 400))
    step[0, 100:200] = 1.0
    result = follow(step, 0.01, 0.3, np.array([1.5]))[0]
    rise, fall = np.arange(1, 101) * 0.01, np.arange(1, 201) * 0.01
    np.testing.assert_allclose(result[100:200], 1 - np.exp(-rise / 0.3))
    np.testing.assert_allclose(result[200:], result[199] * np.exp(-fall / 1.5))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_seed_same_bytes_and_nothing_left_beside(make_study: Callable[..., Study], data_dir: Path) -> None:
    study = make_study()
    first = write_study_files(study)
    before = contents(study.data_dir)
    assert write_study_files(study).equals(first)
    assert contents(study.data_dir) == before
    assert len(first) == 17  # 8 recordings, 8 truths, 1 table
    assert first["content"].is_sorted()
    write_study_files(study.model_copy(update={"seed": 8}))
    after = contents(study.data_dir)
    assert after.keys() == before.keys()
    assert after["raw/PLR1001_BR.csv"] != before["raw/PLR1001_BR.csv"]


def test_files_since_june_2018_hold_one_more_value_in_every_row(
    make_study: Callable[..., Study], data_dir: Path
) -> None:
    counts = {"control": 3, "glaucoma": 1, "unlabelled": 0}
    written = {}
    for share in (0.0, 1.0):
        study = make_study(simulation={**counts, "june_2018_share": share})
        write_study_files(study)
        written[share] = contents(study.data_dir)
    for name, early in written[0.0].items():
        late = written[1.0][name]
        if not name.startswith("raw/"):
            assert late == early
            continue
        for lengths, content in ((EARLY_LENGTHS, early), (JUNE_LENGTHS, late)):
            # every row ends in a comma and a blank
            assert {row.count(b",") for row in content.splitlines()} == lengths
        assert [row + b"0, " for row in early.splitlines()] == late.splitlines()
        before, after = (parse_device_csv(content, name) for content in (early, late))
        np.testing.assert_array_equal(before.slot, after.slot)
        np.testing.assert_array_equal(before.pupil, after.pupil)


def test_the_share_of_later_files_is_what_was_asked_for() -> None:
    simulation = Simulation(control=60, glaucoma=40, unlabelled=0, june_2018_share=0.4)
    later = [recording.june_2018 for recording in simulate_cohort(simulation, seed=2)]
    # binomial, standard error 0.05
    assert 0.25 <= np.mean(later) <= 0.55


def test_smaller_cohort_leaves_no_file_of_the_larger(make_study: Callable[..., Study], data_dir: Path) -> None:
    write_study_files(make_study())
    smaller = make_study(simulation={"control": 1, "glaucoma": 1, "unlabelled": 1})
    write_study_files(smaller)
    assert len(list((smaller.data_dir / "raw").iterdir())) == 3
    assert len(list((smaller.data_dir / "ground_truth").iterdir())) == 3


def test_failed_run_leaves_the_earlier_files_untouched(
    make_study: Callable[..., Study], data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study()
    write_study_files(study)
    before = contents(study.data_dir)
    monkeypatch.setattr("plr_assets.recordings.simulator.files.grid_trace", _fail)
    with pytest.raises(RuntimeError):
        write_study_files(study.model_copy(update={"seed": 8}))
    assert contents(study.data_dir) == before


def _fail(*_: object) -> None:
    raise RuntimeError


def test_recordings_of_other_origin_are_never_replaced(make_study: Callable[..., Study], data_dir: Path) -> None:
    study = make_study()
    (study.data_dir / "raw").mkdir(parents=True)
    (study.data_dir / "raw" / "PLR1001_BR.csv").write_text("a person")
    with pytest.raises(DataError, match="did not write"):
        write_study_files(study)
    assert (study.data_dir / "raw" / "PLR1001_BR.csv").read_text() == "a person"


@pytest.mark.parametrize("path", ["../other/raw", "/somewhere/raw", "."])
def test_paths_outside_the_study_are_refused(make_study: Callable[..., Study], data_dir: Path, path: str) -> None:
    study = make_study()
    elsewhere = make_study(recordings={**study.recordings.model_dump(), "path": path})
    with pytest.raises(ConfigError, match="inside the study's data folder"):
        write_study_files(elsewhere)


def test_codes_tell_nothing_of_the_diagnosis() -> None:
    cohort = simulate_cohort(Simulation(control=30, glaucoma=30, unlabelled=0), seed=3)
    assert [recording.subject.code for recording in cohort] == [f"PLR{1001 + index}" for index in range(60)]
    positions = [index for index, recording in enumerate(cohort) if recording.subject.label == "glaucoma"]
    assert 20 < np.mean(positions) < 40
