"""Nothing of the product can be made to run code by a file: no module unpickles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import plr_assets


def test_no_module_of_the_product_can_unpickle() -> None:
    """The error of that name may be caught: torch raises it where it refuses what a checkpoint holds. The export for
    other people's scripts writes a pickle."""
    forbidden = {"pickle", "cloudpickle", "dill", "joblib", "shelve"}
    imported = {(file, name) for file, node in _product_nodes() for name in _imported_by(node)}
    assert any(file == "contract.py" and name.startswith("mlflow") for file, name in imported)
    unpickling = {(file, name) for file, name in imported if name.partition(".")[0] in forbidden}
    readers = {(file, "pickle.UnpicklingError") for file in ("units_weights.py", "tabpfn_weights.py")}
    assert unpickling <= readers | {("exporting.py", "pickle")}
    called = {ast.unparse(node.func) for file, node in _product_nodes() if isinstance(node, ast.Call)}
    assert {name for name in called if name.startswith("pickle.")} == {"pickle.dumps"}


def test_torch_reads_checkpoints_as_weights_only() -> None:
    calls = {
        (file, ast.unparse(node))
        for file, node in _product_nodes()
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load"
    }
    official = {"units_weights.py", "tabpfn_weights.py"}
    assert {file for file, _ in calls} == official, "ours are safetensors; official checkpoints are not"
    assert all("weights_only=True" in call for _, call in calls)


def _product_nodes() -> Iterator[tuple[str, ast.AST]]:
    for file in Path(plr_assets.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            yield file.name, node


def _imported_by(node: ast.AST) -> list[str]:
    """What an import names: `mlflow`, and of `from pickle import UnpicklingError` module and name."""
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module or ''}.{alias.name}" for alias in node.names]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
