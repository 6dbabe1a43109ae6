"""Methods that start from a foundation model's weights, and remember what those had learned from.

Belongs here: taking the weights' folder in, and keeping what a fitted network needs of it. Does not belong here: where
weights come from (`weights`), or a method.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from plr_assets.networks.method import NetworkMethod
from plr_assets.pretrained.weights import ORIGIN_FILE, Origin


@dataclass(eq=False, kw_only=True)
class StartsFromWeights(NetworkMethod):
    """`_folder` is a folder as `weights` writes it: given to `fit`, and kept beside the fitted network but for its
    weights. `pretrained_on_` says what they had learned from."""

    pretrained_on_: str = field(init=False)

    def _start_from(self, weights: Path) -> None:
        self._folder = weights
        self.pretrained_on_ = Origin.load(weights).pretrained_on

    def save(self, folder: Path) -> None:
        super().save(folder)
        for name in ("config.json", ORIGIN_FILE):
            shutil.copyfile(self._folder / name, folder / name)

    @classmethod
    def load(cls, folder: Path) -> Self:
        method = super().load(folder)
        method._folder = folder
        return method
