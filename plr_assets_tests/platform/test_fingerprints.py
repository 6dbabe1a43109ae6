"""Fingerprints: what can change a result changes them, and nothing else does."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plr_assets.defs import ASSETS
from plr_assets.defs.data_import import device_files
from plr_assets.defs.outlier_detection import detectors
from plr_assets.grid import grid_of
from plr_assets.platform import fingerprints, sources
from plr_assets.platform.planning import Found, Planner
from plr_assets.registry import AXES, Axis, load_registry
from plr_assets.study import Study, load_study

LOF = "plr_assets.outlier_detection.lof"
BASE = "plr_assets.outlier_detection.base"  # imported by LOF
ESTIMATOR = "plr_assets.estimator"  # imported by BASE
DETECTORS = "plr_assets.defs.outlier_detection"
DEFS = f"{DETECTORS}:detectors"
PACKAGE = Path(fingerprints.__file__).parents[1]
SCIENCE = (
    *("recordings", "networks", "pretrained", "outlier_detection", "imputation", "featurization", "classification"),
    *("evaluation", "figures"),
)
METHODS = [
    (axis, name)
    for axis in AXES
    for name, method in load_registry().methods[axis].items()
    if method.module is not None and method.implemented
]

Edit = Callable[[str, Callable[[str], str]], None]


def _forget() -> None:
    fingerprints.read_again()


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    """The module keeps what it read for the life of a process, in which no source changes but here."""
    _forget()
    yield
    _forget()


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """Changes (or adds) a module's source, as far as fingerprints can see."""
    real, edited = sources.source_path, dict[str, Path]()

    def seen(name: str) -> Path | None:
        return edited.get(name) or real(name)

    seen.cache_clear = real.cache_clear  # type: ignore[attr-defined]
    monkeypatch.setattr(sources, "source_path", seen)

    def change(module: str, transform: Callable[[str], str]) -> None:
        before = edited.get(module) or real(module)
        source = before.read_text(encoding="utf-8") if before else ""
        edited[module] = tmp_path / f"{module}.py"
        edited[module].write_text(transform(source), encoding="utf-8")
        assert edited[module].read_text(encoding="utf-8") != source
        _forget()

    return change


def code(*modules: str) -> str:
    return fingerprints.code_parts(modules)[0]


def adds(text: str) -> Callable[[str], str]:
    return lambda source: f"{source}\n{text}\n"


def _docstrings_reworded(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Expr(ast.Constant("Other words."))
    return ast.unparse(tree)


def _docstrings_removed(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


@pytest.mark.parametrize("module", [LOF, BASE, ESTIMATOR])
@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(lambda source: f"# why\n{source}\n# wherefore\n", id="comments"),
        pytest.param(lambda source: ast.unparse(ast.parse(source)), id="layout"),
        pytest.param(_docstrings_reworded, id="docstrings"),
    ],
)
def test_words_about_code_change_nothing(edit: Edit, module: str, rewrite: Callable[[str], str]) -> None:
    before = code(LOF)
    edit(module, rewrite)
    assert code(LOF) == before


def test_a_docstring_that_goes_changes_nothing(edit: Edit) -> None:
    before = code(LOF)
    edit(LOF, _docstrings_removed)
    assert code(LOF) == before


@pytest.mark.parametrize("module", [LOF, BASE, ESTIMATOR], ids=["itself", "imported", "imported by an imported one"])
@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(adds("EXTRA = 1"), id="statement"),
        pytest.param(lambda source: source.replace("return ", "return not ", 1), id="expression"),
    ],
)
def test_an_edit_of_science_changes_what_is_computed_with_it(
    edit: Edit, module: str, rewrite: Callable[[str], str]
) -> None:
    before = code(LOF)
    edit(module, rewrite)
    assert code(LOF) != before


def test_a_changed_constant_is_a_changed_method(edit: Edit) -> None:
    edit(LOF, adds("SHARE = 0.1"))
    before = code(LOF)
    edit(LOF, lambda source: source.replace("SHARE = 0.1", "SHARE = 0.2"))
    assert code(LOF) != before


@pytest.mark.parametrize("module", ["plr_assets.outlier_detection.one_class_svm", "plr_assets.imputation.linear"])
def test_an_edit_of_science_that_is_not_used_changes_nothing(edit: Edit, module: str) -> None:
    before = code(LOF)
    edit(module, adds("EXTRA = 1"))
    assert code(LOF) == before


@pytest.mark.parametrize(("axis", "name"), METHODS)
def test_every_method_is_fingerprinted_by_its_own_source(edit: Edit, axis: Axis, name: str) -> None:
    module = load_registry().methods[axis][name].module
    assert module is not None
    before = code(module)
    edit(module, adds("EXTRA = 1"))
    assert code(module) != before


@pytest.mark.parametrize(
    "module",
    [
        "plr_assets.platform.stages",
        "plr_assets.platform.artifacts",
        "plr_assets.schemas",
        "plr_assets.errors",
        "plr_assets.study",
        "plr_assets.grid",
        "plr_assets.registry",
    ],
)
def test_an_edit_of_orchestration_changes_nothing_although_the_computation_imports_it(edit: Edit, module: str) -> None:
    edit(LOF, adds(f"import {module}"))  # so that it is imported, whatever these modules happen to import today
    edit(DETECTORS, lambda source: source.replace('"""Each', f'import {module}\n    """Each'))
    before = code(DEFS, LOF)
    edit(module, adds("EXTRA = 1"))
    assert code(DEFS, LOF) == before


DECLARED = """
from plr_assets.defs.added_parts import helper, other_helper
from plr_assets.recordings import added_science
import scipy

LIMIT = 1
OTHER = 1

def near(task):
    return helper(task) + LIMIT

@stage_asset(STAGE, keys=lambda grid: OTHER)
def first(task):
    'Words.'
    import sklearn
    from plr_assets.recordings.added_inside import inside
    return near(task) + inside(second.name)

@stage_asset(STAGE)
def second(task):
    return other_helper(task) + OTHER + added_science.value + scipy.value
"""
THIRD = "@stage_asset(STAGE)\ndef third(task): ..."
MODULE = "plr_assets.defs.added"
FIRST, SECOND = f"{MODULE}:first", f"{MODULE}:second"


@pytest.fixture
def two_assets(edit: Edit) -> None:
    """Two assets declared in one module, each with helpers and constants of its own."""
    edit(MODULE, adds(DECLARED))
    edit("plr_assets.defs.added_parts", adds("def helper(task):\n    return 1\ndef other_helper(task):\n    return 2"))
    edit("plr_assets.recordings.added_science", adds("value = 1"))
    edit("plr_assets.recordings.added_inside", adds("def inside(name):\n    return 1"))


@pytest.mark.usefixtures("two_assets")
@pytest.mark.parametrize(
    ("module", "then", "now", "changes"),
    [
        pytest.param(MODULE, "inside(second.name)", "inside(1)", {FIRST}, id="the function itself"),
        pytest.param(MODULE, "helper(task) + LIMIT", "helper(task)", {FIRST}, id="a helper beside it"),
        pytest.param(MODULE, "LIMIT = 1", "LIMIT = 2", {FIRST}, id="a constant that a helper uses"),
        pytest.param(MODULE, "OTHER = 1", "OTHER = 2", {SECOND}, id="a constant of another asset"),
        pytest.param("plr_assets.defs.added_parts", "return 1", "return 3", {FIRST}, id="a helper elsewhere"),
        pytest.param("plr_assets.defs.added_parts", "return 2", "return 3", {SECOND}, id="another helper elsewhere"),
        pytest.param("plr_assets.recordings.added_inside", "return 1", "return 3", {FIRST}, id="science, inside"),
        pytest.param("plr_assets.recordings.added_science", "1", "3", {SECOND}, id="science, above"),
        pytest.param(MODULE, "keys=lambda grid: OTHER", "keys=()", set(), id="the declaration"),
        pytest.param(MODULE, "'Words.'", "'Other words.'", set(), id="the docstring"),
        pytest.param(
            MODULE,
            "@stage_asset(STAGE)",
            "@stage_asset(STAGE)\ndef third(task): ...\n@stage_asset(STAGE)",
            set(),
            id="one more",
        ),
    ],
)
def test_what_an_asset_computes_with_changes_it_and_its_neighbours_in_the_module_do_not(
    edit: Edit, module: str, then: str, now: str, changes: set[str]
) -> None:
    before = {root: code(root) for root in (FIRST, SECOND)}
    edit(module, lambda source: source.replace(then, now))
    assert {root for root in before if code(root) != before[root]} == changes


@pytest.mark.usefixtures("two_assets")
def test_libraries_are_those_of_the_asset_and_not_of_its_neighbours() -> None:
    assert set(fingerprints.code_parts((FIRST,))[1]) == {"sklearn"}
    assert set(fingerprints.code_parts((SECOND,))[1]) == {"scipy"}


def test_every_asset_is_fingerprinted_by_the_function_that_computes_it() -> None:
    grid = grid_of(load_study("demo"))
    contract: Any = _NothingPublished()
    planner = Planner(grid.study, grid, contract)
    codes = {asset.name: code(*planner.code_roots(asset, asset.keys_in(grid)[0])) for asset in ASSETS}
    assert len(set(codes.values())) == len(ASSETS) > 30


def test_modules_of_assets_do_nothing_on_import_that_names_could_not_be_followed_to() -> None:
    defining = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    for file in (PACKAGE / "defs").glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        rest = [
            ast.unparse(statement)
            for statement in tree.body
            if not isinstance(statement, defining)
            and not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
            and not (isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING")
        ]
        assert rest == [], file.name


def test_an_asset_may_be_declared_outside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bench's, or a lab's own."""
    file = tmp_path / "own_assets.py"
    file.write_text(DECLARED.replace("plr_assets.defs.added_parts", "plr_assets.recordings.gaps"))
    monkeypatch.syspath_prepend(tmp_path)
    before = code("own_assets:first"), code("own_assets:second")
    file.write_text(file.read_text().replace("LIMIT = 1", "LIMIT = 2"))
    _forget()
    assert code("own_assets:first") != before[0]
    assert code("own_assets:second") == before[1]


def test_an_asset_of_another_package_is_followed_into_that_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package := tmp_path / "own_lab").mkdir()
    (package / "__init__.py").touch()
    made = "from own_lab.helpers import clean\n\ndef made(task):\n    return clean(task)\n"
    (package / "assets.py").write_text(made)
    helpers = package / "helpers.py"
    helpers.write_text("def clean(task):\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = code("own_lab.assets:made")
    helpers.write_text("def clean(task):\n    return 2\n")
    _forget()
    assert code("own_lab.assets:made") != before
    assert fingerprints.code_parts(("own_lab.assets:made",))[1] == {}


def test_a_module_that_is_reached_as_a_whole_and_by_name_counts_as_a_whole(edit: Edit) -> None:
    edit("plr_assets.defs.added", adds("def one():\n    return 1\ndef two():\n    return 2"))
    roots = ("plr_assets.defs.added", "plr_assets.defs.added:one")
    before = code(*roots)
    edit("plr_assets.defs.added", lambda source: source.replace("return 2", "return 3"))
    assert code(*roots) != before


def test_a_function_that_cannot_be_followed_is_an_error() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        code(f"{DETECTORS}:nowhere")


@pytest.mark.parametrize(
    "statement",
    [
        "import plr_assets.recordings.added",
        "import plr_assets.recordings.added as short",
        "from plr_assets.recordings import added",
        "from plr_assets.recordings.added import CONSTANT",
        "from plr_assets.recordings.added import *",
        "def later():\n    from plr_assets.recordings.added import CONSTANT\n    return CONSTANT",
    ],
)
def test_an_import_is_followed_however_it_is_spelt(edit: Edit, statement: str) -> None:
    edit("plr_assets.recordings.added", adds("CONSTANT = 1"))
    edit(LOF, adds(statement))
    before = code(LOF)
    edit("plr_assets.recordings.added", lambda source: source.replace("1", "2"))
    assert code(LOF) != before


def test_science_imports_absolutely_because_relative_imports_are_not_followed() -> None:
    files = [PACKAGE / "estimator.py", PACKAGE / "seeds.py"]
    files += [file for stage in SCIENCE for file in (PACKAGE / stage).rglob("*.py")]
    assert len(files) > 2 * len(SCIENCE)
    relative = [
        file.relative_to(PACKAGE)
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


@pytest.mark.parametrize("module", ["plr_assets.clinical", "plr_assets.grid_search"])
def test_science_is_not_taken_for_orchestration_because_its_name_begins_alike(edit: Edit, module: str) -> None:
    edit(module, adds("CONSTANT = 1"))
    edit(LOF, adds(f"import {module}"))
    before = code(LOF)
    edit(module, lambda source: source.replace("1", "2"))
    assert code(LOF) != before


def test_a_cycle_of_imports_ends(edit: Edit) -> None:
    edit(ESTIMATOR, adds(f"import {LOF}"))
    assert code(LOF) == code(LOF)


def test_a_module_without_source_is_an_error_and_not_an_empty_digest() -> None:
    with pytest.raises(ValueError, match=r"plr_assets\.nowhere"):
        code("plr_assets.nowhere")


def test_libraries_enter_with_their_versions_and_the_standard_library_does_not(
    edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(LOF, adds("import json, sklearn.svm"))
    monkeypatch.setattr(fingerprints, "version", lambda name: "1.9.1" if name == "scikit-learn" else "2.4.0+local")
    libraries = fingerprints.code_parts((LOF,))[1]
    # A local build of a release is that release: what runs it enters as the device class.
    assert (libraries["sklearn"], libraries["numpy"]) == ("1.9.1", "2.4.0")
    assert "json" not in libraries
    assert "plr_assets" not in libraries


def test_a_library_that_is_not_installed_is_said_to_be(edit: Edit) -> None:
    edit(LOF, adds("import a_library_that_is_missing"))
    assert fingerprints.code_parts((LOF,))[1]["a_library_that_is_missing"] == "not installed"


class _NothingPublished:
    """A contract whose store is empty."""

    def with_fingerprint(self, *_: str) -> None:
        return None

    latest = pinned = with_fingerprint


def planned(**changes: Any) -> str:
    """The fingerprint of the demo study's simulated files, in a study that differs by `changes`."""
    study = Study.model_validate(load_study("demo").model_dump() | changes)
    contract: Any = _NothingPublished()
    (plan,) = Planner(study, grid_of(study), contract).plan(device_files)
    return plan.fingerprint


@pytest.mark.parametrize(
    "changes",
    [{"seed": 1}, {"simulation": {"control": 3, "glaucoma": 3, "unlabelled": 3}}],
    ids=["seed", "setting"],
)
def test_what_the_computation_uses_of_the_study_enters(changes: dict[str, Any]) -> None:
    assert planned(**changes) != planned()


@pytest.mark.parametrize(
    "changes",
    [{"name": "renamed"}, {"title": "Other"}, {"workers": {"kind": "serial"}}, {"bootstrap": {"iterations": 7}}],
    ids=lambda changes: next(iter(changes)),
)
def test_what_the_computation_does_not_use_of_the_study_does_not_enter(changes: dict[str, Any]) -> None:
    assert planned(**changes) == planned()


def test_work_done_with_another_version_of_a_library_is_other_work(monkeypatch: pytest.MonkeyPatch) -> None:
    before = planned()
    monkeypatch.setattr(fingerprints, "version", lambda _: "0.0.1")
    _forget()
    assert planned() != before


def test_work_done_with_other_code_is_other_work(edit: Edit) -> None:
    before = planned()
    edit(device_files.compute.__module__, lambda source: source.replace("return Product", "return not Product"))
    assert planned() != before


def test_work_of_networks_is_other_work_on_another_device_and_all_else_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = grid_of(load_study("paper"))
    contract: Any = _NothingPublished()

    def on(device: str) -> dict[str, str]:
        monkeypatch.setattr(fingerprints, "_torch_device", lambda: device)
        planner = Planner(grid.study, grid, contract)
        nothing = Found({})
        return {str(key): fingerprints.fingerprint(planner.parts(detectors, key, nothing)) for key in grid.detectors}

    cpu, cuda = on("cpu"), on("cuda")
    networks = {"TimesNet-gt", "MOMENT-gt-finetune", "MOMENT-gt-zeroshot", "UniTS-gt-finetune"}
    assert {name for name in cpu if cpu[name] != cuda[name]} == networks < cpu.keys()


def test_the_order_in_which_parts_are_named_does_not_matter() -> None:
    assert fingerprints.fingerprint({"a": 1, "b": 2}) == fingerprints.fingerprint({"b": 2, "a": 1})
    assert fingerprints.fingerprint({"a": 1, "b": 2}) != fingerprints.fingerprint({"a": 2, "b": 1})


def test_an_environment_is_known_by_its_lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLR_HOME", str(tmp_path))
    digests = []
    for text in (None, "numpy==2.4.0\n", "numpy==2.4.1\n", "numpy==2.4.0\n"):
        if text is not None:
            (tmp_path / "requirements.lock").write_text(text)
        _forget()
        digests.append(fingerprints.environment_digest())
    assert len(set(digests)) == 3
    assert digests[1] == digests[3]


def _git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_is_named_and_whether_files_differ_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLR_HOME", str(tmp_path))
    # A repository around the temporary folder is none of ours.
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert fingerprints.git_sha() == "unknown"
    (tmp_path / "file").write_text("1")
    for arguments in (("init", "-q"), ("add", "file"), ("commit", "-q", "-m", "first")):
        _git(tmp_path, *arguments)
    _forget()
    assert fingerprints.git_sha() == _git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "file").write_text("2")
    _forget()
    assert fingerprints.git_sha() == f"{_git(tmp_path, 'rev-parse', 'HEAD')}-dirty"
