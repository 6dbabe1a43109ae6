"""The documentation says what the code does: graph, keys, tables, names and samples are compared with their source."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined, to_jsonable_python

from plr_assets import schemas
from plr_assets.cli.app import app
from plr_assets.defs import ASSETS
from plr_assets.evaluation.between import Pipeline, compare_pipelines
from plr_assets.evaluation.internal_validation import confounder_table, validate_pipeline
from plr_assets.evaluation.report import evaluate_pipeline
from plr_assets.featurization.catalog import feature_catalog, feature_dictionary
from plr_assets.featurization.coverage import feature_coverage
from plr_assets.featurization.scoring import score_features
from plr_assets.featurization.windowed import WindowedFeatures
from plr_assets.figures.style import FiguresConfig
from plr_assets.grid import PipelineKey, grid_of
from plr_assets.imputation.against_linear import compare_with_linear
from plr_assets.imputation.errors import Imputed, error_sums
from plr_assets.imputation.linear import LinearInterpolation
from plr_assets.imputation.scoring import score_imputation
from plr_assets.outlier_detection.scoring import score_detection
from plr_assets.paths import project_root
from plr_assets.platform import assets as platform_assets
from plr_assets.platform import results_db
from plr_assets.platform.lineage import COLUMNS, FACTS
from plr_assets.registry import AXES, Method, load_registry
from plr_assets.study import Study, load_study
from plr_assets_tests.builders import make_recordings
from plr_assets_tests.evaluation.conftest import bootstrap_tables, refitted_of, values_of

ROOT = project_root()
ARCHITECTURE, CONFIGURATION, DATABASE = (
    ROOT / "docs" / name for name in ("ARCHITECTURE.md", "configuration.md", "database.md")
)
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))


# -- reading pages ----------------------------------------------------------------------------------------------------


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(page), flags=re.MULTILINE | re.DOTALL)


def sections(text: str, level: int) -> dict[str, str]:
    """Heading of `level` -> what stands below it, up to the next heading of that level or above."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)  # a comment in code is no heading
    parts = re.split(rf"^(#{{1,{level}}}) (.+)$", prose, flags=re.MULTILINE)
    return {
        heading.strip("`"): body
        for marks, heading, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
        if len(marks) == level
    }


def rows(text: str) -> list[list[str]]:
    """Cells of the tables in `text` whose first cell is code; the text's deeper headings are not entered."""
    own = re.split(r"^#{2,} ", text, maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in own.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def first_cells(text: str) -> list[str]:
    return [row[0].strip("`") for row in rows(text)]


# -- ARCHITECTURE.md --------------------------------------------------------------------------------------------------


def lineage() -> str:
    """The asset graph of the demo study as mermaid, from the declarations alone."""
    study = load_study("demo")
    assets = [asset for asset in ASSETS if asset.offered(study)]
    short = {"outlier_detection": "outlier", "imputation": "imputer", "featurization": "features"}
    lines = ["flowchart LR"]
    for stage in dict.fromkeys(asset.stage.name for asset in assets):
        lines.append(f"  subgraph {stage}")
        for asset in assets:
            if asset.stage.name == stage:
                axes = [short[axis] for axis in AXES[:3] if axis in asset.axes]
                key = "pipeline" if set(asset.axes) == set(AXES) else " x ".join(axes)
                lines.append(
                    f'    {asset.name}["{asset.name}<br/>{key}"]' if key else f"    {asset.name}([{asset.name}])"
                )
        lines.append("  end")
    for asset in assets:
        required: dict[str, bool] = {}
        for read in asset.reads_in(study):
            required[read.asset.name] = required.get(read.asset.name, False) or read.required
        lines += [f"  {name} {'-->' if needed else '-.->'} {asset.name}" for name, needed in required.items()]
    return "\n".join(lines) + "\n"


def test_the_lineage_on_the_page_is_that_of_the_declarations() -> None:
    (drawn,) = code_blocks(ARCHITECTURE, "mermaid")
    assert drawn == lineage(), f"put this into {ARCHITECTURE.name}:\n{lineage()}"


def test_every_asset_is_explained_with_its_stage() -> None:
    listed = {row[0].strip("`"): row[1].strip("`") for row in rows(sections(text_of(ARCHITECTURE), 2)["The assets"])}
    assert listed == {asset.name: asset.stage.name for asset in ASSETS}


def test_every_experiment_and_owner_is_listed() -> None:
    listed = rows(sections(text_of(ARCHITECTURE), 3)["Experiments"])
    found = {tuple(cell.strip("`") for cell in row[:3]) for row in listed}
    assert found == {(asset.stage.experiment, asset.stage.name, asset.stage.owner) for asset in ASSETS}


def test_every_tag_that_the_platform_writes_is_listed() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "plr_assets" / "platform").glob("*.py"))
    listed = set(first_cells(sections(text_of(ARCHITECTURE), 3)["Tags"]))
    assert listed == set(re.findall(r'"(plr\.[a-z_]+)"', source)) | {"mlflow.parentRunId"}


def test_the_range_tag_in_the_documents_is_the_one_in_the_code() -> None:
    for page in (ARCHITECTURE, ROOT / "docs" / "decisions" / "0001-ranges.md"):
        assert f"`{platform_assets.KEYS_TAG}`" in text_of(page)


def test_the_sample_method_fulfils_the_detector_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = code_blocks(ARCHITECTURE, "python")
    (entry,) = code_blocks(ARCHITECTURE, "yaml")
    ((name, values),) = yaml.safe_load(entry).items()
    module = ModuleType("sample_of_the_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # where dataclasses look their module up
    exec(code, module.__dict__)  # noqa: S102 - our own page
    recordings = make_recordings(3)
    detector = getattr(module, name)(**Method.model_validate(values).parameters).fit(recordings)
    mask = detector.predict(recordings)
    assert mask[recordings.dropout].all()
    assert 0 < mask[~recordings.dropout].mean() < 0.5
    assert np.array_equal(detector.predict(recordings.take([1])), mask[[1]])


def test_the_category_of_the_sample_method_has_a_colour() -> None:
    (entry,) = code_blocks(ARCHITECTURE, "yaml")
    colours = FiguresConfig.model_validate(yaml.safe_load((ROOT / "configs" / "figures.yaml").read_text())).style
    assert {values["category"] for values in yaml.safe_load(entry).values()} <= set(colours.categories)


# -- configuration.md -------------------------------------------------------------------------------------------------


def models_below(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Path of a key -> the model of what stands there, `model` itself under ''."""
    yield path, model
    for name, field in model.model_fields.items():
        for inner in _models_in(field.annotation):
            yield from models_below(inner, f"{path}.{name}".lstrip("."))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)


def documented_models() -> Iterator[tuple[str, str, type[BaseModel]]]:
    """Heading of level 2, path below it, model."""
    roots: dict[str, type[BaseModel]] = {"A study file": Study, "A method entry": Method, "figures.yaml": FiguresConfig}
    for heading, root in roots.items():
        for path, model in models_below(root):
            yield heading, path, model


@pytest.mark.parametrize(("chapter", "path", "model"), list(documented_models()), ids=str)
def test_every_key_is_documented_with_its_default(chapter: str, path: str, model: type[BaseModel]) -> None:
    body = sections(text_of(CONFIGURATION), 2)[chapter]
    listed = {row[0].strip("`"): row for row in rows(sections(body, 3)[path] if path else body)}
    fields = {name: field for name, field in model.model_fields.items() if (model, name) != (Study, "name")}
    assert list(listed) == list(fields)
    for name, field in fields.items():
        assert listed[name][2] == _default(field), f"{path}.{name}"


def _default(field: Any) -> str:
    """How the page writes a field's default."""
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel) and (len(dict(value)) > 3 or any(isinstance(v, BaseModel) for _, v in value)):
        return "each key's own"
    plain = to_jsonable_python(value)
    written = (
        "none"
        if plain is None
        else yaml.safe_dump(plain, default_flow_style=True, width=1000).split("\n...")[0].strip()
    )
    return f"`{written}`"


def test_no_section_of_the_configuration_describes_what_is_no_key() -> None:
    known: dict[str, set[str]] = {}
    for chapter, path, _ in documented_models():
        known.setdefault(chapter, set()).add(path)
    for chapter, paths in known.items():
        body = sections(text_of(CONFIGURATION), 2)[chapter]
        assert set(sections(body, 3)) == paths - {""}


@pytest.mark.parametrize("block", code_blocks(CONFIGURATION, "yaml"), ids=lambda block: block.split("\n")[0][2:])
def test_samples_of_studies_and_methods_are_accepted(block: str, tmp_path: Path) -> None:
    kind, name = re.match(r"# configs/(studies|methods)/(\w+)\.yaml", block).groups()  # type: ignore[union-attr]
    if kind == "studies":
        path = tmp_path / f"{name}.yaml"
        path.write_text(block, encoding="utf-8")
        assert grid_of(load_study(str(path))).features
    else:
        entries = yaml.safe_load(block)["methods"]
        assert entries == {
            key: load_registry().methods[name][key].model_dump(mode="json", exclude_unset=True)  # type: ignore[index]
            for key in entries
        }


def test_every_environment_variable_that_is_read_is_documented() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "plr_assets").rglob("*.py"))
    read = re.findall(r'(?:environ(?:\.get|\.setdefault)?[\[(]|envvar=)"(\w+)"', source)
    assert set(first_cells(sections(text_of(CONFIGURATION), 2)["Environment variables"])) == set(read)


# -- database.md ------------------------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """`data/demo/results.duckdb` with three pipelines, below the test's folder."""
    grid = grid_of(load_study("demo"))
    tables: dict[str, list[Any]] = {
        table.name: [] for table in (*schemas.EVALUATION_TABLES, *schemas.VALIDATION_TABLES)
    }
    scores: dict[str, pl.DataFrame] = {}
    pipelines = [key for key in grid.pipelines if (key.imputation, key.classification) == ("linear", "CatBoost")]
    for seed, key in enumerate(pipelines):
        results, cases = bootstrap_tables(seed=1, probability=None if seed else 0.4)
        values = values_of(cases)
        refitted = refitted_of((results, cases))
        parts = {
            **_evaluated(key, results, cases),
            **validate_pipeline(results, cases, refitted, values, pipeline=str(key), seed=0),
        }
        scores[str(key)] = parts.pop("pair_scores")
        for name, frame in parts.items():
            tables[name].append(frame)
    path = tmp_path / "data" / "demo" / "results.duckdb"
    published = {str(key): f"{index:032x}" for index, key in enumerate(pipelines)}
    frames = {name: pl.concat(parts) for name, parts in tables.items()} | {"outlier_metrics": _detection()}
    compared = [Pipeline(str(key), {axis: key.named(axis) for axis in AXES}, grid.is_oracle(key)) for key in pipelines]
    frames |= compare_pipelines(compared, scores, seed=0)
    frames |= _imputation() | {"confounders": confounder_table(values)}
    lineage = pl.DataFrame([(key, run, *FACTS) for key, run in published.items()], schema=list(COLUMNS), orient="row")
    missing = ["simple__LOF__linear__TabPFN"]
    results_db.build(path, frames, study="demo", published=published, lineage=lineage, missing=missing)
    return path


def _detection() -> pl.DataFrame:
    """`outlier_metrics` of two methods, one of them an oracle."""
    recordings = make_recordings(4)
    assert recordings.artefact is not None
    some = recordings.artefact & (np.arange(recordings.n_samples) % 3 > 0)
    described = {"synthetic": True, "role": "evaluated"}
    return pl.concat(
        score_detection(mask, recordings, seed=0, n_resamples=20)
        .with_columns(pl.lit(v).alias(k) for k, v in {"method": name, "oracle": oracle, **described}.items())
        .select(schemas.OUTLIER_METRICS.column_names)
        for name, oracle, mask in (("pupil-gt", True, recordings.artefact), ("LOF", False, some))
    )


def _imputation() -> dict[str, pl.DataFrame]:
    """`imputation_metrics`, `imputation_comparisons`, `feature_metrics` and `feature_catalog` of straight lines under
    human masks."""
    recordings = make_recordings(4)
    assert recordings.artefact is not None
    mask = recordings.artefact | recordings.dropout
    mask[:, 500:540] = True
    signal = LinearInterpolation().transform(recordings, mask)
    featurizer = WindowedFeatures(**load_registry().methods["featurization"]["simple"].parameters)
    coverage = feature_coverage(featurizer, recordings, mask, 1.0)
    values = featurizer.fit(recordings, signal).transform(recordings, signal)
    told = feature_dictionary(featurizer, recordings)
    scored = {
        schemas.IMPUTATION_METRICS: score_imputation(
            Imputed(signal=signal, mask=mask), recordings, seed=0, n_resamples=20
        ),
        schemas.IMPUTATION_COMPARISONS: compare_with_linear(
            dict.fromkeys(("linear", "SAITS"), error_sums(Imputed(signal=signal, mask=mask), recordings)), seed=0
        ),
        schemas.FEATURE_METRICS: score_features(featurizer, recordings, signal, mask, coverage, seed=0, n_resamples=20),
    }
    key = {"featurization": "simple", "outlier_detection": "pupil-gt", "imputation": "linear"}
    key |= {"oracle": False, "synthetic": True, "role": "evaluated"}
    catalog = feature_catalog({"simple": [values]}, {"simple": [told]}, recordings.recording)
    return {"feature_catalog": catalog} | {
        table.name: frame.with_columns(pl.lit(v).alias(k) for k, v in key.items() if k not in frame.columns).select(
            table.column_names
        )
        for table, frame in scored.items()
    }


def _evaluated(key: PipelineKey, results: Any, cases: Any) -> Mapping[str, Any]:
    methods: dict[str, str] = {axis: key.named(axis) for axis in AXES}
    oracle = methods["outlier_detection"] == "pupil-gt"
    return evaluate_pipeline(results, cases, pipeline=str(key), methods=methods, oracle=oracle, synthetic=True, seed=0)


def test_every_table_and_column_of_the_database_is_documented(database: Path) -> None:
    described = sections(sections(text_of(DATABASE), 2)["Tables"], 3)
    with duckdb.connect(str(database), read_only=True) as connection:
        names = [name for (name,) in connection.sql("SHOW TABLES").fetchall()]
        assert set(described) == set(names)
        for name in names:
            columns = [row[:2] for row in connection.sql(f"DESCRIBE {name}").fetchall()]
            listed = [(row[0].strip("`"), row[1].strip("`")) for row in rows(described[name])]
            assert listed == columns, name


def test_the_page_says_what_one_row_of_each_table_is() -> None:
    described = sections(sections(text_of(DATABASE), 2)["Tables"], 3)
    for table in schemas.DATABASE_TABLES:
        assert f"Key: {', '.join(f'`{column}`' for column in table.key)}." in described[table.name], table.name


@pytest.mark.parametrize("query", code_blocks(DATABASE, "sql"), ids=lambda query: query.split("\n")[0][3:])
def test_sql_samples_answer(query: str, database: Path) -> None:
    with duckdb.connect(str(database), read_only=True) as connection:
        assert connection.sql(query).fetchall()


def test_the_python_sample_reads_the_database(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = code_blocks(DATABASE, "python")
    monkeypatch.chdir(database.parents[2])
    namespace: dict[str, Any] = {}
    exec(code, namespace)  # noqa: S102 - our own page
    assert namespace["best"].height == 2, "the oracle among the three is left out"


# -- all pages --------------------------------------------------------------------------------------------------------


def test_the_readme_names_the_methods_that_are_there_and_no_other() -> None:
    listed = {
        row[0].strip("`"): re.findall(r"`([^`]+)`", row[1])
        for row in rows(sections(text_of(ROOT / "README.md"), 2)["State of things"])
    }
    registry = load_registry()
    assert listed == {axis: [n for n in registry.names(axis) if registry.is_implemented(axis, n)] for axis in AXES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    # pictures are made by a browser test and may come later than the page
    links = re.findall(r"(?<!!)\[[^\]]*\]\(([^)#]+)", text_of(page))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    prose = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    named = re.findall(r"`((?:plr_assets|plr_assets_tests|configs|docs|\.ci)/[\w./-]+)`", prose)
    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_named_exist(page: Path) -> None:
    commands = {command.callback.__name__ for command in app.registered_commands if command.callback}
    written = re.findall(r"(?:^|[`/])plr ([a-z]\w*)", text_of(page), flags=re.MULTILINE)
    assert set(written) <= commands


def test_decisions_that_the_code_points_to_are_written() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "plr_assets").rglob("*.py"))
    pointed = set(re.findall(r"docs/[\w./-]+\.md", source))
    assert pointed
    assert not [name for name in pointed if not (ROOT / name).is_file()]
