"""What a run would do, said before it starts: counts are those of the plan, times those of before."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from plr_assets.cli.views import duration, forecast_text
from plr_assets.defs import ASSETS
from plr_assets.grid import grid_of
from plr_assets.platform.contract import Contract
from plr_assets.platform.forecast import Forecast, forecast
from plr_assets.platform.planning import Planner
from plr_assets.platform.selection import needed_keys, parse_selection
from plr_assets.study import Study
from plr_assets_tests.e2e.lab import Lab, empty_lab
from plr_assets_tests.platform_wiring.small_lab import ONE_GRID, PIPELINE, small_lab
from plr_assets_tests.terminal import Plr

WIDER = [{**ONE_GRID[0], "outlier_detection": ["LOF", "pupil-gt"]}]


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Not to be changed."""
    return small_lab(tmp_path_factory.getbasetemp()).enter(monkeypatch)


def expected(study: Study, select: str = "asset=evaluation") -> Mapping[str, Forecast]:
    grid, assets = grid_of(study), [asset for asset in ASSETS if asset.offered(study)]
    wanted = needed_keys(assets, grid, parse_selection(select, grid, assets))
    return {entry.asset: entry for entry in forecast(Planner(study, grid, Contract(study.name)), wanted)}


def test_what_is_done_is_not_counted(small: Lab) -> None:
    found = expected(small.study(grids=ONE_GRID))
    assert found["evaluation"].wanted == 1
    assert sum(entry.to_do for entry in found.values()) == 0


def test_times_are_those_of_the_key_or_else_of_its_method_and_unknown_ones_are_counted(small: Lab) -> None:
    changed = small.study(grids=WIDER, methods={"outlier_detection": {"LOF": {"n_neighbors": 50}}})
    found = expected(changed)
    run = Contract("trial").latest("detectors", "LOF")
    imputed = Contract("trial").latest("reconstructions", "LOF__linear")
    assert run is not None
    assert imputed is not None
    assert found["detectors"] == Forecast("outlier_detection", "detectors", 1, 1, run.seconds, 0)
    assert (found["outlier_masks"].to_do, found["outlier_masks"].unknown) == (2, 1), "nothing was masked by pupil-gt"
    both = found["reconstructions"]
    assert (both.to_do, both.unknown) == (2, 0), "the other mask is imputed by the same method"
    assert both.seconds == pytest.approx(2 * imputed.seconds)
    assert found["recordings"].to_do == found["cohort_split"].to_do == 0


def test_before_the_first_run_every_time_is_unknown(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = empty_lab(tmp_path_factory.getbasetemp()).enter(monkeypatch)
    found = expected(lab.study(grids=ONE_GRID))
    assert all(entry.unknown == entry.to_do == entry.wanted == 1 for entry in found.values())
    said = forecast_text(list(found.values()), 2)
    assert said.startswith(f"to do: at most {len(found)} partitions; {len(found)} of them of unknown time")


def test_a_dry_run_starts_nothing(small: Lab, plr: Plr) -> None:
    study = small.study_file(grids=WIDER)
    before = {path: path.stat().st_size for path in small.root.rglob("*.parquet")}
    said = plr("run", str(study), "--dry-run", "--select", "outlier=p*")
    assert said.code == 0
    assert "to do: at most" in said.out
    assert "of unknown time" in said.out
    assert {path: path.stat().st_size for path in small.root.rglob("*.parquet")} == before
    assert Contract("trial").latest("outlier_masks", "pupil-gt") is None
    assert Contract("trial").latest("evaluation", PIPELINE) is not None


def test_times_are_said_as_people_plan() -> None:
    assert [duration(seconds) for seconds in (3.2, 89, 600, 7200)] == ["3 s", "89 s", "10 min", "2.0 h"]
    assert forecast_text([Forecast("s", "a", 5, 0, 0.0, 0)], 2) == "to do: nothing"
    assert forecast_text([Forecast("s", "a", 5, 4, 60.0, 0)], 2) == (
        "to do: at most 4 partitions; about 30 s (60 s of computing in 2 process(es))"
    )
