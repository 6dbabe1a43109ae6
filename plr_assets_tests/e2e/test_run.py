"""Whole runs through a real Dagster instance: what is there afterwards, what failure leaves alone, what is private."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from plr_assets.classification.bootstrap import as_seed_dict
from plr_assets.classification.catboost import CatBoost
from plr_assets.definitions import build_definitions
from plr_assets.defs import ASSETS
from plr_assets.defs.results import DATABASE_SOURCES
from plr_assets.errors import RecordingError
from plr_assets.grid import grid_of
from plr_assets.imputation.base import Reconstruction
from plr_assets.imputation.linear import LinearInterpolation
from plr_assets.outlier_detection.human import human_mask
from plr_assets.platform.assets import asset_key
from plr_assets.platform.contract import Contract
from plr_assets.platform.costs import partitions_behind
from plr_assets.platform.leaderboard import leaderboard, missing_pipelines
from plr_assets.platform.results_db import database_path, opened, read_table
from plr_assets.platform.runner import AssetOutcome, summary
from plr_assets.recordings.nuisances import NUISANCES
from plr_assets.recordings.table import Mask, Recordings
from plr_assets.registry import AXES
from plr_assets.schemas import COMPARISON_TABLES, DATABASE_TABLES
from plr_assets_tests.e2e.lab import (
    MEASURED,
    NOT_FIGURES,
    TRIAL,
    Lab,
    Place,
    descendants,
    empty_lab,
    finished_lab,
    places_of,
    to_do,
)
from plr_assets_tests.terminal import Plr

POISONED = ("reconstructions", "LOF__linear")
ONE = "outlier=LOF imputer=linear classifier=LogisticRegression"
FIGURES_OF_ONE = tuple(asset.name for asset in ASSETS if asset.stage.name == "figures")


def run_ids(lab: Lab) -> dict[Place, str]:
    """The published run of every partition."""
    contract, places = Contract("trial"), places_of(grid_of(lab.study()))
    return {place: run.run_id for place in places if (run := contract.latest(*place)) is not None}


# -- one whole run --------------------------------------------------------------------------------------------------


def test_every_partition_is_materialised_with_the_digest_that_was_published(finished: Lab) -> None:
    contract = Contract("trial")
    for place in places_of(grid_of(finished.study())):
        run, events = contract.latest(*place), finished.materialized(place)
        assert run is not None, place
        assert events, place
        assert (events[0].tags or {})["dagster/data_version"] == run.digest, place


def test_keys_of_one_range_have_data_versions_of_their_own(finished: Lab) -> None:
    keys = [str(key) for key in grid_of(finished.study()).pipelines]
    events = [finished.materialized(("bootstrap_results", key))[0] for key in keys]
    assert len({(event.tags or {})["dagster/data_version"] for event in events}) == len(keys) == 5


def test_a_second_run_starts_no_dagster_run_and_computes_nothing(finished: Lab) -> None:
    before, runs = run_ids(finished), finished.dagster_runs()
    total = summary(finished.run())
    assert finished.dagster_runs() == runs
    assert run_ids(finished) == before
    assert total == {"computed": 0, "reused": len(before), "failed": 0, "blocked": 0}


def test_the_database_holds_a_row_a_pipeline_and_the_rows_of_the_published_tables(finished: Lab) -> None:
    study = finished.study()
    pipelines = {str(key) for key in grid_of(study).pipelines}
    path = database_path(study.data_dir)
    assert set(read_table(path, "essential_metrics")["pipeline"]) == pipelines
    assert read_table(path, "essential_metrics").height == len(pipelines)
    assert missing_pipelines(study) == []
    contract = Contract("trial")
    for table in DATABASE_TABLES:
        source = DATABASE_SOURCES[table.name].name
        run = contract.latest(source, source)
        assert run is not None
        found = read_table(path, table.name)
        assert found.height == run.artifacts[table.name].rows
        if table in COMPARISON_TABLES:
            assert table.name != "pipeline_ranks" or set(found["pipeline"]) == pipelines
        elif "pipeline" in found.columns:
            assert set(found["pipeline"]) == pipelines
        elif "confounder" in found.columns:
            assert set(found["confounder"]) == set(NUISANCES)
        elif "method" in found.columns:
            assert set(found["method"]) == {str(key) for key in grid_of(study).outlier_masks}
        else:
            axes = [axis for axis in AXES if axis in found.columns]
            keys = grid_of(study).features if "featurization" in axes else grid_of(study).imputed_signals
            if table.name == "imputation_comparisons":  # of others than straight lines, and no oracle
                keys = tuple(key for key in keys if key.imputation not in ("linear", "pupil-gt"))
            assert set(found.select(axes).iter_rows()) == {tuple(key.named(axis) for axis in axes) for key in keys}
        assert found.columns == list(table.column_names)


def test_the_database_says_which_tracked_run_each_pipeline_comes_from(finished: Lab) -> None:
    rows = read_table(database_path(finished.folder), "provenance")
    assert dict(zip(rows["pipeline"], rows["mlflow_run_id"], strict=True)) == {
        key: run for (asset, key), run in run_ids(finished).items() if asset == "evaluation"
    }


def test_the_database_names_every_run_behind_each_pipeline(finished: Lab) -> None:
    lineage = read_table(database_path(finished.folder), "lineage")
    grid, runs = grid_of(finished.study()), run_ids(finished)
    (evaluation,) = (asset for asset in ASSETS if asset.name == "evaluation")
    for pipeline in grid.pipelines:
        behind = lineage.filter(pipeline=str(pipeline))
        assert {(asset, key): run for asset, key, run in behind.select("asset", "key", "mlflow_run_id").rows()} == {
            (asset.name, asset.key_text(key)): runs[asset.name, asset.key_text(key)]
            for asset, key in partitions_behind(evaluation, pipeline, grid)
        }
    recordings = Contract("trial").latest("recordings", "recordings")
    assert recordings is not None
    told = lineage.filter(asset="recordings").drop("pipeline").unique().row(0, named=True)
    assert (told["fingerprint"], told["digest"]) == (recordings.fingerprint, recordings.digest)
    assert set(lineage.filter(asset="evaluation")["data_version"]) == {recordings.artifacts["recordings"].digest}
    # two configurations, two versions; one configuration, one
    bootstraps = lineage.filter(asset="bootstrap_results").unique("key")
    assert bootstraps["config_version"].n_unique() == len({key.named("classification") for key in grid.pipelines})
    provenance = read_table(database_path(finished.folder), "provenance")
    own = lineage.filter(asset="evaluation").select(provenance.drop("published").columns)
    assert_frame_equal(provenance.drop("published"), own, check_row_order=False)


def test_the_leaderboard_falls_by_auroc_and_ranks_no_oracle(finished: Lab) -> None:
    rows = leaderboard(finished.study())
    assert rows["auroc"].to_list() == sorted(rows["auroc"], reverse=True)
    oracles = rows.filter(pl.col("rank").is_null())
    assert oracles["oracle"].all()
    assert {"pupil-gt"} == {
        name for row in oracles.iter_rows(named=True) for name in (row["outlier_detection"], row["imputation"])
    } - {"LOF", "linear"}
    ranked = rows.drop_nulls("rank")
    assert ranked["rank"].to_list() == [1, 2]
    assert not ranked["oracle"].any()
    assert rows["synthetic"].all()


def test_status_and_leaderboard_of_the_terminal_agree_with_the_store(lab: Lab, plr: Plr) -> None:
    study = str(lab.study_file())
    assert "Nothing to do" in plr("run", study).out
    status = json.loads(plr("status", study, "--json").out)
    partitions = places_of(grid_of(lab.study()))
    assert status["pipelines"] == {"total": 5, "done": 5}
    assert sum(stage["done"] for stage in status["stages"].values()) == len(partitions)
    assert sum(stage["reused"] for stage in status["stages"].values()) == len(partitions)
    rows = json.loads(plr("leaderboard", study, "--json").out)
    assert [row["pipeline"] for row in rows] == leaderboard(lab.study())["pipeline"].to_list()


# -- what people are handed -----------------------------------------------------------------------------------------


def test_the_report_has_every_figure_of_the_study_and_names_what_it_was_made_from(finished: Lab) -> None:
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    drawn = {path.stem for path in (finished.folder / "figures").rglob("*.json")}
    assert len(drawn) > 15
    assert {stem for stem in drawn if f'-{stem}"' not in page} == set()
    assert "Simulated data: nothing here was measured in people." in page
    contract = Contract("trial")
    for place in (("essential_metrics", "essential_metrics"), ("study_figures", "study_figures")):
        run = contract.latest(*place)
        assert run is not None
        assert run.run_id in page
        assert all(info.digest in page for info in run.artifacts.values())
    assert "Nothing: all that the study asks for is here." in page


def test_every_figure_says_which_published_content_it_was_drawn_from(finished: Lab) -> None:
    contract = Contract("trial")
    for name in ("auroc_by_method", "specification_curve"):
        sidecar = json.loads((finished.folder / "figures" / "study" / f"{name}.json").read_text(encoding="utf-8"))
        run = contract.latest("essential_metrics", "essential_metrics")
        assert run is not None
        told = sidecar["provenance"]["inputs"]["essential_metrics:essential_metrics"]
        assert told == {"essential_metrics": run.artifacts["essential_metrics"].digest}
        table = read_table(database_path(finished.folder), "essential_metrics")
        assert sidecar["data"]["table"]["auroc"] == table["auroc"].to_list()


def test_the_winner_is_named_alike_by_the_table_its_figure_the_report_and_the_paper(finished: Lab) -> None:
    row = read_table(database_path(finished.folder), "winner").filter(metric="auroc").row(0, named=True)
    corrected = f"{row['corrected']:.3f}"
    sidecar = json.loads((finished.folder / "figures" / "study" / "winner.json").read_text(encoding="utf-8"))
    assert sidecar["data"]["winner"]["corrected"][0] == row["corrected"]
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    section = page[page.index('<h2 id="winner">') : page.index('<h2 id="section-1">')]
    assert f"{corrected} (" in section
    assert "†" in section, "the best oracle stands apart"
    tables = finished.folder / "tables"
    assert rf"\newcommand{{\plrWinnerAuroc}}{{{corrected}}}" in (tables / "numbers.tex").read_text(encoding="utf-8")
    assert f"{corrected} (" in (tables / "winner.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("figure", "asset", "table"),
    [
        ("auroc_by_method", "essential_metrics", "essential_metrics"),
        ("critical_difference", "pipeline_comparisons", "method_ranks"),
    ],
)
def test_a_figure_leads_back_to_the_recordings_run_by_run(finished: Lab, figure: str, asset: str, table: str) -> None:
    """From the JSON beside a figure to the digest of what the devices gave, over published runs alone."""
    contract = Contract("trial")
    sidecar = json.loads((finished.folder / "figures" / "study" / f"{figure}.json").read_text(encoding="utf-8"))
    (digest,) = sidecar["provenance"]["inputs"][f"{asset}:{table}"].values()
    drawn = contract.latest(asset, asset)
    assert drawn is not None
    assert drawn.artifacts[table].digest == digest
    waiting, seen, found = [drawn.run_id], set(), set()
    while waiting:
        run_id = waiting.pop()
        if run_id not in seen:
            seen.add(run_id)
            above = contract.upstream(run_id)
            found |= {upstream for place, upstream in above.items() if place == "recordings"}
            waiting += above.values()
    recordings = contract.latest("recordings", "recordings")
    assert recordings is not None
    assert found == {recordings.run_id}
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    assert f"<dt>Content of the recordings</dt><dd>{recordings.artifacts['recordings'].digest}</dd>" in page


def test_the_terminal_answers_questions_and_says_where_the_report_is(finished: Lab, plr: Plr) -> None:
    study, query = str(finished.study_file()), "SELECT pipeline, auroc FROM essential_metrics ORDER BY pipeline"
    table = read_table(database_path(finished.folder), "essential_metrics").sort("pipeline")
    lines = plr("sql", study, query, "--csv").out.splitlines()
    assert lines[0] == "pipeline,auroc"
    assert [line.partition(",")[0] for line in lines[1:]] == table["pipeline"].to_list()
    assert [float(line.partition(",")[2]) for line in lines[1:]] == table["auroc"].to_list()
    shown = plr("sql", study, query, "--rows", "2").out
    assert table["pipeline"][1] in shown
    assert table["pipeline"][2] not in shown
    assert "5 rows; the first 2 are shown" in shown
    assert plr("report", study).out.strip() == str(finished.folder / "report.html")


def test_numbers_for_a_paper_are_those_of_the_database(finished: Lab) -> None:
    text = (finished.folder / "tables" / "numbers.tex").read_text(encoding="utf-8")
    best = leaderboard(finished.study()).filter(rank=1).row(0, named=True)
    assert f"\\newcommand{{\\plrBestAuroc}}{{{best['auroc']:.3f}}}" in text
    assert f"{best['pipeline']}, column auroc" in text
    assert "\\newcommand{\\plrPublishedPipelines}{5}" in text


def test_what_pipelines_cost_is_the_seconds_of_all_their_parts(finished: Lab) -> None:
    contract, grid = Contract("trial"), grid_of(finished.study())
    run = contract.latest("pipeline_costs", "pipeline_costs")
    assert run is not None
    costs = pl.read_parquet(contract.ref(run, "pipeline_costs").path)
    assert set(costs["pipeline"]) == {str(key) for key in grid.pipelines}
    human = costs.filter(pipeline="simple__pupil-gt__pupil-gt__LogisticRegression").row(0, named=True)
    parts = [("outlier_masks", "pupil-gt"), ("imputed_signals", "pupil-gt__pupil-gt")]
    parts += [("features", "simple__pupil-gt__pupil-gt"), ("bootstrap_results", human["pipeline"])]
    taken = [published.seconds for place in parts if (published := contract.latest(*place)) is not None]
    assert len(taken) == len(parts)
    assert human["seconds"] == pytest.approx(sum(taken), abs=0.01)


# -- privacy --------------------------------------------------------------------------------------------------------


def published_text(lab: Lab) -> Iterator[tuple[Path, str]]:
    """All text below the tracking store, Dagster's state, figures and the database. Parquet is compressed: decoded."""
    for folder in (lab.data / "mlflow", lab.root / "state", lab.folder / "figures", lab.folder / "tables"):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            if path.suffix == ".parquet":
                strings = pl.read_parquet(path).select(pl.selectors.string())
                yield path, " ".join([*strings.columns, *(str(row) for row in strings.iter_rows())])
            else:
                yield path, path.read_bytes().decode("latin-1")
    path = database_path(lab.folder)
    with opened(path) as connection:
        names = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
        for name in names:
            yield path, str(connection.table(name).fetchall())
    for name in ("last_run.json", "report.html"):
        yield lab.folder / name, (lab.folder / name).read_text(encoding="utf-8")


def test_no_original_subject_code_leaves_the_private_file(lab: Lab, plr: Plr) -> None:
    """Not even those of a quarantined file."""
    broken = sorted((lab.folder / "raw").iterdir())[0]
    broken.write_bytes(b"not,a,recording\n")
    assert plr("run", str(lab.study_file()), "--select", ONE).code == 0
    lookup = lab.folder / "private" / "lookup.json"
    assert lookup.stat().st_mode & 0o777 == 0o600
    codes = set(json.loads(lookup.read_text(encoding="utf-8"))["subjects"])
    assert len(codes) == 30
    assert broken.stem.partition("_")[0] in codes
    seen = [(path, text) for path, text in published_text(lab)]
    assert {path.suffix for path, _ in seen} >= {".parquet", ".json", ".svg", ".db", ".duckdb"}
    assert any("S001-1" in text for _, text in seen)
    leaks = {str(path.relative_to(lab.root)): code for path, text in seen for code in codes if code in text}
    assert leaks == {}


# -- failure --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mended:
    """A run in which one key failed, and the run after its cause was mended."""

    lab: Lab
    recording: str
    first: dict[str, AssetOutcome]
    after_first: dict[Place, str]
    versions: dict[Place, str | None]
    dagster_log: str
    missing: list[str]
    second: dict[str, AssetOutcome]
    after_second: dict[Place, str]


@pytest.fixture(scope="module")
def mended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mended]:
    """Linear interpolation gives up on one recording when LOF masked it, and is mended afterwards."""
    lab = empty_lab(tmp_path_factory.getbasetemp()).copy(tmp_path_factory.mktemp("mended") / "lab")
    works, blamed = LinearInterpolation.reconstruct_with_limits, []

    def gives_up(self: LinearInterpolation, recordings: Recordings, mask: Mask) -> Reconstruction:
        if not np.array_equal(mask, human_mask(recordings)):
            blamed.append(recordings.recording[4])
            raise RecordingError(recordings.recording[4], "there is nothing to hold on to.", "Look at it.")
        return works(self, recordings, mask)

    with pytest.MonkeyPatch.context() as patch:
        lab.enter(patch)
        with patch.context() as poison:
            poison.setattr(LinearInterpolation, "reconstruct_with_limits", gives_up)
            first = lab.run(only=NOT_FIGURES)
        versions = {}
        for place in places_of(grid_of(lab.study())):
            events = lab.materialized(place)
            versions[place] = (events[0].tags or {})["dagster/data_version"] if events else None
        after_first, missing = run_ids(lab), missing_pipelines(lab.study())
        with lab.instance() as instance:
            run = first["reconstructions"].dagster_run
            assert run is not None
            log = "\n".join(str(record.dagster_event or record.user_message) for record in instance.all_logs(run))
        second = lab.run(only=NOT_FIGURES)
        lab.run(select=ONE, only=FIGURES_OF_ONE)
        yield Mended(lab, blamed[0], first, after_first, versions, log, missing, second, run_ids(lab))


@pytest.mark.slow
def test_a_key_that_fails_says_which_recording_and_why(mended: Mended) -> None:
    failed = {(name, key): why for name, outcome in mended.first.items() for key, why in outcome.failed.items()}
    assert list(failed) == [POISONED]
    for text in (failed[POISONED], mended.dagster_log):
        assert mended.recording in text
        assert "there is nothing to hold on to." in text
    assert "LOF__linear" in mended.dagster_log


@pytest.mark.slow
def test_a_key_that_fails_takes_its_descendants_with_it_and_nothing_else(mended: Mended) -> None:
    """Tables are built from what is published; each blocked key names what it lacks."""
    study = mended.lab.study()
    lost = {place for place in descendants(study, POISONED) if place[1] != place[0] and place[0] in NOT_FIGURES}
    everything = {place for place in places_of(grid_of(study)) if place[0] in NOT_FIGURES}
    blocked = {(name, key): why for name, outcome in mended.first.items() for key, why in outcome.blocked.items()}
    assert set(blocked) == lost - {POISONED}
    assert blocked["imputed_signals", "LOF__linear"] == "needs reconstructions LOF__linear"
    assert set(mended.after_first) == everything - lost
    assert {place for place, version in mended.versions.items() if version} == everything - lost
    assert sorted(mended.missing) == ["simple__LOF__linear__LogisticRegression", "simple__LOF__linear__XGBoost"]


@pytest.mark.slow
def test_keys_beside_a_failed_one_are_materialised_with_their_own_version(mended: Mended) -> None:
    run = next(
        run
        for run in Contract("trial", tracking_uri=f"sqlite:///{mended.lab.data}/mlflow/mlflow.db").runs(
            "reconstructions", "pupil-gt__linear"
        )
    )
    assert mended.versions["reconstructions", "pupil-gt__linear"] == run.digest


@pytest.mark.slow
def test_after_mending_only_what_failed_and_what_follows_from_it_is_computed(mended: Mended) -> None:
    study = mended.lab.study()
    new = {place for place, run in mended.after_second.items() if mended.after_first.get(place) != run}
    assert {place for place in new if place[0] in NOT_FIGURES} == {
        place for place in descendants(study, POISONED) if place[0] in NOT_FIGURES
    }
    assert summary(mended.second)["failed"] == summary(mended.second)["blocked"] == 0
    assert summary(mended.second)["reused"] == sum(place[0] in NOT_FIGURES for place in mended.after_second) - sum(
        place[0] in NOT_FIGURES for place in new
    )


@pytest.mark.slow
def test_two_data_folders_hold_the_same_bytes_though_one_run_was_interrupted(
    mended: Mended, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = mended.lab.enter(monkeypatch).digests()
    there = finished_lab(tmp_path_factory.getbasetemp()).enter(monkeypatch).digests()
    assert {place[0] for place in here} == {place[0] for place in there}
    here = {place: digests for place, digests in here.items() if place[0] not in MEASURED}
    assert len(here) > 30
    assert here == {place: there[place] for place in here}


def test_a_new_pipeline_that_fails_is_named_as_missing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise ValueError("no tree grows here")

    monkeypatch.setattr(CatBoost, "_fit", breaks)
    grids = [*TRIAL["grids"], {**TRIAL["grids"][1], "classification": ["CatBoost"]}]
    study = lab.study(grids=grids)
    outcomes = lab.run(study, only=NOT_FIGURES)
    assert list(outcomes["bootstrap_results"].failed) == ["simple__LOF__linear__CatBoost"]
    assert missing_pipelines(study) == ["simple__LOF__linear__CatBoost"]


def test_a_corrupted_file_is_quarantined_with_its_reason_and_the_rest_goes_on(lab: Lab) -> None:
    noise, cut, *_ = sorted((lab.folder / "raw").iterdir())
    noise.write_bytes(random.Random(7).randbytes(20_000))  # noqa: S311 - noise, no secret
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 3])
    outcomes = lab.run(select=ONE, only=NOT_FIGURES)
    assert summary(outcomes)["failed"] == summary(outcomes)["blocked"] == 0
    contract = Contract("trial")
    run = contract.latest("recordings", "recordings")
    assert run is not None
    quarantine = pl.read_parquet(contract.ref(run, "quarantine").path)
    assert quarantine.height == 2
    assert all(quarantine["reason"])
    assert all(quarantine["remedy"])
    assert run.artifacts["recordings"].rows == 28
    assert not to_do(lab.plans()) & {("evaluation", "simple__LOF__linear__LogisticRegression")}


def test_dagster_tells_stale_partitions_by_content_and_not_by_time(lab: Lab) -> None:
    """A parent that is materialised again unchanged leaves its children fresh; a changed one, only its own stale."""
    from dagster._core.definitions.data_version import CachingStaleStatusResolver
    from dagster._core.loader import LoadingContextForTest

    graph = build_definitions(lab.study()).resolve_asset_graph()
    parent, child = asset_key("trial", "outlier_masks"), asset_key("trial", "reconstructions")
    (newest, *_) = lab.materialized(("outlier_masks", "LOF"))
    with lab.instance() as instance:

        def statuses() -> dict[str, str]:
            resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
            return {key: resolver.get_status(child, key).value for key in ("pupil-gt__linear", "LOF__linear")}

        def materialise_again(**tags: str) -> None:
            event = dg.AssetMaterialization(parent, partition="LOF", tags={**(newest.tags or {}), **tags})
            instance.report_runless_asset_event(event)

        assert statuses() == {"pupil-gt__linear": "FRESH", "LOF__linear": "FRESH"}
        materialise_again()
        assert statuses() == {"pupil-gt__linear": "FRESH", "LOF__linear": "FRESH"}
        materialise_again(**{"dagster/data_version": "another"})
        assert statuses() == {"pupil-gt__linear": "FRESH", "LOF__linear": "STALE"}


# -- copies for others -----------------------------------------------------------------------------------------------


def test_a_bootstrap_is_exported_as_the_dict_of_lists_that_the_original_kept(
    finished: Lab, tmp_path: Path, plr: Plr
) -> None:
    key = str(grid_of(finished.study()).pipelines[0])
    assert plr("export", str(finished.study_file()), key, "--to", str(tmp_path / "out")).code == 0
    # ours, and the one thing that this format is for
    exported = pickle.loads((tmp_path / "out" / "bootstrap_results.pkl").read_bytes())  # noqa: S301
    contract = Contract("trial")
    run = contract.latest("bootstrap_results", key)
    assert run is not None
    stored = pl.read_parquet(contract.ref(run, "bootstrap_results").path)
    assert exported == as_seed_dict(stored)
    assert type(exported["y_prob"][0][0]) is float
