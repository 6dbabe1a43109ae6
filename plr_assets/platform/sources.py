"""What code a result depends on: the closure over source text that a fingerprint is taken of.

Belongs here: following imports and names through syntax trees. Does not belong here: what else a fingerprint is of
(`fingerprints`), or where it is used (`planning`).

A method's code is the import closure of its module inside the package: its own source and that of every science module
it reaches. An asset's code is finer: the function that computes a key, and what that names, in its own module and in
others of `defs`. Many assets are declared in one module; one more, or one that is edited, makes no other stale.
Sources are compared as syntax trees without docstrings, so that a comment re-runs nothing.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import plr_assets

_PACKAGE = "plr_assets"
_ASSETS = f"{_PACKAGE}.defs"
# What cannot change a result: orchestration, validation and how configuration is read (its values enter by themselves).
_NOT_SCIENCE = ("platform", "cli", "definitions", "schemas", "errors", "registry", "study", "grid")
_NOT_SCIENCE_MODULES = tuple(f"{_PACKAGE}.{name}" for name in (*_NOT_SCIENCE, "config_files", "paths"))


@dataclass(frozen=True)
class _Module:
    """A module, read.

    text     its syntax tree without docstrings.
    imports  all that it imports, inside functions too, as dotted names.
    """

    text: str
    imports: frozenset[str]


@dataclass(frozen=True)
class _Definition:
    """What stands behind one name of a module of assets.

    text      the statements that bind it.
    names     other names of the module that they use.
    imports   what is imported under this name, or inside the statements.
    is_asset  whether it is the computation of an asset (or of a foreign run of one).
    """

    text: str
    names: frozenset[str]
    imports: frozenset[str]
    is_asset: bool


def root_of(compute: Callable[..., Any]) -> str:
    """The function that an asset is computed by, as the closure names it: `module:function`."""
    return f"{compute.__module__}:{compute.__qualname__}"


def closure(roots: Iterable[str]) -> tuple[dict[str, str], set[str]]:
    """Module -> source that `roots` depend on, and the libraries that it imports.

    `roots` are modules, or functions of asset modules as `root_of` names them. Of an asset module the source is that of
    the definitions that are reached, without the decorator that declares the asset. Raises ValueError for a module
    without source, or a function that is not there.
    """
    sources: dict[str, str] = {}
    pieces: dict[str, dict[str, str]] = defaultdict(dict)
    libraries: set[str] = set()
    roots = tuple(roots)
    own = {_PACKAGE, *(root.partition(".")[0].partition(":")[0] for root in roots)}
    waiting, seen = list(roots), set[str]()
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        module, _, name = place.partition(":")
        if name:
            found = _definition(module, name)
            if found.is_asset and place not in roots:
                continue  # another asset, named: what it computes enters as an input
            pieces[module][name] = found.text
            waiting.extend(f"{module}:{used}" for used in found.names)
            imports = found.imports
        else:
            read = _module(module)
            sources[module], imports = read.text, read.imports
        for target in imports:
            top = target.partition(".")[0]
            if top in own:
                waiting.extend(_places(target))
            elif top not in sys.stdlib_module_names:
                libraries.add(top)
    for module, definitions in pieces.items():
        if module in sources:
            continue  # it was reached as a whole, too
        sources[module] = "\n".join(f"{name}={definitions[name]}" for name in sorted(definitions))
    return sources, libraries


def _places(target: str) -> Iterator[str]:
    """`plr_assets.a.b.Name` -> what to follow; packages on the way hold no code of their own."""
    if source_path(target) is not None:
        if not _is_in(target, _NOT_SCIENCE_MODULES):
            yield target
        return
    parent, _, name = target.rpartition(".")
    if parent in ("", _PACKAGE) or source_path(parent) is None or _is_in(parent, _NOT_SCIENCE_MODULES):
        return
    yield f"{parent}:{name}" if _is_in(parent, (_ASSETS,)) else parent


def _is_in(module: str, packages: Iterable[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in packages)


@cache
def _tree(name: str) -> ast.Module:
    """Syntax tree of a module, without docstrings."""
    path = source_path(name)
    if path is None:
        raise ValueError(f"no source for module {name!r}")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return tree


@cache
def _module(name: str) -> _Module:
    tree = _tree(name)
    return _Module(ast.dump(tree), frozenset(_imports(tree)))


@cache
def _definitions(module: str) -> dict[str, tuple[ast.stmt, ...]]:
    """Name -> the statements at the top of an asset module that bind it. Names for type checkers alone are left out."""
    bound: dict[str, list[ast.stmt]] = defaultdict(list)
    for statement in _tree(module).body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            continue
        for name in _bound(statement):
            bound[name].append(statement)
    return {name: tuple(statements) for name, statements in bound.items()}


def _bound(statement: ast.AST) -> set[str]:
    """Names that a statement binds, those in the branches of an `if` or `try` too."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {_alias(alias) for alias in statement.names}
    bound = {statement.id} if isinstance(statement, ast.Name) and isinstance(statement.ctx, ast.Store) else set[str]()
    return bound.union(*map(_bound, ast.iter_child_nodes(statement)))


@cache
def _definition(module: str, name: str) -> _Definition:
    definitions = _definitions(module)
    if name not in definitions:
        raise ValueError(f"{module} defines no {name!r} at its top, where its source could be followed")
    texts: list[str] = []
    used: set[str] = set()
    imports: set[str] = set()
    is_asset = False
    for statement in definitions[name]:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            imports.update(target for alias, target in _targets(statement) if alias == name)
            continue
        declared = isinstance(statement, ast.FunctionDef) and any(map(_declares, statement.decorator_list))
        node = _undeclared(statement) if isinstance(statement, ast.FunctionDef) else statement
        is_asset = is_asset or declared
        texts.append(ast.dump(node))
        imports.update(_imports(node))
        used.update(part.id for part in ast.walk(node) if isinstance(part, ast.Name))
    names = frozenset((used & definitions.keys()) - {name})
    return _Definition("\n".join(texts), names, frozenset(imports), is_asset)


def _undeclared(function: ast.FunctionDef) -> ast.FunctionDef:
    """A function without what declares it an asset: keys, inputs and settings enter a fingerprint by their values."""
    bare = copy(function)
    bare.decorator_list = [decorator for decorator in function.decorator_list if not _declares(decorator)]
    return bare


def _declares(decorator: ast.expr) -> bool:
    return (
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Name)
        and decorator.func.id in ("stage_asset", "adopts")
    )


def _imports(node: ast.AST) -> Iterator[str]:
    for statement in ast.walk(node):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield from (target for _, target in _targets(statement))


def _targets(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """The names that an import binds, each with what it stands for."""
    if isinstance(statement, ast.Import):
        yield from ((_alias(alias), alias.name) for alias in statement.names)
    elif statement.module is not None and statement.level == 0:
        yield from ((_alias(alias), f"{statement.module}.{alias.name}") for alias in statement.names)


def _alias(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


@cache
def source_path(name: str) -> Path | None:
    """Where the module of this name lies, without importing what is above it (torch, for one).

    An asset may be declared in another package than this; then that package is imported.
    """
    if name.partition(".")[0] != _PACKAGE:
        try:
            found = find_spec(name)
        except ModuleNotFoundError:  # a name inside a module
            return None
        return Path(found.origin) if found is not None and found.origin is not None else None
    path = Path(plr_assets.__file__).parent.joinpath(*name.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def read_sources_again() -> None:
    """Forget what was read: a process that stays (a sensor's) sees what was edited since."""
    for remembered in (_tree, _module, _definitions, _definition, source_path):
        remembered.cache_clear()
