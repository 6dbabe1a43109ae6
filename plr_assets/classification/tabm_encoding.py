"""Piecewise-linear encoding of features, with bins of weighted rows.

Belongs here: scale, bin edges and encoding, each from the rows that a network is fitted on. Does not belong here: the
network that reads the encoding (`tabm_network`).

The encoding is that of Gorishniy et al. 2022 (arXiv 2203.05556) as the package `rtdl_num_embeddings` computes it:
within a feature's bin it rises from 0 to 1, below it is 0, above 1, and the outer bins go on beyond their edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Encoding:
    """mean, scale (p,) of the rows; edges: per feature its bins' edges in units of scale, ascending, at least two."""

    mean: Rows
    scale: Rows
    edges: tuple[Rows, ...]

    @classmethod
    def of(cls, X: Rows, weights: Rows, n_bins: int) -> Self:
        """From rows X (n, p) with weights (n,): a weight of 2 is the row twice. A feature of few values has fewer bins
        than `n_bins`; one of a single value has one bin, a scale wide."""
        share = weights / weights.sum()
        mean = share @ X
        scale = np.sqrt(share @ np.square(X - mean))
        # A constant feature: its spread is what rounding leaves of 0.
        scale = np.where(scale > 1e-12 * np.maximum(np.abs(mean), 1e-300), scale, 1.0)
        standardised = _to_float32((X - mean) / scale)
        return cls(mean, scale, tuple(_edges(column, weights, n_bins) for column in standardised.T))

    @property
    def bins(self) -> int:
        """The most bins that a feature has."""
        return max(len(edges) for edges in self.edges) - 1

    def standardise(self, X: Rows) -> Rows:
        """(n, p) in units of scale, as float32 has them."""
        return _to_float32((X - self.mean) / self.scale)

    def encode(self, X: Rows, n_bins: int) -> NDArray[np.float32]:
        """(p, n, 2 + n_bins): a row's value, a one, and its bins; those that a feature lacks are 0. As in the package,
        the last bin is in the last place, and what is missing lies before it."""
        values = self.standardise(X).T
        encoded = np.zeros((*values.shape, 2 + n_bins), dtype=np.float32)
        encoded[..., 0], encoded[..., 1] = values, 1
        lengths = np.array([len(edges) for edges in self.edges])
        for length in np.unique(lengths):  # mostly one: features of many values have all their bins
            alike = np.flatnonzero(lengths == length)
            edges = np.stack([self.edges[feature] for feature in alike])[:, None]
            inside = values[alike, :, None] - edges[..., :-1]
            inside /= np.diff(edges)
            np.maximum(inside[..., 1:], 0.0, out=inside[..., 1:])
            np.minimum(inside[..., :-1], 1.0, out=inside[..., :-1])
            encoded[alike, :, 2:length] = inside[..., :-1]
            encoded[alike, :, -1] = inside[..., -1]
        return encoded


def _edges(column: Rows, weights: Rows, n_bins: int) -> Rows:
    """Quantiles of weighted values, each itself a value; equal ones are one edge."""
    order = np.argsort(column, kind="stable")
    below = np.cumsum(weights[order])
    # The shares are k / n_bins of the whole; the last is the largest value, whatever the sum was rounded to.
    wanted = np.arange(n_bins + 1) / n_bins * below[-1]
    places = np.minimum(np.searchsorted(below, wanted, side="left"), len(order) - 1)
    rising = column[order[places]]
    edges: Rows = rising[np.append(True, np.diff(rising) > 0)]
    return edges if edges.size > 1 else edges[0] + np.array([-0.5, 0.5])


def _to_float32(values: Rows) -> Rows:
    """As the network sees them: two values that it cannot tell apart get one edge."""
    return values.astype(np.float32).astype(np.float64)
