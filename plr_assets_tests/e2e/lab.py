"""A lab: a data folder, a Dagster home and a tracking store of their own, and a tiny study to run in them."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from plr_assets.definitions import build_definitions
from plr_assets.defs import ASSETS
from plr_assets.figures import save
from plr_assets.grid import Grid, grid_of
from plr_assets.paths import project_root
from plr_assets.platform.assets import asset_key
from plr_assets.platform.contract import Contract
from plr_assets.platform.environment import open_instance
from plr_assets.platform.execution import KeyResult
from plr_assets.platform.mapper import SerialMapper
from plr_assets.platform.planning import KeyPlan, Planner
from plr_assets.platform.progress import KeyProgress
from plr_assets.platform.resources import live_resources
from plr_assets.platform.runner import AssetOutcome, Runner
from plr_assets.platform.selection import needed_keys, parse_selection
from plr_assets.platform.stages import StageAsset
from plr_assets.study import Study, load_study
from plr_assets_tests.studies import TRIAL_BASE

BY_NAME: Mapping[str, StageAsset] = {asset.name: asset for asset in ASSETS}
NOT_FIGURES = tuple(asset.name for asset in ASSETS if asset.stage.name != "figures")

TRIAL: Mapping[str, Any] = {
    **TRIAL_BASE,
    "simulation": {"control": 12, "glaucoma": 12, "unlabelled": 6},
    "grids": [
        {
            "outlier_detection": ["pupil-gt", "LOF"],
            "imputation": ["pupil-gt", "linear"],
            "featurization": ["simple"],
            "classification": ["LogisticRegression"],
        },
        {
            "outlier_detection": ["LOF"],
            "imputation": ["linear"],
            "featurization": ["simple"],
            "classification": ["LogisticRegression", "XGBoost"],
        },
    ],
    "bootstrap": {"iterations": 12},
    # fewer subjects than the registry's value is meant for: with it XGBoost would not split at all
    "methods": {"classification": {"XGBoost": {"min_child_weight": 1.0, "n_estimators": 20}}},
    "workers": {"kind": "serial"},
}

_FULL_PNG = save._png

Place = tuple[str, str]  # asset, partition (the asset's own name where it has none)


class _Nobody:
    """Watches without a word."""

    def starts(self, asset: StageAsset, to_do: int) -> None: ...

    def reports(self, event: KeyResult | KeyProgress) -> None: ...

    def ends(self, asset: StageAsset, outcome: AssetOutcome) -> None: ...


# What tells of the machine: measured seconds, and the commit that a report was written at.
MEASURED = {"pipeline_costs", "cost_figures", "report"}


@dataclass(frozen=True)
class Lab:
    """Everything that a run reads and writes, below one folder. Use it between `enter` and the end of the test."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def folder(self) -> Path:
        """The trial's data folder."""
        return self.data / "trial"

    def enter(self, patch: pytest.MonkeyPatch) -> Lab:
        """Point the process here. Figures are coarse: 300 dpi would take most of a run's time."""
        places = {"PLR_DATA_DIR": "data", "PLR_STATE": "state", "DAGSTER_HOME": "home"}
        for variable, name in places.items():
            patch.setenv(variable, str(self.root / name))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("PLR_WORKERS", "serial")
        patch.setattr("plr_assets.figures.save._png", lambda figure, dpi: _FULL_PNG(figure, min(dpi, 30)))
        return self

    def study_file(self, **changes: Any) -> Path:
        """The trial with `changes` on top of its keys, as a file of its own."""
        folder = self.root / "studies" / str(len(list((self.root / "studies").glob("*"))))
        folder.mkdir(parents=True)
        path = folder / "trial.yaml"
        path.write_text(yaml.safe_dump({**TRIAL, **changes}), encoding="utf-8")
        return path

    def study(self, **changes: Any) -> Study:
        return load_study(str(self.study_file(**changes)))

    def run(
        self, study: Study | None = None, select: str = "", only: tuple[str, ...] | None = None
    ) -> dict[str, AssetOutcome]:
        """As `plr run` does it; `only`: these assets."""
        study = study or self.study()
        grid = grid_of(study)
        assets = [asset for asset in ASSETS if asset.offered(study)]
        wanted = needed_keys(assets, grid, parse_selection(select, grid, assets))
        workers = SerialMapper()
        with open_instance() as instance, closing(Contract(study.name)) as contract:
            definitions = build_definitions(study, live_resources(contract, workers, lambda _: None))
            runner = Runner(grid, assets, definitions, instance, contract, _Nobody())
            return runner.run({asset: keys for asset, keys in wanted.items() if only is None or asset.name in only})

    def plans(self, study: Study | None = None) -> dict[Place, KeyPlan]:
        """What a run of `study` would find, by partition."""
        study = study or self.study()
        planner = planner_of(study)
        return {
            (asset.name, plan.text): plan for asset in ASSETS if asset.offered(study) for plan in planner.plan(asset)
        }

    def digests(self) -> dict[Place, dict[str, str]]:
        """Artifact -> digest of the newest published run of every partition of the trial."""
        contract, grid = Contract("trial"), grid_of(self.study())
        found = {}
        for place in places_of(grid):
            run = contract.latest(*place)
            if run is not None:
                found[place] = {name: info.digest for name, info in run.artifacts.items()}
        return found

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        with open_instance() as instance:
            yield instance

    def materialized(self, place: Place, study: str = "trial") -> list[dg.AssetMaterialization]:
        """Events of a partition in the Dagster instance, newest first."""
        asset, partition = place
        key = asset_key(study, asset)
        with self.instance() as instance:
            wanted = dg.AssetRecordsFilter(
                asset_key=key, asset_partitions=[partition] if BY_NAME[asset].partitioned else None
            )
            records = instance.fetch_materializations(wanted, limit=100).records
        return [event for record in records if (event := record.asset_materialization) is not None]

    def dagster_runs(self) -> int:
        with self.instance() as instance:
            return instance.get_runs_count()

    def copy(self, root: Path) -> Lab:
        """Another lab with the same content. The store holds absolute places, which are rewritten."""
        shutil.copytree(self.root, root)
        with closing(sqlite3.connect(root / "data" / "mlflow" / "mlflow.db")) as store, store:
            for table, column in (("runs", "artifact_uri"), ("experiments", "artifact_location")):
                store.execute(
                    f"UPDATE {table} SET {column} = replace({column}, ?, ?)",  # noqa: S608 - names are the line above's
                    (self.root.as_uri(), root.as_uri()),
                )
        return Lab(root)


def planner_of(study: Study) -> Planner:
    return Planner(study, grid_of(study), Contract(study.name))


def places_of(grid: Grid) -> list[Place]:
    """Every partition of a study, upstream first."""
    return [
        (asset.name, asset.key_text(key))
        for asset in ASSETS
        if asset.offered(grid.study)
        for key in asset.keys_in(grid)
    ]


def to_do(plans: Mapping[Place, KeyPlan]) -> set[Place]:
    """Partitions that are not as they would be computed now."""
    return {place for place, plan in plans.items() if not plan.done}


def descendants(study: Study, *roots: Place) -> set[Place]:
    """`roots` and all that is computed from them, by what the assets say they read."""
    grid, found = grid_of(study), set(roots)
    for asset in ASSETS:
        for key in asset.keys_in(grid):
            parents = {
                (read.asset.name, read.asset.key_text(parent))
                for read in asset.reads_in(study)
                for parent in read.keys(grid, key)
            }
            if parents & found:
                found.add((asset.name, asset.key_text(key)))
    return found


@cache
def empty_lab(base: Path) -> Lab:
    """A lab in which nothing was run. Made once a session: creating the two databases takes seconds."""
    lab = Lab(base / "empty")
    (lab.root / "home").mkdir(parents=True)
    shutil.copy(project_root() / "dagster.yaml", lab.root / "home")
    with pytest.MonkeyPatch.context() as patch:
        lab.enter(patch)
        assert Contract("trial").latest("recordings", "recordings") is None
        assert lab.dagster_runs() == 0
    return lab


@cache
def finished_lab(base: Path) -> Lab:
    """A lab in which the whole trial was run. Shared: tests that change anything take a copy."""
    lab = empty_lab(base).copy(base / "finished")
    with pytest.MonkeyPatch.context() as patch:
        lab.enter(patch).run()
    return lab
