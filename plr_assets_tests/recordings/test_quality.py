"""The quality gate: each rule fires on the smallest trace that breaks it, and only there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from plr_assets import schemas
from plr_assets.errors import DataError
from plr_assets.recordings.device_csv import DeviceTrace
from plr_assets.recordings.gridded import grid_trace
from plr_assets.recordings.headered_csv import HeaderedTrace
from plr_assets.recordings.importer import import_recordings
from plr_assets.recordings.quality import flags_text, judge, refused
from plr_assets.recordings.quality_evidence import Finding
from plr_assets.study import Study
from plr_assets_tests.recordings.conftest import study_of

Edit = Callable[["Draft"], object]
BLUE, RED = (16.1, 25.1), (47.1, 56.1)


@dataclass
class Draft:
    """A faultless recording of the published protocol, to be spoilt: 67 s at 30 Hz, 40 px, no noise to speak of."""

    time: NDArray[np.float64]
    pupil: NDArray[np.float64]
    lights: list[tuple[str, float, float]]
    peak: float = 230.0
    slots: bool = True

    def during(self, start: float, end: float) -> NDArray[np.bool_]:
        return (self.time >= start) & (self.time < end)

    def drop(self, start: float, end: float) -> None:
        """Rows that the device did not write."""
        keep = ~self.during(start, end)
        self.time, self.pupil = self.time[keep], self.pupil[keep]

    def lose(self, start: float, end: float) -> None:
        self.pupil[self.during(start, end)] = np.nan


def draft() -> Draft:
    time = np.arange(2010) / 30 + 0.1
    rng = np.random.default_rng(3)
    response = sum(0.4 * ((time > on + 0.7) & (time < off + 0.5)) for on, off in (BLUE, RED))
    return Draft(time, 40 * (1 - response) + rng.normal(0, 0.3, time.size), [("blue", *BLUE), ("red", *RED)])


def device_trace(made: Draft) -> DeviceTrace:
    drive, slot = {"red": np.zeros(made.time.size), "blue": np.zeros(made.time.size)}, np.zeros(made.time.size, bool)
    for colour, on, off in made.lights:
        drive[colour][made.during(on, off)] = made.peak
        slot |= made.during(on - 2, off)
    return DeviceTrace(made.time, made.pupil, slot & made.slots, drive["red"], drive["blue"])


def findings(change: Edit = lambda _: None, **quality: Any) -> tuple[Finding, ...]:
    made, study = draft(), study_of(quality=quality)
    change(made)
    trace = device_trace(made)
    return judge(trace, grid_trace(trace, study, "x.csv"), study.quality)


def headered(pupil: float, unit: str, noise: float = 0.01) -> tuple[Finding, ...]:
    """A file of the published protocol without light drive, at 60 Hz."""
    time = np.arange(67 * 60) / 60
    values = pupil * (1 - 0.4 * ((time > 16.8) & (time < 25))) + np.random.default_rng(1).normal(0, noise, time.size)
    study = study_of(
        recordings={"path": "raw", "reader": "headered_csv", "columns": {"time": "t", "pupil": "p"}, "unit": unit},
        sampling={"rate_hz": 60, "duration_s": 66},
        stimuli=[{"colour": "blue", "onset_s": 16, "offset_s": 25}],
        simulation=None,
        labels=None,
    )
    trace = HeaderedTrace(time, values)
    return judge(trace, grid_trace(trace, study, "x.csv"), study.quality)


def test_a_faultless_recording_has_no_findings() -> None:
    assert findings() == ()


def set_lights(*lights: tuple[str, float, float]) -> Edit:
    return lambda made: setattr(made, "lights", list(lights))


def scale(start: float, end: float, factor: float) -> Edit:
    def change(made: Draft) -> None:
        made.pupil[made.during(start, end)] *= factor

    return change


def blinks(every_s: float) -> Edit:
    return lambda made: [made.lose(start, start + 0.1) for start in np.arange(1, 66, every_s)]


def noisy(made: Draft) -> None:
    made.pupil += np.random.default_rng(5).normal(0, 2.4, made.pupil.size)


def every_second_frame(made: Draft) -> None:
    made.time, made.pupil = made.time[::2], made.pupil[::2]


def stuck(seconds: float) -> Edit:
    return lambda made: made.pupil.__setitem__(made.during(30, 30 + seconds), 39.0)


def unresponsive(made: Draft) -> None:
    made.pupil[:] = 40 + np.random.default_rng(3).normal(0, 0.3, made.time.size)


def unsteady(made: Draft) -> None:
    made.pupil[made.during(10, 16.1)] += 8 * np.sin(np.arange(made.during(10, 16.1).sum()) / 8)


BREACHES: list[tuple[str, str, str, Edit]] = [
    (
        "light_missing",
        "refuse",
        "stimulus slot missing: no red light, the protocol says 1.",
        set_lights(("blue", *BLUE)),
    ),
    (
        "light_unexpected",
        "refuse",
        "a light too many: 2 red lights, the protocol says 1.",
        set_lights(("blue", *BLUE), ("red", *RED), ("red", 60, 62)),
    ),
    (
        "light_order",
        "refuse",
        "lights in another order: red, blue; the protocol says blue, red.",
        set_lights(("red", 5, 14), ("blue", *BLUE)),
    ),
    (
        "light_duration",
        "refuse",
        "blue light on for 4.2 s, the protocol says 9.0 s.",
        set_lights(("blue", 16.1, 20.3), ("red", *RED)),
    ),
    (
        "light_timing",
        "refuse",
        "red light 28.0 s after the first blue light, the protocol says 31.0 s.",
        set_lights(("blue", *BLUE), ("red", 44.1, 53.1)),
    ),
    ("light_dim", "flag", "blue light reached drive code 120, 200 is the least.", lambda d: setattr(d, "peak", 120)),
    (
        "slot_unmarked",
        "flag",
        "stimulus slot missing: the blue light at 16.1 s is not marked in full.",
        lambda d: setattr(d, "slots", False),
    ),
    ("sampling_gap", "refuse", "sampling gap of 2.0 s at 35.1 s.", lambda d: d.drop(35.11, 37.09)),
    ("sampling_gap", "flag", "sampling gap of 0.5 s at 35.1 s.", lambda d: d.drop(35.11, 35.59)),
    (
        "sparse_sampling",
        "refuse",
        "sampled too sparsely: 991 of 1981 points of the common grid have no sample.",
        every_second_frame,
    ),
    (
        "baseline_lost",
        "flag",
        "baseline lost: 60 of 151 samples missing before blue onset.",
        lambda d: d.lose(14, 15.99),
    ),
    ("baseline_unsteady", "flag", "baseline not at rest: it varies by", unsteady),
    ("drift", "flag", "baseline drifted by +50 % from the blue light to the red light at 47.1 s.", scale(30, 70, 1.5)),
    ("size", "refuse", "looks like millimetres: the baseline is 4.0 px, 10 to 200 px are possible.", scale(0, 70, 0.1)),
    ("dropouts", "flag", "samples have no diameter.", lambda d: [d.lose(s, s + 2) for s in (2, 27, 31, 35, 39, 59)]),
    ("long_dropout", "flag", "pupil lost for 3.0 s from 30.1 s on.", lambda d: d.lose(30.09, 33.09)),
    ("blinks", "flag", "times, 59 a minute.", blinks(1.0)),
    ("response_lost", "refuse", "samples missing under blue light.", lambda d: d.lose(17, 24)),
    ("frozen", "flag", "the diameter stands still for 1.0 s from 30.0 s on.", stuck(1.02)),
    ("frozen", "refuse", "the diameter stands still for 8.0 s from 30.0 s on.", stuck(8.02)),
    ("implausible", "flag", "detection degenerate: 120 of 1981 samples are below 20 %", scale(30, 34, 0.05)),
    ("noise", "flag", "noisy: the diameter varies by", noisy),
    ("no_response", "flag", "no response to", unresponsive),
]


@pytest.mark.parametrize(
    ("rule", "severity", "reason", "change"), BREACHES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_each_rule_fires_with_its_reason_and_a_remedy(rule: str, severity: str, reason: str, change: Edit) -> None:
    found = {finding.rule: finding for finding in findings(change)}
    assert rule in found, found
    assert found[rule].severity == severity
    assert reason in found[rule].reason
    assert found[rule].remedy


def test_refusals_come_first() -> None:
    found = findings(lambda d: (d.drop(35.11, 37.09), d.lose(14, 15.99)))
    severities = [finding.severity for finding in found]
    assert severities == sorted(severities, reverse=True)
    assert set(severities) == {"flag", "refuse"}
    assert refused(found)


def test_a_lost_baseline_is_refused_in_the_words_of_a_technician() -> None:
    made = draft()
    made.lose(10, 16.05)
    with pytest.raises(DataError, match=r"baseline lost: 149 of 151 samples missing in the 5 s before blue onset\."):
        grid_trace(device_trace(made), study_of(), "x.csv")


@pytest.mark.parametrize(
    ("diameter", "unit", "reason"),
    [
        (43.0, "mm", "looks like un-normalised pixels: the baseline is 43.0 mm"),
        (43.0, "%", "looks like un-normalised pixels: the median before the first light is 43, not 0 %."),
    ],
)
def test_pixels_under_another_name_are_recognised(diameter: float, unit: str, reason: str) -> None:
    found = headered(diameter, unit)
    assert refused(found)
    assert reason in found[0].reason


def processed(pupil: Edit = lambda _: None, truth: Edit = lambda _: None, factor: float = 1.0) -> tuple[Finding, ...]:
    """The faultless recording as somebody processed it: % change with its ground truth, both times `factor`."""
    made, clean = draft(), draft()
    made.pupil = (made.pupil / 40 - 1) * 100 * factor
    clean.pupil = made.pupil.copy()
    pupil(made)
    truth(clean)
    lights = device_trace(made)
    trace = HeaderedTrace(made.time, made.pupil, truth=clean.pupil, red=lights.red, blue=lights.blue)
    study = study_of(
        recordings={"path": "raw", "reader": "processed_csv", "unit": "%", "ground_truth_in_files": True}, labels=None
    )
    return judge(trace, grid_trace(trace, study, "x.csv"), study.quality)


def test_a_faultless_processed_recording_has_no_findings() -> None:
    assert processed() == ()


@pytest.mark.parametrize("factor", [0.001, 0.01, 10.0, 100.0, 1000.0])
def test_percent_on_another_scale_is_refused_as_such(factor: float) -> None:
    found = {finding.rule: finding for finding in processed(factor=factor)}
    words = "looks like fractions of the baseline" if factor < 1 else "a pupil changes by -80 to 60 % of its baseline"
    assert found["scale"].severity == "refuse"
    assert words in found["scale"].reason
    assert "unit and scale" in found["scale"].remedy


@pytest.mark.parametrize(("value", "shown"), [(1200.0, "+1200 %"), (-300.0, "-300 %"), (-12345.0, "-1.234e+04 %")])
def test_one_impossible_cell_is_refused_with_its_moment(value: float, shown: str) -> None:
    [finding] = processed(lambda made: made.pupil.__setitem__(1000, value))
    assert (finding.rule, finding.severity) == ("impossible", "refuse")
    assert shown in finding.reason
    assert f"at {1000 / 30 + 0.1:.1f} s" in finding.reason


@pytest.mark.parametrize("value", [-100.0, -102.5, 120.0])
def test_artefacts_of_the_device_are_possible(value: float) -> None:
    """Zeros and sentinels turned into %, and spikes: for a mask to find, not for the gate."""
    assert processed(lambda made: made.pupil.__setitem__(1000, value)) == ()


@pytest.mark.parametrize("factor", [0.001, 0.01, 10.0, 1000.0])
def test_ground_truth_on_another_scale_than_its_recording_is_refused(factor: float) -> None:
    [finding] = processed(truth=lambda clean: clean.pupil.__imul__(factor))
    assert finding.severity == "refuse"
    assert finding.rule == ("truth_off" if factor < 1 else "truth_impossible")
    assert "ground truth" in finding.reason


def test_files_without_light_drive_are_not_held_against_a_protocol() -> None:
    assert headered(5.0, "mm") == ()


def test_the_protocol_is_the_studys_own() -> None:
    flash = [{"colour": "red", "onset_s": 1.0, "offset_s": 10.0}]
    assert not findings(set_lights(("blue", *BLUE), ("red", *RED)), protocol_tolerance_s=0.3)
    found = findings(protocol=flash)
    assert [(f.rule, f.severity) for f in found] == [("light_unexpected", "refuse")]


def test_a_limit_that_is_null_never_fires() -> None:
    change = blinks(1.0)
    assert "blinks" in {finding.rule for finding in findings(change)}
    assert "blinks" not in {finding.rule for finding in findings(change, blinks_per_minute=[None, None])}


@settings(max_examples=25, deadline=None)
@given(shift=st.floats(-0.05, 0.06), rate=st.floats(29.75, 30.0), jitter=st.integers(0, 1000), size=st.floats(29, 65))
def test_recordings_within_the_measured_range_are_accepted(shift: float, rate: float, jitter: int, size: float) -> None:
    """Frame rate, start, size and time stamps of two decimals as in the real files: nothing is flagged."""
    made, rng = draft(), np.random.default_rng(jitter)
    made.time = np.round(np.arange(2010) / rate + 0.1 + shift, 2)
    made.pupil = np.interp(made.time, draft().time, draft().pupil) * size / 40 + rng.normal(0, 0.2, 2010)
    made.lights = [("blue", BLUE[0] + shift, BLUE[1] + shift), ("red", RED[0] + shift, RED[1] + shift)]
    trace, study = device_trace(made), study_of()
    assert judge(trace, grid_trace(trace, study, "x.csv"), study.quality) == ()


@settings(max_examples=40, deadline=None)
@given(
    holes=st.lists(st.tuples(st.floats(0, 66), st.floats(0.03, 6)), max_size=6),
    factor=st.floats(0.1, 3),
    flag=st.floats(0, 0.5),
)
def test_a_stricter_limit_never_clears_a_recording(
    holes: list[tuple[float, float]], factor: float, flag: float
) -> None:
    """Findings grow with what is lost and shrink with looser limits; judging twice says the same."""
    made = draft()
    for start, length in holes:
        made.lose(start, start + length)
    made.pupil *= factor
    trace = device_trace(made)
    try:
        gridded = grid_trace(trace, study_of(), "x.csv")
    except DataError:
        return
    limits = study_of().quality
    loose = judge(trace, gridded, limits.model_copy(update={"dropout_share": (flag, 0.9)}))
    strict = judge(trace, gridded, limits.model_copy(update={"dropout_share": (flag / 2, 0.8)}))
    assert loose == judge(trace, gridded, limits.model_copy(update={"dropout_share": (flag, 0.9)}))
    assert {finding.rule for finding in loose} <= {finding.rule for finding in strict}


def test_flags_are_sorted_and_missing_where_there_is_none() -> None:
    rules = [Finding(rule, "flag", "", "") for rule in ("noise", "blinks")]
    assert flags_text(rules) == "blinks; noise"
    assert flags_text([]) is None


def test_flags_reach_the_table_and_refusals_the_quarantine(simulated: Study, tmp_path: Any) -> None:
    quiet = import_recordings(simulated, tmp_path / "lookup.json")
    strict = simulated.quality.model_copy(update={"noise_percent": (0.0, None)})
    loud = import_recordings(simulated.model_copy(update={"quality": strict}), tmp_path / "lookup.json")
    schemas.validate(loud.verdicts, schemas.RECORDING_VERDICTS)
    assert loud.verdicts["recording"].to_list() == list(loud.recordings.recording)
    assert all("noise" in (flags or "").split("; ") for flags in loud.verdicts["flags"])
    assert loud.verdicts["reason"].str.contains("noisy: the diameter varies by").all()
    assert set(loud.verdicts["verdict"]) == {"accepted with flags"}
    assert loud.recordings.to_frame().equals(quiet.recordings.to_frame())
    half = sorted(quiet.recordings.baseline)[3] + 0.5
    refusing = simulated.quality.model_copy(update={"size_px": (half, 200.0)})
    left = import_recordings(simulated.model_copy(update={"quality": refusing}), tmp_path / "lookup.json")
    assert len(left.recordings) + left.quarantine.height == len(quiet.recordings)
    assert left.quarantine["reason"].str.contains("the baseline is").all()


def test_no_rule_looks_at_the_diagnosis(simulated: Study, tmp_path: Any) -> None:
    strict = simulated.quality.model_copy(update={"noise_percent": (0.8, None), "drift_percent": (5.0, None)})
    with_labels = simulated.model_copy(update={"quality": strict})
    blind = with_labels.model_copy(update={"labels": None})
    first, second = (import_recordings(study, tmp_path / "lookup.json") for study in (with_labels, blind))
    assert first.verdicts.equals(second.verdicts)
    assert first.verdicts["flags"].is_not_null().any()
    assert replace(first.recordings, label=()).to_frame().equals(second.recordings.to_frame())
