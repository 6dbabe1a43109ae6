"""`plr report` and `plr sql` in the terminal.

Belongs here: what is printed. Does not belong here: the report (`reporting`), or the database (`platform.results_db`).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from plr_assets.errors import DataError
from plr_assets.study import Study, load_study

if TYPE_CHECKING:
    import polars as pl

_DIGITS = 6  # significant digits of a number in the terminal; --csv has all


def report_path(study: Study) -> Path:
    """Where the asset `report` keeps its copy for people."""
    return study.data_dir / "report.html"


def show_report(name: str, console: Console, *, in_browser: bool) -> None:
    """Print where the report is, and open it. Raises DataError if there is none, or no browser."""
    import webbrowser

    study = load_study(name)
    path = report_path(study)
    if not path.is_file():
        raise DataError(str(path), "there is no report yet.", f"Run the study: `plr run {name}`.")
    console.print(str(path), soft_wrap=True, highlight=False, markup=False)
    if in_browser and not webbrowser.open(path.resolve().as_uri()):
        raise DataError(str(path), "no browser could be started here.", "Open the file by hand.")


def print_query(name: str, query: str, console: Console, *, csv: bool, most: int) -> None:
    """Print what `query` finds in the study's results database. Raises DataError naming what is wrong with it."""
    from plr_assets.platform.results_db import database_path, select

    found = select(database_path(load_study(name).data_dir), query)
    if csv:
        sys.stdout.write(found.write_csv())
        return
    console.print(_table(found.head(most)))
    if found.height > most:
        console.print(f"{found.height} rows; the first {most} are shown (--rows, or --csv for all)", style="dim")


def _table(frame: pl.DataFrame) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, dtype in frame.schema.items():
        table.add_column(escape(column), justify="right" if dtype.is_numeric() else "left", overflow="fold")
    for row in frame.iter_rows():
        table.add_row(*(_cell(value) for value in row))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "[dim]null[/dim]"
    return f"{value:.{_DIGITS}g}" if isinstance(value, float) else escape(str(value))
