"""Tables of the terminal.

Belongs here: rich renderables of statuses, leaderboards and methods. Does not belong here: numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from plr_assets.grid import SORT_ORDER, Grid
from plr_assets.platform.selection import AXIS_NAMES
from plr_assets.registry import AXES, Axis, load_registry
from plr_assets.study import Study

if TYPE_CHECKING:
    import polars as pl

    from plr_assets.platform.forecast import Forecast
    from plr_assets.platform.status import AssetStatus

_SHOWN = 10
_WIDE = 120
DAGGER = "\u2020"
# as `--select` spells them
_HEADINGS: Mapping[Axis, str] = {axis: name for name, axis in AXIS_NAMES.items()}


def leaderboard_view(study: Study, rows: pl.DataFrame, missing: Sequence[str], width: int) -> RenderableType:
    """Best first; `rows` as `platform.leaderboard` orders them. Abbreviates methods where `width` letters are few."""
    title = f"{study.title}: pipelines by AUROC" + (" (simulated data)" if study.synthetic else "")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.add_column("", justify="right", no_wrap=True)
    shown = [axis for axis in SORT_ORDER if axis != "featurization" or rows["featurization"].n_unique() > 1]
    for axis in shown:
        table.add_column(_HEADINGS[axis], no_wrap=width < _WIDE, overflow="fold")
    for name in ("AUROC (95 % CI)", "sBrier", "slope", "O:E", "NB15"):
        table.add_column(name, no_wrap=True, justify="right")
    name_of = _full_name if width >= _WIDE else _abbreviation
    for row in rows.iter_rows(named=True):
        table.add_row(
            DAGGER if row["rank"] is None else str(row["rank"]),
            *(name_of(axis, row[axis]) for axis in shown),
            _with_interval(row, "auroc"),
            _number(row["scaled_brier"]),
            _number(row["calibration_slope"]),
            _number(row["o_e_ratio"]),
            _number(row["net_benefit_15pct"], 3),
            style="dim" if row["rank"] is None else None,
        )
    return Group(table, *(Text(note, style="dim") for note in _leaderboard_notes(rows, missing)))


def _leaderboard_notes(rows: pl.DataFrame, missing: Sequence[str]) -> list[str]:
    notes = []
    if rows["oracle"].any():
        notes.append(f"{DAGGER} uses ground truth of the evaluated recordings: shown, never ranked")
    notes.append(
        "AUROC and sBrier (scaled Brier score): one model, mean over out-of-bag iterations.\n"
        "slope, O:E (calibration) and NB15 (net benefit at 15 %): averaged out-of-bag prediction.\n"
        "The best of many is picked by the number that is shown, which flatters it."
    )
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        notes.append(f"{len(missing)} pipeline(s) missing: {', '.join(missing[:_SHOWN])}{more}")
    return notes


def _full_name(_axis: Axis, name: str) -> str:
    return name


def _abbreviation(axis: Axis, name: str) -> str:
    method = load_registry().methods[axis].get(name)
    return method.abbreviation if method else name


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _with_interval(row: dict[str, Any], name: str) -> str:
    value, low, high = (row[f"{name}{end}"] for end in ("", "_ci_lower", "_ci_upper"))
    return f"{_number(value, 3)} ({_number(low)}\u2013{_number(high)})"


def status_table(grid: Grid, statuses: Sequence[AssetStatus]) -> RenderableType:
    table = Table(title=f"{grid.study.title}: partitions", title_justify="left", box=None, pad_edge=False)
    for name in ("stage", "asset"):
        table.add_column(name, no_wrap=True)
    for name in ("total", "done", "stale", "failed", "reused", "adopted"):
        table.add_column(name, justify="right", no_wrap=True)
    stage = ""
    for status in statuses:
        table.add_row(
            status.stage if status.stage != stage else "",
            status.asset,
            str(status.total),
            str(status.done),
            str(status.outdated or ""),
            f"[red]{status.failed}[/red]" if status.failed else "",
            str(status.reused or ""),
            str(status.adopted or ""),
        )
        stage = status.stage
    failures = [f"{status.asset} {key}: {why}" for status in statuses for key, why in status.failures.items()]
    return Group(table, *(Text(text, style="red") for text in failures[:_SHOWN]), Text.from_markup(left_out_text(grid)))


def forecast_table(found: Sequence[Forecast]) -> RenderableType:
    """What a run would do, asset by asset."""
    table = Table(box=None, pad_edge=False)
    for name in ("stage", "asset"):
        table.add_column(name, no_wrap=True)
    for name in ("wanted", "to do", "computing time", "of unknown time"):
        table.add_column(name, justify="right", no_wrap=True)
    stage = ""
    for entry in found:
        known = entry.to_do > entry.unknown
        table.add_row(
            entry.stage if entry.stage != stage else "",
            entry.asset,
            str(entry.wanted),
            str(entry.to_do or ""),
            duration(entry.seconds) if known else "",
            str(entry.unknown or ""),
        )
        stage = entry.stage
    return table


def forecast_text(found: Sequence[Forecast], processes: int) -> str:
    """The same in a sentence; times are what the partitions, or others of their method, took before."""
    to_do, unknown = sum(entry.to_do for entry in found), sum(entry.unknown for entry in found)
    if not to_do:
        return "to do: nothing"
    seconds = sum(entry.seconds for entry in found)
    parts = [f"to do: at most {to_do} partitions"]
    if to_do > unknown:
        parts.append(
            f"about {duration(seconds / processes)} ({duration(seconds)} of computing in {processes} process(es))"
        )
    if unknown:
        parts.append(f"{unknown} of them of unknown time, as nothing like them was computed before")
    return "; ".join(parts)


def duration(seconds: float) -> str:
    """A time that a person plans with."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def left_out_text(grid: Grid) -> str:
    """Why methods that the study's grids cover are not offered; empty if all are."""
    by_reason: dict[str, list[str]] = {}
    for name, why in grid.left_out.items():
        by_reason.setdefault(why, []).append(name.partition(".")[2] or name)
    return "\n".join(f"[dim]left out, {why}: {', '.join(names)}[/dim]" for why, names in by_reason.items())


def methods_table(grid: Grid) -> RenderableType:
    offered = {axis: {key.method(axis) for key in (*grid.features, *grid.pipelines)} for axis in AXES}
    table = Table(title=f"{grid.study.title}: methods", title_justify="left", box=None, pad_edge=False)
    for name in ("axis", "method", "in this study", "source"):
        table.add_column(name, overflow="fold")
    for axis in AXES:
        for name, method in grid.registry.methods[axis].items():
            if name in offered[axis]:
                state = "yes, oracle" if method.oracle else "yes"
            elif not grid.registry.is_implemented(axis, name):
                state = "not implemented yet"
            else:
                state = grid.left_out.get(f"{axis}.{name}", "not listed")
            table.add_row(axis, name, state, method.source)
    return table


def studies_table(studies: Sequence[Study]) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    for name in ("study", "origin", "description"):
        table.add_column(name, overflow="fold")
    for study in studies:
        table.add_row(study.name, study.origin, study.description)
    return table
