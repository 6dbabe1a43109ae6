"""Fingerprints: a name for work to be done, so that done work is found again.

Belongs here: what goes into a fingerprint, and digests of code and environment. Does not belong here: looking runs up
(`contract`), deciding what to run (`planning`).

A method's code is the import closure of its module inside the package: its own source and that of every science module
it reaches. Sources are compared as syntax trees without docstrings, so that a comment re-runs nothing.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import plr_assets
from plr_assets.platform.digests import digest_json

_PACKAGE = "plr_assets"
# What cannot change a result: orchestration, validation and how configuration is read (its values enter by themselves).
_NOT_SCIENCE = ("platform", "defs", "cli", "definitions", "schemas", "errors", "registry", "study", "grid")
_NOT_SCIENCE_MODULES = tuple(f"{_PACKAGE}.{name}" for name in (*_NOT_SCIENCE, "config_files", "paths"))

# Import name -> distribution, where they differ.
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "yaml": "pyyaml", "duckdb": "duckdb"}


def fingerprint(parts: Mapping[str, Any]) -> str:
    """SHA-256 of what determines a result. `parts` must be JSON."""
    return digest_json(parts)


@cache
def code_parts(modules: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """Digest of the import closure of `modules`, and library -> version for the libraries it imports."""
    sources, libraries = _closure(modules)
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(f"{name}\x1f{sources[name]}\x1e".encode())
    return digest.hexdigest(), {name: _version(name) for name in sorted(libraries)}


@cache
def module_digests(modules: tuple[str, ...]) -> dict[str, str]:
    """Module -> digest of its source, of all that `code_parts` is of: says which of them changed."""
    return {
        name: hashlib.sha256(source.encode()).hexdigest()[:16] for name, source in sorted(_closure(modules)[0].items())
    }


def _closure(modules: Iterable[str]) -> tuple[dict[str, str], set[str]]:
    sources: dict[str, str] = {}
    libraries: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in sources:
            continue
        sources[name], imported = _module_facts(name)
        for target in imported:
            top = target.partition(".")[0]
            if top == _PACKAGE:
                waiting.extend(module for module in _as_modules(target) if not _is_orchestration(module))
            elif top not in sys.stdlib_module_names:
                libraries.add(top)
    return sources, libraries


def _is_orchestration(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in _NOT_SCIENCE_MODULES)


def _as_modules(target: str) -> list[str]:
    """`plr_assets.a.b.Name` -> the module itself; packages on the way hold no code of their own."""
    if _source_path(target) is not None:
        return [target]
    parent = target.rpartition(".")[0]
    return [parent] if parent != _PACKAGE and _source_path(parent) is not None else []


@cache
def _module_facts(name: str) -> tuple[str, frozenset[str]]:
    """Syntax tree of a module as text, without docstrings, and all it imports, inside functions too."""
    path = _source_path(name)
    if path is None:
        raise ValueError(f"no source for module {name!r}")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            imported.update(f"{node.module}.{alias.name}" for alias in node.names)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree), frozenset(imported)


@cache
def _source_path(name: str) -> Path | None:
    """Where the module of this name lies, without importing what is above it (torch, for one)."""
    path = Path(plr_assets.__file__).parent.joinpath(*name.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _version(library: str) -> str:
    try:
        # `torch 2.13.0+cpu` and `2.13.0` are one release; what runs it is the device class.
        return version(_DISTRIBUTIONS.get(library, library)).partition("+")[0]
    except PackageNotFoundError:
        return "not installed"


def read_again() -> None:
    """Forget what was read of code and environment: a process that stays (a sensor's) sees what was edited since."""
    for remembered in (code_parts, _module_facts, _source_path, environment_digest, git_sha):
        remembered.cache_clear()


def device_class(libraries: Iterable[str]) -> str:
    """Where work that uses `libraries` is done: `cuda` for networks where there is such a device, else `cpu`.

    The bytes of one are not promised of the other.
    """
    return _torch_device() if "torch" in libraries else "cpu"


@cache
def _torch_device() -> str:
    if version("torch").endswith("+cpu"):  # said without importing torch, which takes seconds
        return "cpu"
    from plr_assets.networks.seeding import device

    return device()


@cache
def environment_digest() -> str:
    """Digest of the interpreter and the lock file: where identical bytes are promised."""
    from plr_assets.paths import project_root

    lock = project_root() / "requirements.lock"
    text = lock.read_text(encoding="utf-8") if lock.is_file() else ""
    return digest_json({"python": list(sys.version_info[:3]), "platform": sys.platform, "lock": text})


@cache
def git_sha() -> str:
    """The commit that is checked out; `unknown` outside a repository; `-dirty` is appended where files differ."""
    import subprocess

    from plr_assets.paths import project_root

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(project_root()), *arguments],  # noqa: S607 - git from the PATH, like the user's own
                capture_output=True,
                text=True,
                check=True,
                timeout=10,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    sha = git("rev-parse", "HEAD")
    if sha is None:
        return "unknown"
    return f"{sha}-dirty" if git("status", "--porcelain", "--untracked-files=no") else sha
