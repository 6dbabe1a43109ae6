"""TabM: one small network that answers as several (Gorishniy et al. 2025, arXiv 2410.24210).

Belongs here: the classifier, and how the replicates of a bootstrap become one batch. Does not belong here: the network
and its training (`tabm_network`), or what it is fed (`tabm_encoding`).

It is the variant `tabm-mini` with piecewise-linear embeddings, in the sizes of the published pipeline. Two things are
otherwise:

- The number of epochs is fixed, and smaller. There, training stopped by the error of the cases that were left out,
  which are those it was judged on; and a hold-out of a hundred in-bag subjects is about 25, too few to stop by.
- An epoch is one step over all rows. There a batch held 256 rows, more than a sample of its cohort.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from plr_assets.classification.base import Classes, Classifier, Features, Weights, require_resamples_of
from plr_assets.classification.class_weights import CHOICES, ClassWeight, balance
from plr_assets.classification.resampling import Resamples
from plr_assets.classification.tabm_encoding import Encoding
from plr_assets.classification.tabm_network import Batch, Sizes, logits, split, train
from plr_assets.estimator import IN_ITS_OWN_FILE
from plr_assets.networks.files import load_network, save_network
from plr_assets.networks.seeding import reproducible

if TYPE_CHECKING:
    import torch

# Replicates in one batch: more amortise the calls into torch, fewer leave their units in the cache of a core.
AT_ONCE = 4
# Rows are filled up to a multiple of this, the floats of a vector: sums are then split alike however many are filling,
# and a replicate is the same to the last bit in any batch (with 136 rows beside 144 it was not).
MULTIPLE = 16


class _Sample(NamedTuple):
    """What one network is fitted on: distinct rows (n, p), their classes, weights above 0, and the encoding."""

    X: Features
    y: Classes
    weights: Weights
    encoding: Encoding


class _Distinct(NamedTuple):
    """Rows without repeats: X (m, p), y (m,), and where each of the n given rows is among them. Their order follows
    from their values, so that a sample has one spelling."""

    X: Features
    y: Classes
    place: NDArray[np.intp]

    @classmethod
    def of(cls, X: Features, y: Classes) -> Self:
        rows, place = np.unique(np.column_stack([X, y]), axis=0, return_inverse=True)
        return cls(rows[:, :-1], rows[:, -1].astype(np.int64), place.ravel())


@dataclass(eq=False, kw_only=True)
class TabM(Classifier):
    """k copies of an MLP that share all but their input scales and outputs; their probabilities are averaged.

    Equal rows are one row of more weight, so a weight is a count. Scales and bins are of the given rows alone.

    class_weight: null or balanced, for the error that is trained on; scales and bins do not look at classes.
    """

    counts_as_weights: ClassVar[bool] = True

    k: int = 8
    n_blocks: int = 2
    d_block: int = 32
    d_embedding: int = 8
    n_bins: int = 48
    dropout: float = 0.1
    learning_rate: float = 0.02
    weight_decay: float = 0.003
    epochs: int = 15
    class_weight: ClassWeight | None = None
    mean_: list[float] = field(init=False)
    scale_: list[float] = field(init=False)
    edges_: list[list[float]] = field(init=False)
    network_: Any = field(init=False, metadata=IN_ITS_OWN_FILE)

    def _fit(self, X: Features, y: Classes, sample_weight: Weights | None) -> None:
        sample = self._sample(_Distinct.of(X, y), np.ones(len(y)) if sample_weight is None else sample_weight)
        sizes = self._sizes(X.shape[1])
        with reproducible(self.random_state):
            values = self._train(sizes, [sample], [self.random_state])
        encoding = sample.encoding
        self.mean_, self.scale_ = encoding.mean.tolist(), encoding.scale.tolist()
        self.edges_ = [edges.tolist() for edges in encoding.edges]
        self.network_ = _module(sizes, values)

    def _probability(self, X: Features) -> NDArray[np.float64]:
        import torch

        sizes = self._sizes(len(self.mean_))
        encoding = Encoding(np.array(self.mean_), np.array(self.scale_), tuple(map(np.array, self.edges_)))
        parameters = [self.network_[name].detach().reshape(1, -1) for name in sizes.shapes]
        with reproducible(self.random_state):
            return self._predict(sizes, torch.cat(parameters, dim=1), [encoding], [X])[0]

    def out_of_bag(
        self, X: Features, y: Classes, resamples: Resamples, seeds: Sequence[int]
    ) -> Iterator[NDArray[np.float64]]:
        """See `Classifier.out_of_bag`: the replicates are trained several at a time."""
        require_resamples_of(X, y, resamples, seeds)
        sizes, distinct = self._sizes(X.shape[1]), _Distinct.of(X, y)
        for start in range(0, len(seeds), AT_ONCE):
            together = range(start, min(start + AT_ONCE, len(seeds)))
            samples = [self._sample(distinct, resamples.counts[i].astype(np.float64)) for i in together]
            with reproducible(0):
                values = self._train(sizes, samples, [seeds[i] for i in together])
                left_out = [X[resamples.test(i)] for i in together]
                predicted = self._predict(sizes, values, [sample.encoding for sample in samples], left_out)
            yield from predicted

    def save(self, folder: Path) -> None:
        super().save(folder)
        save_network(self.network_, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        import torch

        classifier = super().load(folder)
        sizes = classifier._sizes(len(classifier.mean_))
        classifier.network_ = load_network(_module(sizes, torch.zeros(1, sizes.parameters)), folder)
        return classifier

    def _sizes(self, features: int) -> Sizes:
        for name in ("k", "n_blocks", "d_block", "d_embedding", "epochs"):
            self._require(name, getattr(self, name) >= 1, "must be at least 1")
        self._require("class_weight", self.class_weight in CHOICES, f"must be one of {CHOICES}")
        self._require("n_bins", self.n_bins >= 2, "must be at least 2")
        self._require("dropout", 0 <= self.dropout < 1, "must be at least 0 and below 1")
        return Sizes(features, 2 + self.n_bins, self.d_embedding, self.d_block, self.n_blocks, self.k)

    def _sample(self, distinct: _Distinct, weights: Weights) -> _Sample:
        """The rows that have a weight; equal ones of one class add theirs up."""
        summed = np.bincount(distinct.place, weights=weights, minlength=len(distinct.y)).astype(np.float64)
        there = summed > 0
        X, y, summed = distinct.X[there], distinct.y[there], summed[there]
        if (found := sorted(set(y.tolist()))) != [0, 1]:
            raise ValueError(f"y has to hold the classes 0 and 1, it holds {found}")
        return _Sample(X, y, summed, Encoding.of(X, summed, self.n_bins))

    def _train(self, sizes: Sizes, samples: Sequence[_Sample], seeds: Sequence[int]) -> torch.Tensor:
        """(R, parameters)."""
        import torch

        rows = [len(sample.y) for sample in samples]
        n = -(-max(rows) // MULTIPLE) * MULTIPLE
        encoded = np.zeros((len(samples), sizes.features, n, sizes.encoded), dtype=np.float32)
        outcome = np.zeros((len(samples), n), dtype=np.int64)
        weights = np.zeros((len(samples), n), dtype=np.float32)
        for place, sample in enumerate(samples):
            encoded[place, :, : rows[place]] = sample.encoding.encode(sample.X, self.n_bins)
            outcome[place, : rows[place]] = sample.y
            counted = sample.weights * (1 if self.class_weight is None else balance(sample.y, sample.weights))
            weights[place, : rows[place]] = counted / counted.sum()
        return train(
            sizes,
            Batch(torch.from_numpy(encoded), torch.from_numpy(outcome), torch.from_numpy(weights), rows),
            [np.random.Generator(np.random.PCG64(seed)) for seed in seeds],
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            dropout=self.dropout,
        )

    def _predict(
        self, sizes: Sizes, values: torch.Tensor, encodings: Sequence[Encoding], cases: Sequence[Features]
    ) -> list[NDArray[np.float64]]:
        """Per network (n,) probability of class 1 of its `cases`."""
        import torch

        n = max(len(X) for X in cases)
        encoded = np.zeros((len(cases), sizes.features, n, sizes.encoded))
        for place, (encoding, X) in enumerate(zip(encodings, cases, strict=True)):
            encoded[place, :, : len(X)] = encoding.encode(X, self.n_bins)
        said = logits(sizes, values.double(), torch.from_numpy(encoded))
        # In double precision and rounded: the order of a sum, which changes with the batch, does not show.
        positive = torch.softmax(said, dim=2)[:, :, 1].mean(1).float().double().numpy()
        return [positive[place, : len(X)] for place, X in enumerate(cases)]


def _module(sizes: Sizes, values: torch.Tensor) -> torch.nn.ParameterDict:
    """The parameters (1, parameters) by name, as what torch saves."""
    import torch

    return torch.nn.ParameterDict(
        {
            name: torch.nn.Parameter(tensor[0].clone(), requires_grad=False)
            for name, tensor in split(sizes, values).items()
        }
    )
