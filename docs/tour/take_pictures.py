"""Takes the pictures of docs/tour.md from the running pages: `make tour`.

Belongs here: which page, what is done on it, and what the picture is called. Does not belong here: words about what is
seen (`docs/tour.md`).

Nothing is drawn by hand, so that the pictures cannot show a product that does not exist. One partition and one backfill
are really launched, in whatever data and state PLR_DATA_DIR and PLR_STATE name; the check that fails does so elsewhere.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from unittest import mock

import dagster as dg
import yaml
from browser import Browser, TourError, browser, choose_partitions, launch_backfill, open_dialog, partition_page
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionStatus, PartitionBackfill
from PIL import Image
from rich.console import Console
from selenium.webdriver.common.keys import Keys

from plr_assets.cli.pages import lineage_url
from plr_assets.cli.views import leaderboard_view
from plr_assets.errors import PlrError
from plr_assets.grid import Grid, PipelineKey, grid_of
from plr_assets.paths import configs_dir, project_root
from plr_assets.platform.contract import Contract
from plr_assets.platform.environment import open_instance, prepare
from plr_assets.platform.leaderboard import leaderboard, missing_pipelines
from plr_assets.platform.leftovers import close_launched_runs
from plr_assets.platform.results_db import database_path
from plr_assets.platform.services import only_supervisor, serving, ui_services
from plr_assets.study import Study, load_study

STUDY = "demo"
MASK = "LOF"
STRICT_LIMIT = 0.005  # of flagged recordings: the demo has 1 in 136
IMAGES = project_root() / "docs" / "images"

_COLOURS = 256
_FIGURE_WIDTH = 1200
# flat nodes, and the groups that read all others closed: the graph fits into the picture with letters that can be read
_FACETS = '["status","partitions"]'
_OPENED_GROUPS = ("data_import", "outlier_detection", "imputation", "featurization", "classification")
_STATES_LOAD_S = 5.0  # between two pictures that are the same; states are loaded some assets at a time
_RUN_S = 240.0
_LEADERBOARD_WIDTH = 102  # of its longest line
_FULL_NAMES = 120  # letters from which on the leaderboard does not abbreviate


def save_png(picture: Image.Image, name: str, width: int | None = None) -> None:
    if width is not None:
        picture = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
    # few colours and no dithering: screens and plots are flat, so the file is a third of the size. k-means: pale greys
    # would otherwise take a neighbour's tint
    small = picture.convert("RGB").quantize(_COLOURS, kmeans=3, dither=Image.Dither.NONE)
    small.save(IMAGES / name, optimize=True)


def shoot(page: Browser, name: str, rest_s: float = 0.0) -> None:
    save_png(page.picture(rest_s), name)


# -- Dagster ----------------------------------------------------------------------------------------------------------


def lineage(page: Browser, port: int) -> None:
    page.size(1100, 860)
    page.remember(
        f"http://127.0.0.1:{port}",
        {
            "dagster-nav-collapsed": "true",
            "asset-graph-direction": '"vertical"',
            "asset-node-facets": _FACETS,
        },
    )
    opened = "%2C".join(f"global%40global%3A{group}" for group in _OPENED_GROUPS)
    page.open(f"{lineage_url(STUDY, port)}?expanded={opened}")
    page.click("//button[.//*[@aria-label='panel_show_right']]")
    page.until(lambda: not page.shown("//input[@placeholder='Jump to…']"), "collapsed list of groups")
    page.text("bootstrap_results")
    shoot(page, "lineage.png", _STATES_LOAD_S)


def partitions(page: Browser, port: int, pipeline: str) -> None:
    page.size(1500, 840)
    page.open(partition_page(port, STUDY, "bootstrap_results", pipeline))
    page.text("mlflow_run_id")
    shoot(page, "partitions.png")


def sub_grid(grid: Grid) -> list[PipelineKey]:
    """Two detectors by two classifiers, under the first imputation that is no oracle: not a contiguous range."""
    chosen = [key for key in grid.pipelines if not grid.is_oracle(key)]
    imputation = chosen[0].named("imputation")
    detectors = list(dict.fromkeys(key.named("outlier_detection") for key in chosen))[:2]
    classifiers = list(dict.fromkeys(key.named("classification") for key in chosen))[:2]
    return [
        key
        for key in chosen
        if key.named("imputation") == imputation
        and key.named("outlier_detection") in detectors
        and key.named("classification") in classifiers
    ]


def backfill(page: Browser, port: int, instance: dg.DagsterInstance, keys: list[PipelineKey]) -> None:
    page.size(1280, 800)
    open_dialog(page, partition_page(port, STUDY, "bootstrap_results"))
    choose_partitions(page, [str(key) for key in keys])
    page.press(keys[0].named("imputation"))  # into the filter, so that the choice is in view
    shoot(page, "backfill.png")
    page.press(Keys.ESCAPE)
    backfill_id = launch_backfill(page)

    def ended() -> PartitionBackfill | None:
        found = instance.get_backfill(backfill_id)
        return found if found is not None and found.status in BULK_ACTION_TERMINAL_STATUSES else None

    found = page.until(ended, "end of the backfill", _RUN_S)
    if found.status != BulkActionStatus.COMPLETED_SUCCESS:
        raise TourError(f"backfill {backfill_id}", f"it ended as {found.status.value}.", "See `make ui`, Runs.")
    page.size(1280, 420)
    page.open(f"http://127.0.0.1:{port}/runs/b/{backfill_id}?tab=runs")
    page.text("Success")
    shoot(page, "backfill_runs.png")


def failed_check(page: Browser) -> None:
    """In data and state of its own, with a limit below what the demo's recordings have."""
    with strict_demo():
        command = [sys.executable, "-c", "from plr_assets.cli import main; main()", "run", STUDY, "--select"]
        done = subprocess.run([*command, "asset=recordings"], capture_output=True, text=True, check=False)
        if "check failed" not in done.stdout:
            raise TourError("the strict demo", f"its check does not fail: {done.stdout[-500:]}", "Lower the limit.")
        port, mlflow_port = free_ports()
        with serving([service for service in ui_services(port, mlflow_port) if service.name == "dagster-webserver"]):
            page.size(1280, 720)
            page.open(f"http://127.0.0.1:{port}/assets/{STUDY}/recordings?view=checks")
            page.text("Failed")
            shoot(page, "failed_check.png", rest_s=1.0)


@contextmanager
def strict_demo() -> Iterator[None]:
    """A home with the demo study, its limit of flagged recordings lowered, and nothing computed."""
    with tempfile.TemporaryDirectory(prefix="plr-strict-") as folder:
        home = Path(folder)
        shutil.copytree(configs_dir(), home / "configs")
        for name in ("dagster.yaml", "workspace.yaml", "requirements.lock"):
            shutil.copy(project_root() / name, home)
        path = home / "configs" / "studies" / f"{STUDY}.yaml"
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        path.write_text(yaml.safe_dump({**content, "quality": {"max_flagged_share": STRICT_LIMIT}}), encoding="utf-8")
        places = {"PLR_HOME": "", "DAGSTER_HOME": "", "PLR_DATA_DIR": "data", "PLR_STATE": "state"}
        with mock.patch.dict(os.environ, {variable: str(home / name) for variable, name in places.items()}):
            os.environ.pop("MLFLOW_TRACKING_URI", None)
            prepare()
            yield


def materialize(page: Browser, port: int, instance: dg.DagsterInstance) -> None:
    page.size(1280, 740)
    open_dialog(page, partition_page(port, STUDY, "outlier_masks", MASK))
    shoot(page, "materialize.png")
    page.click("//*[@role='dialog']//button[normalize-space(.)='Launch 1 run']")
    link = page.until(lambda: page.shown("//a[normalize-space(.)='View' and contains(@href,'/runs/')]"), "launched run")
    run_id = str(link[0].get_attribute("href")).rpartition("/")[2]

    def ended() -> dg.DagsterRun | None:
        run = instance.get_run_by_id(run_id)
        return run if run is not None and run.is_finished else None

    run = page.until(ended, "end of the run", _RUN_S)
    if not run.is_success:
        raise TourError(f"run {run_id}", f"it ended as {run.status.value}.", "Its page says why: `make ui`, Runs.")


def children(page: Browser, port: int) -> None:
    """The assets that are computed from the mask."""
    page.size(1500, 1060)
    page.remember(f"http://127.0.0.1:{port}", {"asset-graph-direction": '"horizontal"', "asset-node-facets": _FACETS})
    page.open(f"http://127.0.0.1:{port}/assets/{STUDY}/outlier_masks?view=lineage&lineageScope=downstream")
    page.text("signal_figures")
    shoot(page, "children.png", _STATES_LOAD_S)


# -- MLflow, terminal, figures ----------------------------------------------------------------------------------------


def mlflow_run(page: Browser, port: int, pipeline: str) -> None:
    contract = Contract(STUDY)
    run = contract.latest("bootstrap_results", pipeline)
    if run is None:
        raise not_run_yet()
    fragment = contract.run_url(run.run_id, "PLR_Classification").partition("#")[2]
    page.size(1360, 920)
    page.remember(
        f"http://127.0.0.1:{port}",
        {
            "mlflow.workflowType_v1": '"machine_learning"',
            "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
            "mlflow.assistant.panelOpen_v1": "false",
        },
    )
    page.open(f"http://127.0.0.1:{port}/#{fragment}")
    page.text("auroc")
    shoot(page, "mlflow_run.png")


def leaderboard_picture(study: Study) -> None:
    console = Console(record=True, width=_LEADERBOARD_WIDTH, file=io.StringIO())
    console.print(leaderboard_view(study, leaderboard(study), missing_pipelines(study), _FULL_NAMES))
    svg = console.export_svg(title=f"plr leaderboard {STUDY}")
    # the fonts would be asked of another server; letters have their widths in the file, so any monospace will do
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code,", "DejaVu Sans Mono, Menlo, Consolas,")
    (IMAGES / "leaderboard.svg").write_text(svg, encoding="utf-8")


def figures(study: Study, pipeline: str) -> None:
    folder = study.data_dir / "figures"
    for path, name in (
        (folder / "pipelines" / f"{pipeline}.png", "pipeline_figure.png"),
        (folder / "study" / "auroc_heatmap__simple.png", "heatmap.png"),
    ):
        with Image.open(path) as picture:
            save_png(picture, name, _FIGURE_WIDTH)


# -- all of them ------------------------------------------------------------------------------------------------------


def not_run_yet() -> TourError:
    return TourError(f"study {STUDY}", "it has not been run with this data and state.", "Run it first: make run.")


def best_pipeline(study: Study, instance: dg.DagsterInstance) -> str:
    """The pipeline of rank 1. Raises TourError if the study was not run, or its events are in another state."""
    if not database_path(study.data_dir).is_file():
        raise not_run_yet()
    if instance.get_latest_materialization_event(dg.AssetKey([STUDY, "bootstrap_results"])) is None:
        raise not_run_yet()
    ranked = leaderboard(study)
    return str(ranked.filter(ranked["rank"] == 1)["pipeline"].item())


def free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        for probe in (first, second):
            probe.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


def take_pictures(console: Console) -> None:
    study = load_study(STUDY)
    IMAGES.mkdir(parents=True, exist_ok=True)
    # PLR_MLFLOW_UI is left alone: the links that the materialisation stores lead to where `make ui` serves
    with open_instance() as instance, only_supervisor(), browser() as page:
        pipeline = best_pipeline(study, instance)
        figures(study, pipeline)
        leaderboard_picture(study)
        port, mlflow_port = free_ports()
        console.print("starting the pages ...")
        try:
            with serving(ui_services(port, mlflow_port)):
                console.print("taking pictures ...")
                lineage(page, port)
                partitions(page, port, pipeline)
                backfill(page, port, instance, sub_grid(grid_of(study)))
                materialize(page, port, instance)
                children(page, port)
                mlflow_run(page, mlflow_port, pipeline)
        finally:
            close_launched_runs(instance)
        failed_check(page)
    for path in sorted(IMAGES.iterdir()):
        console.print(f"  {path.relative_to(project_root())}  {path.stat().st_size / 1000:.0f} kB", highlight=False)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    signal.signal(signal.SIGTERM, _interrupt)  # the services would outlive a process that ends at once
    console = Console()
    try:
        take_pictures(console)
    except PlrError as error:
        console.print(f"{error.where}: {error.problem}\n{error.remedy}", style="red", markup=False, soft_wrap=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
