"""Every number of the simulator, with where it comes from.

Belongs here: distributions and constants. Does not belong here: drawing a trace (`device`, `response`, `artefacts`).

Sources. "measured": eight real device files (seven blue/red, one flash), aggregate numbers only. "chosen": our design
value, tuned so that the published classification performance comes back. Published: Najjar 2023 (BJO 107:663, same
device: AUROC 0.94, controls 55.2 a, glaucoma 68.5 a), Winn 1994 (IOVS 35:1132, size and age), Kankipati 2011 (IOVS
52:2287, post-illumination response halves in glaucoma), Rukmini 2015 (Ophthalmology, blue more affected than red),
Herbst 2012 (BMC Ophthalmol 12:4, sustained fraction blue > red), Bentivoglio 1997 and Doughty 2001 (blink rates).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Colour = Literal["blue", "red"]


@dataclass(frozen=True, slots=True)
class Uniform:
    low: float
    high: float

    def sample(self, rng: np.random.Generator) -> float:
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True, slots=True)
class Normal:
    """Clipped to [low, high]."""

    mean: float
    sd: float
    low: float
    high: float

    def sample_within(self, rng: np.random.Generator) -> float:
        """Drawn again until it lies in [low, high], so that nothing piles up there."""
        while not self.low <= (value := self.mean + self.sd * float(rng.standard_normal())) <= self.high:
            pass
        return value

    def sample(self, rng: np.random.Generator) -> float:
        return self.at(float(rng.standard_normal()))

    def at(self, standard: float) -> float:
        """The value `standard` SD from the mean, clipped."""
        return min(max(self.mean + self.sd * standard, self.low), self.high)


@dataclass(frozen=True, slots=True)
class LogNormal:
    """`log_sd`: SD of the natural logarithm. Clipped to [low, high]."""

    median: float
    log_sd: float
    low: float
    high: float

    def sample(self, rng: np.random.Generator) -> float:
        value = self.median * float(np.exp(self.log_sd * rng.standard_normal()))
        return min(max(value, self.low), self.high)


@dataclass(frozen=True, slots=True)
class DeviceParameters:
    """Timing and light of the handheld pupillometer; seconds from file start. All measured."""

    first_frame_s: Uniform = Uniform(0.05, 0.12)
    # measured 10.9-11.0 s after the red light, so that the last time stamp is at 66.94-67.23 s
    after_red_s: Uniform = Uniform(10.94, 11.0)
    # The camera runs at 30 frames a second; dropped frames make it 29.72-29.99 on average. A slower clock would
    # leave some 80 points of the common grid empty (time has 2 decimals); measured are 0-18.
    fps: Uniform = Uniform(29.995, 30.0)
    frame_jitter_s: float = 0.0005
    # gaps > 55 ms: 0-4 in six files; 13, all in the first 3.6 s, in one; at most 0.13 s
    gaps: float = 2.0
    rough_start_probability: float = 1 / 7
    rough_start_gaps: int = 13
    rough_start_s: float = 3.6
    frames_in_gap: tuple[float, ...] = (0.75, 0.15, 0.10)  # probability of 1, 2, 3 dropped frames
    longest_gap_s: float = 0.13
    # The first frame inside a slot comes up to 1/30 s after it begins: measured 14.07-14.14 s and 45.03-45.20 s, with
    # 660-663 frames in both slots together.
    blue_slot_s: Uniform = Uniform(14.07, 14.11)
    red_slot_s: Uniform = Uniform(45.03, 45.165)
    slot_duration_s: Uniform = Uniform(11.0, 11.035)
    # code = 231.7 (x / 11 s)^3.22, x from slot start, fits all 14 ramps with rms 1.4 codes; rounded down: 0 for 2 s
    ramp_code: float = 231.7
    ramp_power: float = 3.22
    ramp_s: float = 11.0
    end_transient_px: float = 48.0
    end_transient_other_px: Uniform = Uniform(69.0, 83.0)


@dataclass(frozen=True, slots=True)
class Effect:
    """One response parameter: control distribution, and the relative loss at severity 1."""

    control: Normal
    loss: float = 0.0


@dataclass(frozen=True, slots=True)
class ColourResponse:
    """Response to one colour. Fractions of the diameter, seconds."""

    max_constriction: Effect
    sustained: Effect
    slow_weight: Effect
    threshold_code: LogNormal
    onset_delay_s: Normal
    quick_share: float  # of the redilation that starts quickly
    quick_tau_s: LogNormal  # of that share, at a constriction of `quick_tau_at`


@dataclass(frozen=True, slots=True)
class PhysiologyParameters:
    """The pupil. Severity changes the response to light only: never size, blinks, hippus or noise."""

    # Najjar 2023, same device: controls median 55.2 a, IQR 26.7; glaucoma 68.5 a, IQR 13.6. Age is confounded.
    age: Mapping[str, Normal] = field(
        default_factory=lambda: {"control": Normal(55, 24, 21, 88), "glaucoma": Normal(68.5, 10.5, 35, 92)}
    )
    # chosen so that the published features classify clean signals with AUROC 0.88-0.94 (0.94 in Najjar 2023)
    severity: Normal = Normal(0.64, 0.25, 0.15, 1.0)
    # share of glaucoma among the unlabelled: that of the labelled in the published cohort, 56 / 208
    unlabelled_glaucoma: float = 56 / 208
    # Winn 1994: linear loss with age; between-subject SD 0.8 mm
    size_at_20_mm: Normal = Normal(6.9, 0.8, 3.0, 9.0)
    size_per_year_mm: float = -0.035
    min_size_mm: float = 3.2
    # chosen so that baselines span the measured 29-65 px; 8-12 px/mm would centre them at 56 px
    px_per_mm: Uniform = Uniform(7.0, 10.0)
    # Herbst 2012 for the order blue > red; losses: Rukmini 2015, Kankipati 2011
    colours: Mapping[Colour, ColourResponse] = field(
        default_factory=lambda: {
            "blue": ColourResponse(
                max_constriction=Effect(Normal(0.508, 0.058, 0.15, 0.72), 0.26),
                sustained=Effect(Normal(0.95, 0.05, 0.55, 1.0), 0.20),
                slow_weight=Effect(Normal(0.215, 0.065, 0.05, 0.5), 0.55),
                threshold_code=LogNormal(0.9, 0.10, 0.6, 1.2),
                onset_delay_s=Normal(0.37, 0.015, 0.25, 0.5),
                quick_share=0.48,
                quick_tau_s=LogNormal(0.355, 0.03, 0.2, 1.0),
            ),
            "red": ColourResponse(
                # on top of what blue has left this gives the measured 44 % of the pre-blue baseline
                max_constriction=Effect(Normal(0.428, 0.058, 0.12, 0.68), 0.22),
                sustained=Effect(Normal(0.94, 0.05, 0.5, 1.0), 0.08),
                slow_weight=Effect(Normal(0.19, 0.03, 0.0, 0.35), 0.0),
                threshold_code=LogNormal(1.0, 0.05, 0.8, 1.3),
                onset_delay_s=Normal(0.505, 0.015, 0.35, 0.70),
                quick_share=0.575,
                quick_tau_s=LogNormal(0.28, 0.06, 0.15, 1.0),
            ),
        }
    )
    # onset_delay_s: latency falls by 34 ms a log unit of light (Myers and Stark), and the first codes are 2.4 log units
    # below the last: 0.08 s. The rest, chosen for the measured lag, is what the ramp takes to the threshold within a
    # code; it is longer for red, of which rods see little.
    # correlation of blue and red maximum within a subject: one iris, one nerve
    colour_correlation: float = 0.75
    latency_s: Normal = Normal(0.260, 0.025, 0.18, 0.45)
    latency_per_year_over_50_s: float = 0.001
    latency_at_severity_1_s: float = 0.040
    # The fast path answers to two ranges of light. Around the threshold it answers steeply: the first codes are light
    # after 16 s in the dark; with them -5 % is reached 0.56-1.09 s after the first visible code and the pupil closes
    # with 21-75 %/s (measured). Above, it follows the rest of the ramp (Naka-Rushton). The share of the former makes
    # the type: maximum after 2.5 s in the most transient file, at the end of the light in others (measured).
    threshold_exponent: float = 4.0
    onset_share: Normal = Normal(0.62, 0.06, 0.35, 0.9)
    half_saturation_code: LogNormal = LogNormal(66.0, 0.37, 12.0, 160.0)
    exponent: float = 0.8
    # sphincter: two poles, of which the second also smooths the dilation
    constriction_tau_s: float = 0.12
    muscle_tau_s: float = 0.13
    # the rest follows at once: part of the iris closes late, so that the first constriction bends, as real ones do;
    # chosen, with the speed of constriction as measured
    late_share: Normal = Normal(0.44, 0.08, 0.2, 0.7)
    late_tau_s: LogNormal = LogNormal(1.1, 0.25, 0.5, 2.5)
    # the iris lets go later than it closes: after the last light of blue the pupil went on closing for 0.24-0.87 s
    release_delay_s: float = 0.15
    adaptation_tau_s: float = 3.3  # domain B3.8: 2-4 s
    # Redilation starts quickly (23-64 %/s) and goes on slowly: one exponential fitted over both measures 0.5-4.3 s
    # after blue, 0.6-2.4 s after red.
    # A large constriction lets go for longer, so that the speed grows less than the size: measured speeds after blue
    # span a factor of 1.8, as sizes alone do.
    quick_tau_at: float = 0.45
    quick_tau_power: float = 2.5
    fast_redilation_tau_s: LogNormal = LogNormal(2.85, 0.20, 1.0, 7.0)
    # melanopsin: on 3 s, off ~15 s, so that blue has not ended when red starts 22 s later
    slow_on_tau_s: float = 3.0
    slow_redilation_tau_s: LogNormal = LogNormal(15.0, 0.20, 8.0, 25.0)
    # rest fluctuation, fractions of the baseline: measured total SD 1.3-5 %
    hippus: LogNormal = LogNormal(0.0185, 0.28, 0.008, 0.045)
    wander: LogNormal = LogNormal(0.010, 0.35, 0.004, 0.03)
    # a small pupil moves less: a constriction by half leaves this share of both
    rest_at_half_size: float = 0.6
    # measured baseline before red: 76-107 % of the one before blue; part of it is the slow blue response
    trend: Normal = Normal(-0.02, 0.05, -0.15, 0.09)
    # camera noise measured 0.5-1.2 % in six of seven files, 2.8 % in the worst; a little more with age
    noise: LogNormal = LogNormal(0.0097, 0.17, 0.0068, 0.0125)
    noisy_probability: float = 1 / 7
    noise_of_noisy: Uniform = Uniform(0.013, 0.028)
    noise_per_year_over_57: float = 0.005


@dataclass(frozen=True, slots=True)
class ArtefactParameters:
    """What the camera loses and what a human rejects. Targets: 2.1 % dropouts, 7.7 % rejected, at most 749 of 1981."""

    # blinks a minute: at most 5 in five of seven files, 22-26 in two; 8-21 in quiet gaze (Doughty 2001), 17 at rest
    # (Bentivoglio 1997), held back by the task
    blink_rate: LogNormal = LogNormal(5.0, 0.80, 0.3, 30.0)
    blink_rate_per_year_over_57: float = 0.004
    blink_frames: tuple[int, int] = (3, 6)
    blink_cluster_probability: float = 0.3
    blink_cluster_gap_s: Uniform = Uniform(0.4, 1.5)
    # blinks in the first 1.5 s of a light are mostly held back
    blink_suppression: float = 0.7
    blink_suppression_s: float = 1.5
    edge_probability: float = 0.5
    edge_factor: Uniform = Uniform(0.75, 0.95)
    # one in seven files had a dropout of 2 s
    long_dropout_probability: float = 1 / 7
    long_dropout_frames: tuple[int, int] = (20, 60)
    # one in seven files began with 2.1 s of degenerate detections
    degenerate_start_probability: float = 1 / 7
    degenerate_start_s: Uniform = Uniform(0.8, 2.1)
    degenerate_px: Uniform = Uniform(0.5, 5.0)
    # share of frames in runs that stay positive but that a human rejects; 749 / 1981 = 38 % in the worst
    rejected_share: LogNormal = LogNormal(0.050, 0.80, 0.003, 0.36)
    run_frames: LogNormal = LogNormal(12, 0.8, 3, 90)
    # two thirds of rejected samples lie within 2 SD of the residual ("hard"): most runs are shallow
    run_depth: LogNormal = LogNormal(0.07, 0.60, 0.02, 0.35)
    spike_share: float = 0.03
    spike_rises: float = 0.35
    spike_px: LogNormal = LogNormal(9.0, 0.5, 3.0, 25.0)
    # a detection that flickers from frame to frame is soon lost or found again
    flicker_frames: int = 10
    dip_factor: Uniform = Uniform(0.4, 0.85)
    # at least this share of the 5 s before blue is seen, so that no simulated recording loses its baseline
    baseline_seen: float = 0.6


DEVICE = DeviceParameters()
PHYSIOLOGY = PhysiologyParameters()
ARTEFACTS = ArtefactParameters()
