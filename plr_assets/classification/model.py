"""The model for use: one classifier, fitted on all labelled evaluated subjects, with what it needs to be used safely.

Belongs here: the classifier together with its feature schema, labels and origin, one folder on disk without pickle, and
refusing features that are not the schema's. Does not belong here: how good it is (the bootstrap says, `evaluation`
corrects), or serving it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.classification.base import Classifier
from plr_assets.classification.matrix import case_matrix, feature_names
from plr_assets.errors import ContractError

FILE = "model.schema.json"
DTYPE = "float64"


@dataclass(frozen=True, slots=True)
class FeatureColumn:
    """One input: `unit` None where the featurization does not say."""

    name: str
    unit: str | None
    dtype: str = DTYPE


@dataclass(frozen=True, slots=True)
class ModelSchema:
    """What the model takes, what it says, and what it came from.

    features        in the order of the matrix.
    featurization   digest of the fitted featurizer (parameters and all it learned); None where it is not kept.
    labels          (negative, positive): the probability is of the second.
    origin          of the recordings it was fitted on: synthetic or clinical.
    pretrained_on   what the foundation models behind its signals had learned from, without repeats.
    """

    pipeline: str
    features: tuple[FeatureColumn, ...]
    featurization: str | None
    labels: tuple[str, str]
    origin: str
    pretrained_on: tuple[str, ...]
    n_subjects: int
    n_recordings: int
    n_events: int

    @classmethod
    def from_json(cls, text: str) -> Self:
        content = json.loads(text)
        columns = tuple(FeatureColumn(**column) for column in content.pop("features"))
        negative, positive = content.pop("labels")
        pretrained = tuple(content.pop("pretrained_on"))
        return cls(features=columns, labels=(negative, positive), pretrained_on=pretrained, **content)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, allow_nan=False) + "\n"


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted classifier and its schema."""

    classifier: Classifier
    schema: ModelSchema

    def predict(self, features: pl.DataFrame) -> pl.DataFrame:
        """`recording`, `y_prob` (probability of the positive label), a row for each of `schemas.FEATURES`.

        Columns are taken by name. Raises ContractError where they are not those of the schema, RecordingError where a
        recording lacks a value.
        """
        names, found = [column.name for column in self.schema.features], feature_names(features)
        if set(names) != set(found):
            raise ContractError(
                self.schema.pipeline,
                f"features lack {sorted(set(names) - set(found))} and have unknown {sorted(set(found) - set(names))}.",
                "Featurize with the featurization that the model was fitted on.",
            )
        X = case_matrix(features.select("recording", "subject", *names), features.select("recording"))
        y_prob = self.classifier.predict_proba(X)[:, 1]
        return pl.DataFrame({"recording": features["recording"], "y_prob": y_prob})

    def save(self, folder: Path) -> None:
        """The classifier's own files and the schema beside them."""
        self.classifier.save(folder)
        (folder / FILE).write_text(self.schema.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, classifier: type[Classifier]) -> Self:
        """The model that `save` wrote. Raises ContractError if it is of another classifier."""
        schema = ModelSchema.from_json((folder / FILE).read_text(encoding="utf-8"))
        return cls(classifier.load(folder), schema)


def fit_model(classifier: Classifier, features: pl.DataFrame, cases: pl.DataFrame, schema: ModelSchema) -> Model:
    """Fit on all of `cases` (`schemas.BOOTSTRAP_CASES`), each recording once. Raises RecordingError, ValueError."""
    if (names := [column.name for column in schema.features]) != feature_names(features):
        raise ValueError(f"the schema has {names}, the table {feature_names(features)}")
    return Model(classifier.fit(case_matrix(features, cases), cases["y_true"].to_numpy()), schema)


def require_same(y_prob: NDArray[np.float64], kept: pl.DataFrame, cases: pl.DataFrame, *, pipeline: str) -> None:
    """Raises ContractError unless `y_prob`, of `cases`, is what `schemas.APPARENT_PREDICTIONS` says of them.

    A model that was fitted elsewhere, or a library that reads its file differently, may not pass for the one that was
    published.
    """
    said = cases.select("recording").join(kept, on="recording", how="left", maintain_order="left")["y_prob"]
    difference = np.abs(said.fill_null(float("nan")).to_numpy() - y_prob)
    # identical bytes are promised on one machine; another's arithmetic may differ in the last bits of float32
    wrong = np.flatnonzero(~(difference <= 1e-6))
    if wrong.size:
        raise ContractError(
            f"{pipeline}: recording {cases['recording'][int(wrong[0])]}",
            f"the model read from its files says {y_prob[wrong[0]]:.6g}, it said {said[int(wrong[0])]} when published.",
            "Run `models` of this pipeline again.",
        )
