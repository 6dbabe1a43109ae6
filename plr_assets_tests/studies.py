"""What the small studies of tests have in common.

Belongs here: a study as its file spells it, without its size. Does not belong here: its methods and how many recordings
it simulates, which each user says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The layout and protocol of the demo.
TRIAL_BASE: Mapping[str, Any] = {
    "title": "Trial",
    "description": "The smallest study that ranks pipelines.",
    "origin": "synthetic",
    "seed": 7,
    "recordings": {
        "path": "raw",
        "reader": "device_csv",
        "unit": "px",
        "subjects": "subjects.csv",
        "ground_truth": "ground_truth",
    },
    "sampling": {"rate_hz": 30, "duration_s": 66, "align_onset": {"colour": "blue", "at_s": 15.5}},
    "baseline": {"before": "blue", "window_s": [-5, 0]},
    "labels": ["control", "glaucoma"],
}
