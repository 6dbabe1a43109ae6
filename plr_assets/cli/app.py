"""Commands of `plr` and their help.

Belongs here: what can be asked for, and exit codes. Does not belong here: tables and progress bars (`views`).
Heavy modules are imported inside commands, so that `plr --help` answers at once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.panel import Panel

from plr_assets.errors import PlrError

# Some partitions failed; the others are published.
FAILED = 1
# Nothing was done: what was asked for, or a file, has to be mended first.
UNUSABLE = 2
INTERRUPTED = 130

StudyName = Annotated[str, typer.Argument(help="A study of configs/studies, or the path of a study's .yaml file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Pupillary light reflex experiments: from recordings to a leaderboard of pipelines.\n\n"
    "A pipeline is a combination of methods: outlier detection, imputation, features, classifier. Start with "
    "[bold]plr run demo[/bold], then look at [bold]plr leaderboard demo[/bold] and at [bold]make ui[/bold].",
)


@app.command()
def run(
    study: StudyName,
    select: Annotated[
        str,
        typer.Option(
            help="Only these methods (outlier=, imputer=, features=, classifier=) and these assets (asset=, stage=): "
            "'outlier=LOF,OneClassSVM stage=outlier_detection'; a name may be a pattern: 'outlier=*MOMENT*'. What they "
            "are computed from is included."
        ),
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how much there is to do, and how long it took before.")
    ] = False,
) -> None:
    """Compute what is missing or out of date, and print the leaderboard.

    What is published already, from the same inputs, code and parameters, is reused. A partition that fails leaves the
    others alone, and the next run tries it again. Exit code 1 if any failed.
    """
    from plr_assets.cli.running import run_study

    try:
        failed = run_study(study, select, Console(), dry_run=dry_run)
    except KeyboardInterrupt:  # before typer, which ends without a word
        Console(stderr=True).print("Stopped. What is published stays; the same command goes on from there.")
        raise typer.Exit(INTERRUPTED) from None
    if failed:
        raise typer.Exit(FAILED)


@app.command()
def status(study: StudyName, as_json: AsJson = False) -> None:
    """How much of a study is there: partitions in all, done, out of date, failed, by stage.

    `reused` counts what the last run found published and did not compute.
    """
    from plr_assets.cli.views import status_table
    from plr_assets.defs import ASSETS
    from plr_assets.grid import grid_of
    from plr_assets.platform.contract import Contract
    from plr_assets.platform.environment import prepare
    from plr_assets.platform.status import as_json as status_json
    from plr_assets.platform.status import study_status
    from plr_assets.study import load_study

    prepare()
    loaded = load_study(study)
    grid = grid_of(loaded)
    found = study_status(grid, [asset for asset in ASSETS if asset.offered(loaded)], Contract(loaded.name))
    if as_json:
        _print_json(status_json(grid, found))
    else:
        Console().print(status_table(grid, found))


@app.command()
def refreeze(
    study: StudyName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Give every recording its role anew: recordings that came after the first run are pending until then.

    Shows which recordings join which role and how many partitions that puts out of date, asks, and freezes the roles.
    """
    from plr_assets.cli.refreeze import refreeze_study

    refreeze_study(study, Console(), confirmed=yes)


@app.command()
def adopt(
    run_id: Annotated[str, typer.Argument(help="The MLflow run, logged by anyone.")],
    study: StudyName,
) -> None:
    """Take a finished MLflow run of somebody else as the partition that its tags name.

    It is checked against the study's recordings, published, and stands for the partition until it is released. A run
    that does not fit is refused with the reason. docs/bring_your_own_run.md shows what to log.
    """
    from plr_assets.cli.adopting import adopt_run

    adopt_run(run_id, study, Console())


@app.command()
def release(
    study: StudyName,
    asset: Annotated[str, typer.Argument(help="The asset, such as outlier_masks.")],
    key: Annotated[str, typer.Argument(help="The partition key, such as LOF.")],
) -> None:
    """Give a partition for which an adopted run stands back to the study's own method."""
    from plr_assets.cli.adopting import release_partition

    release_partition(study, asset, key, Console())


@app.command()
def reproduce(
    run_id: Annotated[str, typer.Argument(help="The MLflow run of a published partition.")],
    study: Annotated[
        str | None, typer.Option(help="Its study, where that is not one of configs/studies: the path of its file.")
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="All that it descends from, too.")] = False,
) -> None:
    """Make a published run again from what it recorded, and compare the content.

    In a scratch place: nothing is published. Exit code 0 only if everything is equal; otherwise it says what differs,
    and which input, code, library or parameter is not as it was.
    """
    from plr_assets.cli.reproducing import reproduce_run

    if not reproduce_run(run_id, study, Console(), deep=deep):
        raise typer.Exit(FAILED)


@app.command()
def gc(
    study: StudyName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove it; without this nothing is touched.")] = False,
) -> None:
    """List superseded runs, and what killed processes left, with their size; remove them with --yes.

    What a current partition, an adopted run, a registered model, a figure or the results database refers to is kept,
    and so is all that it was computed from.
    """
    from plr_assets.cli.retention import collect_garbage

    collect_garbage(study, Console(), confirmed=yes)


@app.command()
def leaderboard(
    study: StudyName,
    as_json: AsJson = False,
    top: Annotated[int | None, typer.Option(min=1, help="Only the first N pipelines.")] = None,
) -> None:
    """All pipelines of a study, best AUROC first, with 95 % intervals.

    Pipelines that use ground truth of the evaluated recordings (pupil-gt) are shown without a rank.
    """
    from plr_assets.cli.views import leaderboard_view
    from plr_assets.platform.environment import prepare
    from plr_assets.platform.leaderboard import leaderboard as ranked
    from plr_assets.platform.leaderboard import missing_pipelines
    from plr_assets.study import load_study

    prepare()
    loaded = load_study(study)
    rows = ranked(loaded)
    rows = rows if top is None else rows.head(top)
    if as_json:
        _print_json(rows.to_dicts())
    else:
        console = Console()
        console.print(leaderboard_view(loaded, rows, missing_pipelines(loaded), console.width))


@app.command()
def export(
    study: StudyName,
    pipeline: Annotated[str, typer.Argument(help="Its key, for instance simple__LOF__linear__CatBoost.")],
    to: Annotated[Path, typer.Option(help="The folder to write into.")] = Path(),
) -> None:
    """Write a pipeline's bootstrap as `bootstrap_results.pkl`: a dict of lists, an entry an iteration."""
    from plr_assets.cli.exporting import export_bootstrap
    from plr_assets.platform.environment import prepare

    prepare()
    Console().print(f"written: {export_bootstrap(study, pipeline, to)}")


@app.command()
def report(
    study: StudyName,
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser of this machine.")] = False,
) -> None:
    """Where the report of a study is: leaderboard, figures, checks, what is missing, where everything comes from.

    One HTML file, written by [bold]plr run[/bold]. It needs no network and can be sent to others.
    """
    from plr_assets.cli.reports import show_report

    show_report(study, Console(), in_browser=open_it)


@app.command()
def sql(
    study: StudyName,
    query: Annotated[str, typer.Argument(help="In DuckDB's SQL; the tables are described in docs/database.md.")],
    csv: Annotated[bool, typer.Option("--csv", help="Every row, as csv.")] = False,
    rows: Annotated[int, typer.Option(min=1, help="Rows that are printed without --csv.")] = 50,
) -> None:
    """Ask a study's results database, read-only.

    [dim]plr sql demo "SELECT pipeline, auroc FROM essential_metrics ORDER BY auroc DESC"[/dim]
    """
    from plr_assets.cli.reports import print_query

    print_query(study, query, Console(), csv=csv, most=rows)


@app.command()
def validate(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders of them.", exists=True)],
    study: Annotated[
        str, typer.Option(help="The study whose grid, unit, columns and subjects table the files have to fit.")
    ] = "paper",
) -> None:
    """Try to import files and say, file by file, what would become of them. Nothing is written.

    Exit code 1 if any is refused. Original names and codes are shown: this is for the person who holds the files.
    """
    from plr_assets.cli.validate import validate_files

    if validate_files(paths, study, Console()):
        raise typer.Exit(FAILED)


@app.command()
def ui(
    port: Annotated[int, typer.Option(envvar="PLR_UI_PORT", help="Of the Dagster pages.")] = 3000,
    mlflow_port: Annotated[int, typer.Option(envvar="PLR_MLFLOW_PORT", help="Of the MLflow pages.")] = 5000,
) -> None:
    """Serve the Dagster and MLflow pages on this machine until Ctrl-C.

    Webserver, daemon and MLflow start together and end together, with all runs they launched.
    """
    from plr_assets.cli.pages import serve

    serve(port, mlflow_port, Console())


@app.command()
def methods(study: StudyName) -> None:
    """The methods of a study, by axis, and why others are left out."""
    from plr_assets.cli.views import methods_table
    from plr_assets.grid import grid_of
    from plr_assets.study import load_study

    Console().print(methods_table(grid_of(load_study(study))))


@app.command()
def studies() -> None:
    """The studies of configs/studies."""
    from plr_assets.cli.views import studies_table
    from plr_assets.study import load_study, study_names

    Console().print(studies_table([load_study(name) for name in study_names()]))


def _print_json(content: Any) -> None:
    json.dump(content, sys.stdout, indent=1, allow_nan=False)
    sys.stdout.write("\n")


def main() -> None:
    """The console script. Errors that the user can mend fill a panel, not a traceback."""
    try:
        app()
    except PlrError as error:
        text = f"[bold]{_plain(error.where)}[/bold]\n\n{_plain(error.problem)}\n{_plain(error.remedy)}"
        Console(stderr=True).print(Panel(text, title="plr cannot do this", border_style="red", title_align="left"))
        sys.exit(UNUSABLE)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
