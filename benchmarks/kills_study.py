"""A tiny automatic study in a home of its own, the processes that work on it, and what is published there.

Belongs here: files, processes and questions. Does not belong here: when what is killed (`kills`).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import dagster as dg
import yaml

from plr_assets.definitions import build_definitions
from plr_assets.defs import ASSETS
from plr_assets.grid import grid_of
from plr_assets.platform import attempts, automation
from plr_assets.platform.contract import Contract
from plr_assets.platform.environment import open_instance
from plr_assets.platform.following import Work, work_to_do
from plr_assets.platform.integrity import check_integrity
from plr_assets.platform.planning import Planner
from plr_assets.platform.runner import materialized_versions
from plr_assets.platform.sensors import read_from_file, unfinished_runs
from plr_assets.platform.status import study_status
from plr_assets.study import Study, load_study

Kind = Literal["run worker", "daemon", "mapper worker"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# (asset, key) -> artifact -> digest
Digests = dict[tuple[str, str], dict[str, str]]

NAME = "kills"
STUDY: Mapping[str, Any] = {
    "title": "Kills",
    "description": "The smallest study with pipelines to rank, on two workers.",
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
    "simulation": {"control": 12, "glaucoma": 12, "unlabelled": 6},
    "labels": ["control", "glaucoma"],
    "grids": [
        {
            "outlier_detection": ["LOF"],
            "imputation": ["linear"],
            "featurization": ["simple"],
            "classification": ["LogisticRegression", "XGBoost"],
        }
    ],
    "bootstrap": {"iterations": 12},
    "workers": {"kind": "process", "processes": 2},
    "automation": "automatic",
}
# What tells of the machine: measured seconds, and the commit that a report was written at.
MEASURED = {"pipeline_costs", "cost_figures", "report"}
# One file stands for all its runs: it is built, and published, again where the study went back to what it was.
PUT_BACK = "results_database"
# Instead of the 30 s of `automation`: what is waited for here is not what is tested.
LOOK_EVERY_S = 5
# Likewise, instead of the 30 s of `attempts`.
WAIT_S = 1.0
_ENVIRONMENT = {"PLR_HOME": "home", "DAGSTER_HOME": "home", "PLR_DATA_DIR": "data", "PLR_STATE": "state"}
_ROOT = Path(__file__).resolve().parents[1]


def hurried() -> dg.Definitions:
    """The code location: as `plr_assets.definitions` makes it, with a sensor that looks and asks more often."""
    automation.FOLLOW_EVERY_S = LOOK_EVERY_S
    attempts.FIRST_WAIT_S = WAIT_S
    study = load_study(NAME)
    return build_definitions(study, reread=lambda: read_from_file(study))


@dataclass(frozen=True)
class Home:
    """Everything that one side reads and writes, below `root`."""

    root: Path

    def make(self) -> None:
        home = self.root / "home"
        shutil.copytree(_ROOT / "configs" / "methods", home / "configs" / "methods")
        (home / "configs" / "studies").mkdir()
        figures = yaml.safe_load((_ROOT / "configs" / "figures.yaml").read_text(encoding="utf-8"))
        figures["style"]["dpi"] = 72  # the least there is; 300 would take most of a run's time
        (home / "configs" / "figures.yaml").write_text(yaml.safe_dump(figures), encoding="utf-8")
        entry = {"module_name": __name__, "attribute": hurried.__name__, "location_name": NAME}
        (home / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [{"python_module": entry}]}))
        settings = yaml.safe_load((_ROOT / "dagster.yaml").read_text(encoding="utf-8"))
        settings["run_monitoring"].update(
            start_timeout_seconds=40, poll_interval_seconds=5, free_slots_after_run_end_seconds=5
        )
        (home / "dagster.yaml").write_text(yaml.safe_dump(settings))
        (self.root / "data").mkdir()
        (self.root / "state").mkdir()
        with self.entered(), open_instance() as instance:
            instance.get_runs_count()

    def write_study(self, neighbors: int) -> None:
        """Whole at any moment: the sensor reads it too."""
        methods = {
            "outlier_detection": {"LOF": {"n_neighbors": neighbors}},
            # fewer subjects than the registry's value is meant for: with it XGBoost would not split at all
            "classification": {"XGBoost": {"min_child_weight": 1.0, "n_estimators": 20}},
        }
        path = self.root / "home" / "configs" / "studies" / f"{NAME}.yaml"
        partial = path.with_suffix(".partial")
        partial.write_text(yaml.safe_dump({**STUDY, "methods": methods}), encoding="utf-8")
        partial.replace(path)

    def environment(self) -> dict[str, str]:
        ours = {name: str(self.root / folder) for name, folder in _ENVIRONMENT.items()}
        others = {k: v for k, v in os.environ.items() if k not in ("MLFLOW_TRACKING_URI", "PLR_WORKERS")}
        path = os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])
        return {**others, **ours, "PYTHONPATH": path, "DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This process reads and writes here."""
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.environment())
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def run(self) -> None:
        """`plr run`, undisturbed."""
        command = [sys.executable, "-c", "from plr_assets.cli import main; main()", "run", NAME]
        subprocess.run(command, env=self.environment(), check=True, stdout=subprocess.DEVNULL)

    # -- questions --------------------------------------------------------------------------------------------------

    def digests(self) -> Digests:
        """Artifact -> digest of what was published for each partition of the study as it is declared now."""
        with self.entered(), closing(Contract(NAME)) as contract:
            study = self._study()
            planner = Planner(study, grid_of(study), contract)
            found = {}
            for asset in ASSETS:
                for plan in planner.plan(asset) if asset.offered(study) and asset.name not in MEASURED else ():
                    run = contract.with_fingerprint(asset.name, plan.text, plan.fingerprint)
                    if run is not None:
                        found[asset.name, plan.text] = {name: info.digest for name, info in run.artifacts.items()}
            return found

    def settled(self) -> bool:
        """Nothing goes on, and nothing is left to do, in the tracking store and in Dagster's pages."""
        with self.entered(), open_instance() as instance:
            return not unfinished_runs(instance, NAME) and not self._work(instance).wanted

    def state(self) -> str:
        with self.entered(), open_instance() as instance:
            work = self._work(instance)
            runs = Counter(run.status.value for run in unfinished_runs(instance, NAME))
        held = f", held: {next(iter(work.held.items()))} and {len(work.held) - 1} more" if work.held else ""
        return f"{work.partitions} partition(s) to do, runs {dict(runs)}{held}"

    def problems(self) -> list[str]:
        """What is wrong in a settled study."""
        with self.entered(), open_instance() as instance, closing(Contract(NAME)) as contract:
            study = self._study()
            assets = [asset for asset in ASSETS if asset.offered(study)]
            found = [f"held: {place}: {why}" for place, why in self._work(instance).held.items()]
            for status in study_status(grid_of(study), assets, contract):
                if status.done != status.total or status.failed:
                    found.append(f"status of {status.asset}: {status.done} of {status.total}, {status.failed} failed")
            times = Counter((*place, run.fingerprint) for place in contract.places() for run in contract.runs(*place))
            found += [
                f"doubled: {asset} {key}: published {count} times"
                for (asset, key, _), count in times.items()
                if count > 1 and asset != PUT_BACK
            ]
            found += [str(problem) for problem in check_integrity(study, contract).problems]
            return found

    def leftovers(self) -> list[str]:
        """What still goes on, or is held, though nothing is to be done."""
        with self.entered(), open_instance() as instance, closing(Contract(NAME)) as contract:
            found = [
                f"Dagster run {run.run_id} is {run.status.value}"
                for run in instance.get_runs(dg.RunsFilter(statuses=_GOING_ON))
            ]
            found += [
                f"MLflow run {run.info.run_id} is RUNNING" for run in contract.search() if run.info.status == "RUNNING"
            ]
            storage = instance.event_log_storage
            for pool in storage.get_concurrency_keys():
                if slots := storage.get_concurrency_info(pool).active_slot_count:
                    found.append(f"pool {pool}: {slots} place(s) taken")
            return found

    def _work(self, instance: dg.DagsterInstance) -> Work:
        study = self._study()
        with closing(Contract(NAME)) as contract:
            planner = Planner(study, grid_of(study), contract)
            assets = [asset for asset in ASSETS if asset.offered(study)]
            return work_to_do(planner, assets, lambda asset: materialized_versions(instance, NAME, asset))

    @staticmethod
    def _study() -> Study:
        load_study.cache_clear()
        return load_study(NAME)


_GOING_ON = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


class Processes:
    """The daemon of a home, and everything that it started, also through daemons that are no more."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._daemon: subprocess.Popen[bytes] | None = None

    def start_daemon(self) -> None:
        if self._daemon is not None:
            self._daemon.wait()
        command = Path(sys.executable).parent / "dagster-daemon"
        with (self.home.root / "daemon.log").open("ab") as log:
            self._daemon = subprocess.Popen(
                [str(command), "run", "-w", str(self.home.root / "home" / "workspace.yaml")],
                cwd=self.home.root,
                env={**self.home.environment(), "DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS": "900"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def of(self, kind: Kind) -> list[int]:
        """Process ids of a kind that live now."""
        if kind == "daemon":
            return [self._daemon.pid] if self._daemon is not None and self._daemon.poll() is None else []
        tree = dict(self._tree())
        spawned = {pid: parent for pid, (parent, command) in tree.items() if "spawn_main" in command}
        mappers = [pid for pid, parent in spawned.items() if parent in spawned]
        # what serves the code location spawns run workers, and nothing else
        workers = [pid for pid, parent in spawned.items() if parent not in spawned and parent in tree]
        return mappers if kind == "mapper worker" else workers

    def stop(self) -> None:
        """End all of them."""
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGTERM)
            time.sleep(5)
            self._daemon.kill()
            self._daemon.wait()
        for pid, _ in self._tree():
            os.kill(pid, signal.SIGKILL)

    def _tree(self) -> Iterator[tuple[int, tuple[int, str]]]:
        """Process id -> parent and command of every process of this home."""
        mark = f"PLR_STATE={self.home.root / 'state'}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark not in (folder / "environ").read_bytes().split(b"\0"):
                    continue
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue  # somebody else's, or it ended while we looked
            if fields[0] != "Z":
                yield int(folder.name), (int(fields[1]), command)
