"""`plr run` in the terminal: progress a stage, failures, the leaderboard, where to look next.

Belongs here: what is printed and when. Does not belong here: what is run (`platform.runner`).
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from plr_assets.cli.pages import lineage_url
from plr_assets.cli.reports import report_path
from plr_assets.cli.views import forecast_table, forecast_text, leaderboard_view, left_out_text
from plr_assets.grid import Grid, PipelineKey
from plr_assets.platform.execution import KeyResult
from plr_assets.platform.progress import KeyProgress
from plr_assets.platform.runner import AssetOutcome
from plr_assets.platform.stages import StageAsset
from plr_assets.study import Study

_SHOWN_FAILURES = 10


class TerminalWatcher:
    """One line an asset: a bar while it runs, what became of it when it ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stage = ""
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._started = 0.0

    def starts(self, asset: StageAsset, to_do: int) -> None:
        if asset.stage.name != self._stage:
            self._stage = asset.stage.name
            self._console.print(f"[bold]{self._stage}[/bold]")
        self._started = time.monotonic()
        if to_do and self._console.is_terminal:
            self._progress = Progress(
                TextColumn("  {task.description:<24}"),
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._task = self._progress.add_task(asset.name, total=to_do)
            self._progress.start()

    def reports(self, result: KeyResult | KeyProgress) -> None:
        if isinstance(result, KeyProgress):
            self._console.print(f"    [dim]{result.text}: {result.line}[/dim]", highlight=False, soft_wrap=True)
            return
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task)
        if result.error is not None:
            self._console.print(f"    [red]failed[/red] {result.text}: {result.error}", highlight=False, soft_wrap=True)

    def ends(self, asset: StageAsset, outcome: AssetOutcome) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
        parts = [
            f"{count} {word}"
            for count, word in (
                (outcome.computed, "computed"),
                (outcome.reused, "reused"),
                (len(outcome.failed), "[red]failed[/red]"),
                (len(outcome.blocked), "[yellow]blocked[/yellow]"),
            )
            if count
        ]
        if outcome.unchecked:
            parts.append("[red]check failed[/red]")
        if outcome.warned:
            parts.append("[yellow]check warns[/yellow]")
        seconds = f"  [dim]{time.monotonic() - self._started:.1f} s[/dim]" if outcome.dagster_run else ""
        self._console.print(f"  {asset.name:<24} {', '.join(parts)}{seconds}", highlight=False)


def run_study(name: str, select: str, console: Console, *, dry_run: bool = False) -> bool:
    """Run, print, and say whether anything failed. `dry_run`: only say what there is to do."""
    from plr_assets.definitions import build_definitions
    from plr_assets.defs import ASSETS
    from plr_assets.grid import grid_of
    from plr_assets.platform.contract import Contract
    from plr_assets.platform.environment import open_instance
    from plr_assets.platform.forecast import forecast
    from plr_assets.platform.mapper import make_mapper
    from plr_assets.platform.planning import Planner
    from plr_assets.platform.resources import live_resources
    from plr_assets.platform.runner import Runner, outcomes_file, summary
    from plr_assets.platform.selection import needed_keys, parse_selection
    from plr_assets.platform.status import write_outcomes
    from plr_assets.recordings.incoming import settle
    from plr_assets.study import load_study

    started = time.monotonic()
    study = load_study(name)
    grid = grid_of(study)
    assets = [asset for asset in ASSETS if asset.offered(study)]
    selection = parse_selection(select, grid, assets)
    origin = "simulated recordings" if study.synthetic else "clinical recordings"
    count = f"{len(grid.pipelines)} pipelines" if grid.pipelines else f"{len(grid.features)} sets of features"
    console.print(f"[bold]{study.title}[/bold]: {count}, {origin}", highlight=False)
    console.print(left_out_text(grid), highlight=False)
    wanted = needed_keys(assets, grid, selection)
    if dry_run:
        _print_forecast(study, grid, wanted, console)
        return False
    _stop_once()
    settle(study)
    with (
        open_instance() as instance,
        closing(Contract(study.name)) as contract,
        closing(make_mapper(study.workers.kind, study.workers.processes)) as workers,
    ):
        watcher = TerminalWatcher(console)
        definitions = build_definitions(study, live_resources(contract, workers, watcher.reports))
        runner = Runner(grid, assets, definitions, instance, contract, watcher)
        planner = Planner(study, grid, contract)
        found = forecast(planner, wanted)
        if any(entry.to_do for entry in found):
            console.print(forecast_text(found, workers.processes), highlight=False)
        outcomes = runner.run(wanted, planner)
    write_outcomes(outcomes_file(study.data_dir), outcomes)
    total = summary(outcomes)
    seconds = time.monotonic() - started
    if not (total["computed"] or total["failed"] or total["blocked"] or any(o.unchecked for o in outcomes.values())):
        console.print(f"\nNothing to do: all {total['reused']} partitions are up to date ({seconds:.0f} s).")
    else:
        counts = ", ".join(f"{total[word]} {word}" for word in ("computed", "reused", "failed", "blocked"))
        console.print(f"\n{counts} in {seconds:.0f} s", highlight=False)
    _print_failures(outcomes, console)
    _print_results(study, name, console)
    unchecked = any(outcome.unchecked for outcome in outcomes.values())
    return bool(total["failed"] or total["blocked"] or unchecked)


def _print_forecast(
    study: Study, grid: Grid, wanted: Mapping[StageAsset, Sequence[PipelineKey]], console: Console
) -> None:
    from plr_assets.platform.contract import Contract
    from plr_assets.platform.environment import prepare
    from plr_assets.platform.forecast import forecast
    from plr_assets.platform.mapper import make_mapper
    from plr_assets.platform.planning import Planner

    prepare()
    with closing(Contract(study.name)) as contract:
        found = forecast(Planner(study, grid, contract), wanted)
    processes = make_mapper(study.workers.kind, study.workers.processes).processes
    console.print(forecast_table(found))
    console.print(forecast_text(found, processes), highlight=False)


def _stop_once() -> None:
    """SIGTERM stops like Ctrl-C; a second one does not break off the stopping, in which workers are ended."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # a shell starts background jobs with SIGINT ignored
            signal.signal(number, stop)


def _print_failures(outcomes: dict[str, AssetOutcome], console: Console) -> None:
    for name, outcome in outcomes.items():
        if outcome.unchecked:
            console.print(
                f"\n[red]{name}[/red]: {outcome.unchecked}\nWhat is computed from it was stopped.",
                highlight=False,
                soft_wrap=True,
            )
        if outcome.warned:
            console.print(f"\n[yellow]{name}[/yellow]: {outcome.warned}", highlight=False, soft_wrap=True)
    failed = [(name, key, why) for name, outcome in outcomes.items() for key, why in outcome.failed.items()]
    if not failed:
        return
    console.print(f"\n[red]{len(failed)} partition(s) failed[/red]; what needs them was not tried:")
    for name, key, why in failed[:_SHOWN_FAILURES]:
        place = name if name == key else f"{name} {key}"
        console.print(f"  {place}: {why}", highlight=False, soft_wrap=True)
    if len(failed) > _SHOWN_FAILURES:
        console.print(f"  ... and {len(failed) - _SHOWN_FAILURES} more: plr status --json")


def _print_results(study: Study, name: str, console: Console) -> None:
    from plr_assets.platform.leaderboard import leaderboard, missing_pipelines
    from plr_assets.platform.results_db import database_path

    database = database_path(study.data_dir)
    if database.is_file():
        console.print()
        console.print(leaderboard_view(study, leaderboard(study), missing_pipelines(study), console.width))
    console.print("\n[bold]Where to look next[/bold]")
    if database.is_file():
        console.print(f"  results    {database}", soft_wrap=True, highlight=False)
    if (page := report_path(study)).is_file():
        console.print(f"  report     {page}", soft_wrap=True, highlight=False)
    if (figures := study.data_dir / "figures").is_dir():
        console.print(f"  figures    {figures}", soft_wrap=True, highlight=False)
    console.print(f"  lineage    make ui, then {lineage_url(study.name)}", soft_wrap=True, highlight=False)
    plr = sys.argv[0] if sys.argv[0].endswith("plr") and not shutil.which("plr") else "plr"
    console.print(f"  progress   {plr} status {name}", soft_wrap=True, highlight=False)
