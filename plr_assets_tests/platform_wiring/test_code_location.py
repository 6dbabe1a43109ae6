"""Code locations: light to load, one a study, and every asset described in the catalogue."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

import dagster as dg
import pytest
import yaml

import plr_assets.definitions
from plr_assets.defs import ASSETS
from plr_assets.grid import grid_of
from plr_assets.paths import project_root
from plr_assets.study import load_study
from plr_assets.study.pretrained import Foundations, TabpfnWeights

STUDIES = ["demo", "paper"]
HEAVY = ("torch", "pypots", "momentfm", "catboost", "xgboost", "prophet", "mlflow", "sklearn", "matplotlib", "scipy")


def specs(study: str) -> dict[str, dg.AssetSpec]:
    definitions: dg.Definitions = getattr(plr_assets.definitions, study)
    return {spec.key.path[-1]: spec for spec in definitions.resolve_all_asset_specs()}


@cache
def spec_of(asset: str) -> dg.AssetSpec:
    """In the study `paper`; or, where it has no such asset (its recordings are simulated, and it goes without TabPFN's
    weights), in one of the same files from a lab that has them."""
    found = specs("paper")
    if asset not in found:
        lab = load_study("paper").model_copy(update={"simulation": None, "pretrained": Foundations()})
        found = {
            spec.key.path[-1]: spec for spec in plr_assets.definitions.build_definitions(lab).resolve_all_asset_specs()
        }
    return found[asset]


def test_loading_the_code_locations_imports_no_method() -> None:
    """A webserver and a daemon load them again and again; `dagster definitions validate` must not need torch."""
    code = (
        "import json, sys, plr_assets.definitions as d\n"
        "for name in ('demo', 'paper'): getattr(d, name).resolve_all_asset_specs()\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "dagster" in loaded
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize("study", STUDIES)
def test_definitions_are_valid(study: str) -> None:
    dg.Definitions.validate_loadable(getattr(plr_assets.definitions, study))


@pytest.mark.parametrize("study", STUDIES)
def test_every_asset_of_the_list_is_offered_under_the_studys_prefix(study: str) -> None:
    """Equal asset keys in two code locations would collide."""
    offered = [asset.name for asset in ASSETS if asset.offered(load_study(study))]
    found = specs(study)
    assert sorted(found) == sorted(offered)
    assert {spec.key.path[0] for spec in found.values()} == {study}


@pytest.mark.parametrize("asset", ASSETS, ids=lambda asset: asset.name)
def test_every_asset_says_whose_it_is_and_what_it_is(asset: object) -> None:
    declared = next(one for one in ASSETS if one is asset)
    spec = spec_of(declared.name)
    assert spec.group_name == declared.stage.name
    assert spec.owners == [declared.stage.owner]
    assert spec.kinds == set(declared.kinds) != set()
    assert spec.metadata["persona"] == declared.stage.persona
    assert spec.tags["origin"] == "synthetic"
    assert len(spec.description or "") > 40


@pytest.mark.parametrize("asset", [asset for asset in ASSETS if asset.tables], ids=lambda asset: asset.name)
def test_every_table_of_an_asset_shows_its_columns(asset: object) -> None:
    declared = next(one for one in ASSETS if one is asset)
    metadata = spec_of(declared.name).metadata
    shown = [value for value in metadata.values() if isinstance(value, dg.TableSchema)]
    assert isinstance(metadata["dagster/column_schema"], dg.TableSchema)
    assert [[column.name for column in schema.columns] for schema in shown] == [
        list(table.column_names) for table in declared.tables.values()
    ]
    assert all(column.description for schema in shown for column in schema.columns)


def test_what_publishes_a_table_declares_its_schema() -> None:
    without = {asset.name for asset in ASSETS if not asset.tables}
    models = {"moment_weights", "units_weights", "tabpfn_weights", "detectors", "imputers"}
    pictures, files = {asset.name for asset in ASSETS if asset.stage.name == "figures"}, {"results_database"}
    assert without == models | pictures | files


@pytest.mark.parametrize("study", STUDIES)
def test_partitions_are_the_studys_own_grid(study: str) -> None:
    """A study's UI never shows a partition that its grid does not hold."""
    grid, found = grid_of(load_study(study)), specs(study)
    for asset in (asset for asset in ASSETS if asset.offered(load_study(study))):
        partitions = found[asset.name].partitions_def
        keys = [] if partitions is None else list(partitions.get_partition_keys())
        assert keys == ([str(key) for key in asset.keys_in(grid)] if asset.partitioned else [])


def test_a_study_without_labels_has_no_asset_below_features() -> None:
    study = load_study("demo").model_copy(update={"labels": None})
    names = {key.path[-1] for key in plr_assets.definitions.build_definitions(study).resolve_all_asset_keys()}
    assert {"features", "signal_figures", "outlier_metrics", "detection_figures"} <= names
    assert names.isdisjoint(
        {"bootstrap_results", "evaluation", "essential_metrics", "results_database", "study_figures"}
    )


def test_a_study_has_the_weights_of_the_foundation_models_that_its_methods_start_from_and_no_others() -> None:
    paper = load_study("paper")
    for methods, expected in (
        (("LOF",), set()),
        (("MOMENT-gt-zeroshot",), {"moment_weights"}),
        (("ensembleThresholded-MOMENT-TimesNet-UniTS-gt-finetune",), {"moment_weights", "units_weights"}),
    ):
        one = paper.grids[0].model_copy(update={"outlier_detection": methods, "imputation": ("linear",)})
        study = paper.model_copy(update={"grids": (one,)})
        names = {key.path[-1] for key in plr_assets.definitions.build_definitions(study).resolve_all_asset_keys()}
        assert names & {"moment_weights", "units_weights", "tabpfn_weights"} == expected, methods


def test_tabpfns_weights_are_there_where_a_study_classifies_with_it() -> None:
    paper = load_study("paper")
    for source in ("none", "hub"):
        study = paper.model_copy(update={"pretrained": Foundations(tabpfn=TabpfnWeights(source=source))})
        names = {key.path[-1] for key in plr_assets.definitions.build_definitions(study).resolve_all_asset_keys()}
        assert ("tabpfn_weights" in names) == (source == "hub")


def test_a_clinical_study_simulates_nothing() -> None:
    study = load_study("demo").model_copy(update={"simulation": None, "origin": "clinical"})
    names = {key.path[-1] for key in plr_assets.definitions.build_definitions(study).resolve_all_asset_keys()}
    assert "device_files" not in names
    assert {"recordings", "incoming_recordings"} <= names


def test_a_name_that_is_no_study_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        plr_assets.definitions.nothing_of_the_kind  # noqa: B018 - the access is what is tested


def test_the_workspace_lists_studies_that_exist_under_their_own_names() -> None:
    workspace = yaml.safe_load((project_root() / "workspace.yaml").read_text(encoding="utf-8"))
    modules = [entry["python_module"] for entry in workspace["load_from"]]
    assert [module["attribute"] for module in modules] == [module["location_name"] for module in modules] == STUDIES
    assert {module["module_name"] for module in modules} == {"plr_assets.definitions"}
