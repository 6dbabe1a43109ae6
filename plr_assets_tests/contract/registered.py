"""Every method the registry can construct, for the contract tests of each axis."""

from __future__ import annotations

from typing import Any

from plr_assets.registry import Axis, load_registry


def implemented(axis: Axis) -> list[str]:
    """Names with an implementation of their own: no oracles, no ensembles, no reserved names."""
    methods = load_registry().methods[axis]
    return [name for name, method in methods.items() if method.implemented and method.implementation]


def construct(axis: Axis, name: str, **more: Any) -> Any:
    """The method as the registry configures it."""
    method = load_registry().methods[axis][name]
    return method.load()(**method.parameters, **more)
