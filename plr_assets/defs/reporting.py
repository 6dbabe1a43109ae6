"""The asset that reports a study to people who read no database, as one HTML file.

Belongs here: the declaration, and what is read for it. Does not belong here: HTML (`reporting`), or tables of a paper
(`papers`). Copy for people: `data/<study>/report.html`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plr_assets.defs import verdicts
from plr_assets.defs.data_import import recordings
from plr_assets.defs.evaluation import evaluation
from plr_assets.defs.featurization import feature_catalog
from plr_assets.defs.figure_parts import APPLIED, named, texts
from plr_assets.defs.figures import detection_figures, pipeline_figures, recording_figures, signal_figures
from plr_assets.defs.figures_ranking import ranking_figures
from plr_assets.defs.figures_study import cost_figures, method_figures, study_figures, validation_figures
from plr_assets.defs.results import STUDY_TABLES
from plr_assets.defs.stages import FIGURES
from plr_assets.grid import PipelineKey
from plr_assets.platform.artifacts import ArtifactRef, Product, folder_path
from plr_assets.platform.costs import partitions_behind
from plr_assets.platform.fingerprints import code_parts, environment_digest, git_sha
from plr_assets.platform.leaderboard import ranked
from plr_assets.platform.previews import markdown_table
from plr_assets.platform.stages import WHOLE, Reads, StageAsset, Task, reads, stage_asset
from plr_assets.registry import AXES

if TYPE_CHECKING:
    import polars as pl

    from plr_assets.reporting.page import CheckLine, Grid, Picture, Section

# Pages of single pipelines and pairs in the report: the best; a file of all 440 would be 100 MB.
PAGES = 12
CHECKED = (recordings, *(asset for asset in STUDY_TABLES if asset.checks))
_STUDY_FIGURES = (ranking_figures, study_figures, validation_figures, method_figures, cost_figures)


def _drawn(asset: StageAsset) -> Reads:
    return reads(asset, "figure", lambda grid, _: asset.keys_in(grid), required=False)


@stage_asset(
    FIGURES,
    reads=[
        reads(recordings),
        *(
            reads(asset, table, required=False)
            for asset in CHECKED
            for table in asset.tables
            if (asset.name, table) != ("recordings", "recordings")
        ),
        *(_drawn(asset) for asset in (*_STUDY_FIGURES, recording_figures, detection_figures, signal_figures)),
        _drawn(feature_catalog),
        _drawn(pipeline_figures),
        reads(evaluation, "essential_metrics", lambda grid, _: grid.pipelines, required=False),
    ],
    settings=("title", "description", "seed", "bootstrap", "quality"),
    # what the checks ask is no part of the function below, and their answers are on the page
    configuration=lambda grid: [texts(grid, "display"), code_parts((verdicts.__name__,))[0]],
    exports={"report": "."},
    kinds=("html", "mlflow"),
)
def report(task: Task) -> Product:
    """The study on one page: leaderboard, figures, checks, what is missing and why, where everything comes from.

    One HTML file that needs no network: `data/<study>/report.html`, or `plr report STUDY --open`. It names the commit
    it was written at and shows measured seconds, so that its bytes, other than those of results, differ between
    machines.
    """
    from plr_assets.reporting.page import Report, render
    from plr_assets.reporting.winner import NOTES as WINNER_NOTES

    cohort, boards = task.table("recordings"), task.inputs.get(("essential_metrics", "essential_metrics"), {})
    best = ranked(task.table("essential_metrics")) if boards else None
    checks, sections = list(_checks(task)), [section for section in _sections(task, best) if section.pictures]
    missing = _missing(task)
    page = render(
        Report(
            title=task.setting("title"),
            description=task.setting("description"),
            study=task.study.name,
            synthetic_text="simulated data" if task.study.synthetic else "",
            facts=_facts(task, cohort, best),
            leaderboard=None if best is None else _leaderboard(task, best),
            notes=() if best is None else _notes(best),
            winner=_winner(task, best),
            winner_notes=WINNER_NOTES,
            sections=sections,
            checks=checks,
            missing=missing,
            inputs=_inputs_table(task),
            footer=[f"Study {task.study.name}, written by plr from published runs. Code: {git_sha()}."],
        )
    )

    def write(folder: Path) -> None:
        (folder / "report.html").write_text(page, encoding="utf-8")

    return Product(
        folders={"report": write},
        metrics={
            "figures": sum(len(section.pictures) for section in sections),
            "missing": len(missing),
            "checks_not_passed": sum(not line.passed for line in checks),
            "megabytes": len(page) / 1e6,
        },
        notes={} if best is None else {"leaderboard": markdown_table(best.select("rank", "pipeline", "auroc"))},
    )


def _facts(task: Task, cohort: pl.DataFrame, best: pl.DataFrame | None) -> list[tuple[str, str]]:
    grid, ref = task.grid, task.inputs["recordings", "recordings"][WHOLE]
    facts = [
        ("Study", task.study.name),
        ("Data", "simulated recordings" if task.study.synthetic else "clinical recordings"),
        ("Recordings", f"{cohort.height} of {cohort['subject'].n_unique()} subjects"),
    ]
    if best is not None:
        row = best.row(0, named=True)
        facts += [
            ("Evaluated", f"{row['n_subjects']} subjects, {row['n_events']} recordings of the positive class"),
            ("Pipelines", f"{best.height} published of {len(grid.pipelines)}"),
            ("Bootstrap", f"{task.setting('bootstrap').iterations} iterations by subject, out of bag"),
        ]
    return [
        *facts,
        ("Seed", str(task.setting("seed"))),
        ("Content of the recordings", ref.info.digest),
        ("Code", git_sha()),
        ("Environment", environment_digest()),
    ]


def _leaderboard(task: Task, best: pl.DataFrame) -> Grid:
    from plr_assets.reporting.page import Grid
    from plr_assets.reporting.papers import pipeline_header, pipeline_row

    display = texts(task.grid, "display")
    shown = [axis for axis in APPLIED if axis != "featurization" or best[axis].n_unique() > 1]
    rows = [pipeline_row(row, display, shown) for row in best.iter_rows(named=True)]
    dim = [place for place, rank in enumerate(best["rank"]) if rank is None]
    header = pipeline_header(shown)
    return Grid(header, rows, [0, *range(1 + len(shown), len(header))], dim)


def _winner(task: Task, best: pl.DataFrame | None) -> Grid | None:
    """What is left of the best pipelines, oracles apart; None where nothing is compared."""
    from plr_assets.reporting.page import Grid
    from plr_assets.reporting.winner import HEADER, NUMERIC, Compared, winner_rows

    if best is None or not task.inputs.get(("pipeline_comparisons", "winner")):
        return None
    winner, ranks = (task.table("pipeline_comparisons", name) for name in ("winner", "pipeline_ranks"))
    rows = winner_rows(Compared(winner, ranks, best, texts(task.grid, "display")))
    dim = range(winner["pipeline"].drop_nulls().len(), len(rows))
    return Grid(HEADER, rows, NUMERIC, list(dim)) if rows else None


def _notes(best: pl.DataFrame) -> list[str]:
    from plr_assets.reporting.papers import DAGGER, PIPELINE_NOTES

    oracle = [f"{DAGGER} uses ground truth of the evaluated recordings: shown, never ranked."]
    return [*(oracle if best["oracle"].any() else []), *PIPELINE_NOTES]


def _sections(task: Task, best: pl.DataFrame | None) -> Iterator[Section]:
    """Chapters of figures. Of single pipelines and pairs the best are shown, where there are many."""
    from plr_assets.reporting.page import Section

    of_study = [picture for asset in _STUDY_FIGURES for picture in _pictures(task, asset, [WHOLE])]
    yield Section("The study", sorted(of_study, key=_place))
    order = (
        [PipelineKey.parse(name, AXES) for name in best.sort("oracle", maintain_order=True)["pipeline"]]
        if best is not None
        else list(task.grid.imputed_signals)
    )
    for title, asset in (
        ("Recordings", recording_figures),
        ("Outlier detection, recording by recording", detection_figures),
        ("Imputation, recording by recording", signal_figures),
        ("Features", feature_catalog),
        ("Pipelines", pipeline_figures),
    ):
        there = task.inputs.get((asset.name, "figure"), {})
        ordered = dict.fromkeys(key.only(*asset.axes) for key in order) if asset.partitioned else [WHOLE]
        keys = [key for key in ordered if key in there] or list(there)
        shown = keys[:PAGES]
        place = f"data/{task.study.name}/{asset.exports['figure']}"
        note = (
            f"{len(shown)} of {len(there)}, of the best pipelines; all are in {place}."
            if len(shown) < len(there)
            else ""
        )
        yield Section(title, list(_pictures(task, asset, shown)), note)


def _place(picture: Picture) -> int:
    """Figures of a study stand in the order of `configs/figures.yaml`, whichever asset draws them."""
    from plr_assets.figures.style import load_figures_config

    return list(load_figures_config().figures).index(picture.name.partition("-")[2].partition("__")[0])


def _pictures(task: Task, asset: StageAsset, keys: Sequence[PipelineKey]) -> Iterator[Picture]:
    from plr_assets.figures.style import load_figures_config
    from plr_assets.reporting.images import data_uri
    from plr_assets.reporting.page import Picture

    config = load_figures_config()
    words = config.figures
    refs: Mapping[PipelineKey, ArtifactRef] = task.inputs.get((asset.name, "figure"), {})
    for key in keys:
        if key not in refs:
            continue
        # figures that are kept in three forms; pages of single recordings have a PNG alone
        for sidecar in sorted(folder_path(refs[key]).glob("*.json")):
            name, _, detail = sidecar.stem.partition("__")
            reliable = sidecar.stem.endswith("__reliability")
            text = words["reliability" if reliable else _TEXTS.get(asset.name, name)]
            detail = sidecar.stem if asset is feature_catalog else detail
            title = f"{text.title}: {named(task, key)}" if asset.partitioned else text.title
            title += f", {detail}" if detail and not asset.partitioned else ""
            uri, width, height = data_uri(sidecar.with_suffix(".png"), config.style.dpi)
            yield Picture(f"{asset.name}-{sidecar.stem}", title, text.caption, uri, width, height)


# Entry of configs/figures.yaml where the file goes by its partition.
_TEXTS = {
    "recording_figures": "recording_overview",
    "feature_catalog": "features",
    "detection_figures": "detection",
    "signal_figures": "imputation",
    "pipeline_figures": "pipeline",
}


def _checks(task: Task) -> Iterator[CheckLine]:
    from plr_assets.reporting.page import CheckLine

    for asset in CHECKED:
        if all(task.inputs.get((asset.name, table)) for table in asset.tables):
            # a report is of what is published now: what was there before does not change it
            for check in (check for check in asset.checks if not check.over_time):
                found = check.judge(task.study, _Read(task, asset.name))
                yield CheckLine(asset.name, check.description, found.passed, check.blocking, found.reason)


@dataclass(frozen=True)
class _Read:
    """The tables of an asset that the report reads."""

    task: Task
    asset: str

    def __call__(self, name: str, /) -> pl.DataFrame:
        return self.task.table(self.asset, name)

    def before(self, name: str, /) -> None:
        raise ValueError(f"the report reads no earlier {self.asset} {name}")


def _missing(task: Task) -> list[tuple[str, str]]:
    """Partitions that are not there and why: their own failure, that of what they need, or that none was tried."""
    found = [
        (what, reason)
        for read in task.asset.reads_in(task.study)
        if not read.required
        for key in read.keys(task.grid, task.key)
        if key not in task.inputs[read.asset.name, read.artifact]
        for what, reason in [(read.asset.place(key), _why(task, read.asset, key))]
    ]
    return [*dict.fromkeys(found), *task.grid.left_out.items()]


def _why(task: Task, asset: StageAsset, key: PipelineKey) -> str:
    for above, at in reversed(partitions_behind(asset, key, task.grid)):
        error = task.failures.get((above.name, above.key_text(at)))
        if error is not None:
            return error if above is asset else f"{above.place(at)} failed: {error}"
    return "not computed, or out of date"


def _inputs_table(task: Task) -> Grid:
    from plr_assets.reporting.page import Grid

    rows = [
        (f"{asset}: {artifact}" + (f" of {key}" if str(key) else ""), ref.run_id, ref.info.digest)
        for (asset, artifact), refs in task.inputs.items()
        for key, ref in refs.items()
    ]
    return Grid(("what", "MLflow run", "digest of its content"), rows)
