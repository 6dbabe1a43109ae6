"""Fingerprints: a name for work to be done, so that done work is found again.

Belongs here: what goes into a fingerprint, and digests of code and environment. Does not belong here: which code that
is (`sources`), looking runs up (`contract`), deciding what to run (`planning`).
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from plr_assets.platform.digests import digest_json
from plr_assets.platform.sources import closure, read_sources_again

# Import name -> distribution, where they differ.
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "yaml": "pyyaml", "duckdb": "duckdb"}


def fingerprint(parts: Mapping[str, Any]) -> str:
    """SHA-256 of what determines a result. `parts` must be JSON."""
    return digest_json(parts)


@cache
def code_parts(roots: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """Digest of the source that `roots` (modules, functions of assets) depend on, and library -> version of what it
    imports."""
    sources, libraries = closure(roots)
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(f"{name}\x1f{sources[name]}\x1e".encode())
    return digest.hexdigest(), {name: _version(name) for name in sorted(libraries)}


@cache
def module_digests(roots: tuple[str, ...]) -> dict[str, str]:
    """Module -> digest of its source, of all that `code_parts` is of: says which of them changed."""
    return {
        name: hashlib.sha256(source.encode()).hexdigest()[:16] for name, source in sorted(closure(roots)[0].items())
    }


def _version(library: str) -> str:
    try:
        # `torch 2.13.0+cpu` and `2.13.0` are one release; what runs it is the device class.
        return version(_DISTRIBUTIONS.get(library, library)).partition("+")[0]
    except PackageNotFoundError:
        return "not installed"


def read_again() -> None:
    """Forget what was read of code and environment: a process that stays (a sensor's) sees what was edited since."""
    read_sources_again()
    for remembered in (code_parts, module_digests, environment_digest, git_sha):
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
