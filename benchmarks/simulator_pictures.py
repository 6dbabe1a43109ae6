"""The pictures of docs/simulator.md: `python -m benchmarks.simulator_pictures`.

Belongs here: which simulated recordings are shown. Does not belong here: how they are drawn (`plr_assets.figures`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.difficulty import bridged, on_the_grid
from plr_assets.figures.style import load_figures_config
from plr_assets.figures.traces import draw_traces
from plr_assets.paths import project_root
from plr_assets.recordings.gaps import runs
from plr_assets.recordings.simulator.artefacts import NO_PUPIL
from plr_assets.recordings.simulator.cohort import SimulatedRecording, simulate_cohort
from plr_assets.study.recordings import Simulation


def _blinks(recording: SimulatedRecording) -> int:
    return len(runs(recording.pupil == NO_PUPIL))


def _longest(recording: SimulatedRecording) -> int:
    return max((last - first for first, last in runs(recording.pupil == NO_PUPIL)), default=0)


# The first recording of the cohort that fits, so that none is picked for its beauty.
PICTURES: dict[str, tuple[str, Callable[[SimulatedRecording], bool]]] = {
    "control": ("A control", lambda r: r.subject.label == "control" and _blinks(r) < 6 and _longest(r) < 20),
    "glaucoma": ("Glaucoma, severity above 0.7", lambda r: r.subject.severity > 0.7 and _longest(r) < 20),
    "blinks": ("A frequent blinker", lambda r: _blinks(r) > 18),
    "damage": (
        "A degenerate start and a long dropout",
        lambda r: _longest(r) > 30 and bool(np.any((r.pupil[40:50] > 0) & (r.pupil[40:50] < 6))),
    ),
}


def main() -> None:
    cohort = simulate_cohort(Simulation(control=152, glaucoma=56, unlabelled=0), seed=1)
    style = load_figures_config().style
    for name, (title, fits) in PICTURES.items():
        shown = on_the_grid([next(recording for recording in cohort if fits(recording))])
        assert shown.artefact is not None
        mask = shown.dropout | shown.artefact
        figure = draw_traces(shown, mask, bridged(shown, mask), title=title, synthetic=True, style=style)
        path = project_root() / "docs" / f"simulator-{name}.png"
        figure.savefig(path, dpi=110, metadata={"Software": None})
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
