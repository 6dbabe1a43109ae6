"""What every fitted method has in common: named parameters, learned state, and a file that holds both.

Belongs here: the convention (scikit-learn's, without scikit-learn). A constructor stores its parameters and does
nothing else; what `fit` learns ends in an underscore; `save` writes both as JSON, because what can be read as text can
be inspected and cannot run code. Does not belong here: what a detector, imputer, featurizer or classifier computes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from plr_assets.errors import ConfigError, ContractError

FILE = "estimator.json"

# Metadata of a learned field that JSON cannot hold: the method's own `save` and `load` see to it (a library's model
# file, safetensors).
IN_ITS_OWN_FILE = {"in_its_own_file": True}


@dataclass(eq=False, kw_only=True)
class Estimator:
    """A method as a dataclass: its fields are its parameters, its `field(init=False)` are what it learns."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.init}

    @property
    def learned(self) -> dict[str, Any]:
        """What `fit` learned. Raises ValueError before `fit`."""
        names = [field.name for field in fields(self) if not field.init]
        if missing := [name for name in names if not hasattr(self, name)]:
            raise ValueError(f"{type(self).__name__} is not fitted: it has no {', '.join(missing)}. Call fit first.")
        return {name: getattr(self, name) for name in names}

    def save(self, folder: Path) -> None:
        """Write the fitted method to `folder`. Raises ValueError before `fit`."""
        elsewhere = {field.name for field in fields(self) if field.metadata.get("in_its_own_file")}
        content = {
            "class": type(self).__name__,
            "parameters": self.parameters,
            "learned": {name: value for name, value in self.learned.items() if name not in elsewhere},
        }
        folder.mkdir(parents=True, exist_ok=True)
        # Python prints a float with as many digits as it takes to read the same float back, so JSON is exact.
        text = json.dumps(content, indent=1, allow_nan=False)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The method that `save` wrote. Raises ContractError if the file is another method's."""
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if content["class"] != cls.__name__:
            raise ContractError(
                str(folder / FILE), f"this is a fitted {content['class']}, not a {cls.__name__}.", "Load it as such."
            )
        estimator = cls(**content["parameters"])
        for name, value in content["learned"].items():
            setattr(estimator, name, value)
        return estimator

    def _require(self, parameter: str, holds: bool, rule: str) -> None:
        """Raise ConfigError naming `parameter` unless `holds`. Called from `fit`: constructors only store."""
        if not holds:
            raise ConfigError(
                f"{type(self).__name__}: {parameter}",
                f"{rule} (found {getattr(self, parameter)!r}).",
                "Mend the method's parameters in the study or in configs/methods.",
            )
