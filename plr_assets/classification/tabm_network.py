"""TabM-mini for many samples at once: the same network on each, with parameters of its own, trained in one go.

Belongs here: shapes and initial values of the parameters, forward and backward pass, AdamW. Does not belong here: what
a network is fed (`tabm_encoding`), or how samples are drawn and predicted (`tabm`).

The network is that of Gorishniy et al. 2025 (arXiv 2410.24210) as their package `tabm` defines it: piecewise-linear
embeddings (version B, no activation), k copies of the input, each scaled by a vector of its own, one MLP for all of
them, and k linear outputs of two classes. A test compares outputs and gradients with the package's.

Why not the package's module under `torch.vmap`: at a hundred rows most of its time goes into many small operations.
Here a step is a dozen batched matrix products over a handful of replicates; gradients are written out, and the scaled
inputs are never made, because the scales go into the first matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod, sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

# AdamW's own (Loshchilov & Hutter 2019); the package and the published pipeline leave them.
BETAS = (0.9, 0.999)
EPSILON = 1e-8


@dataclass(frozen=True)
class Sizes:
    """What shapes the network.

    encoded: numbers an encoded feature has (`tabm_encoding`): itself, a one, and its bins.
    """

    features: int
    encoded: int
    d_embedding: int
    d_block: int
    n_blocks: int
    k: int

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Parameter -> shape, in the order in which they lie side by side in a replicate's row.

        `embedding` holds per feature and dimension: slope, bias, one weight a bin.
        """
        width = self.features * self.d_embedding
        shapes: dict[str, tuple[int, ...]] = {
            "embedding": (self.features, self.d_embedding, self.encoded),
            "scale": (self.k, width),
        }
        for block in range(self.n_blocks):
            shapes[f"weight{block}"] = (self.d_block, self.d_block if block else width)
            shapes[f"bias{block}"] = (self.d_block,)
        return {**shapes, "output": (self.k, 2, self.d_block), "output_bias": (self.k, 2)}

    @cached_property
    def places(self) -> dict[str, slice]:
        ends = np.cumsum([prod(shape) for shape in self.shapes.values()]).tolist()
        return {
            name: slice(end - prod(shape), end) for (name, shape), end in zip(self.shapes.items(), ends, strict=True)
        }

    @property
    def parameters(self) -> int:
        return sum(prod(shape) for shape in self.shapes.values())


def initial(sizes: Sizes, rng: np.random.Generator) -> NDArray[np.float32]:
    """(parameters,) as the package draws them: uniform within 1/sqrt(inputs); one normal scale for each copy and
    feature; bins at 0, so that the embedding starts as a straight line."""
    values = np.zeros(sizes.parameters)

    def put(name: str, drawn: NDArray[np.float64]) -> None:
        values[sizes.places[name]] = drawn.ravel()

    def uniform(shape: tuple[int, ...], inputs: int) -> NDArray[np.float64]:
        return rng.uniform(-1, 1, shape) / sqrt(inputs)

    embedding = np.zeros(sizes.shapes["embedding"])
    embedding[..., :2] = uniform((sizes.features, sizes.d_embedding, 2), sizes.d_embedding)
    put("embedding", embedding)
    put("scale", np.repeat(rng.standard_normal((sizes.k, sizes.features)), sizes.d_embedding, axis=1))
    for block in range(sizes.n_blocks):
        inputs = sizes.shapes[f"weight{block}"][1]
        for name in (f"weight{block}", f"bias{block}"):
            put(name, uniform(sizes.shapes[name], inputs))
    for name in ("output", "output_bias"):
        put(name, uniform(sizes.shapes[name], sizes.d_block))
    return values.astype(np.float32)


class Batch(NamedTuple):
    """R replicates, their rows filled up to N with rows of weight 0.

    encoded  (R, features, N, encoded) float32.
    outcome  (R, N) 0 or 1, int64.
    weights  (R, N) float32; those of a replicate sum to 1.
    rows     rows of each replicate that are not filling.
    """

    encoded: torch.Tensor
    outcome: torch.Tensor
    weights: torch.Tensor
    rows: Sequence[int]


class Kept(NamedTuple):
    """units: per block (R, k * d_block, N), 1 or 0; none: all are kept. scale: what makes up for those dropped."""

    units: Sequence[torch.Tensor] = ()
    scale: float = 1.0


class Dropout:
    """Which hidden units are dropped, step by step, by each replicate's own generator."""

    def __init__(self, sizes: Sizes, batch: Batch, generators: Sequence[np.random.Generator], rate: float) -> None:
        import torch

        self._scale = 1 / (1 - rate)
        self._rows = batch.rows
        self._generators = generators
        # 16 random bits a unit: the rate is met to 1e-5, in a quarter of the time that a float takes.
        self._limit = round(rate * 2**16)
        shape = (len(generators), sizes.k * sizes.d_block, batch.outcome.shape[1])
        self._kept = [torch.ones(shape) for _ in range(sizes.n_blocks if rate else 0)]

    def draw(self) -> Kept:
        """The next step's. They are drawn for the rows that there are, not for filling."""
        for kept in self._kept:
            for replicate, (rng, rows) in enumerate(zip(self._generators, self._rows, strict=True)):
                units = kept.shape[1] * rows
                bits = rng.bit_generator.random_raw(-(-units // 4)).view(np.uint16)[:units]
                np.greater_equal(
                    bits.reshape(-1, rows), self._limit, out=kept[replicate, :, :rows].numpy(), casting="unsafe"
                )
        return Kept(self._kept, self._scale)


class Workspace:
    """Tensors that are written anew at each step. A new one of a megabyte costs more than what is computed into it:
    the allocator takes it from the system and gives it back each time."""

    def __init__(self) -> None:
        self._tensors: dict[str, torch.Tensor] = {}

    def product(self, name: str, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """The batched matrix product of `a` and `b`."""
        import torch

        shape = (a.shape[0], a.shape[1], b.shape[2])
        held = self._tensors.get(name)
        if held is None or held.shape != shape or held.dtype != a.dtype:
            held = self._tensors[name] = torch.empty(shape, dtype=a.dtype)
        return torch.bmm(a, b, out=held)


def train(
    sizes: Sizes,
    batch: Batch,
    generators: Sequence[np.random.Generator],
    *,
    epochs: int,
    learning_rate: float,
    weight_decay: float,
    dropout: float,
) -> torch.Tensor:
    """(R, parameters) after `epochs` steps of AdamW over all rows. Initial values and dropout come from each
    replicate's own generator: none depends on which others it is trained with."""
    import torch

    values = torch.from_numpy(np.stack([initial(sizes, rng) for rng in generators]))
    mean, square = torch.zeros_like(values), torch.zeros_like(values)
    dropping, workspace = Dropout(sizes, batch, generators, dropout), Workspace()
    for step in range(1, epochs + 1):
        gradient = gradients(sizes, values, batch, workspace, dropping.draw())
        mean.lerp_(gradient, 1 - BETAS[0])
        square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        spread = square.sqrt().div_(sqrt(1 - BETAS[1] ** step)).add_(EPSILON)
        values.mul_(1 - learning_rate * weight_decay)
        values.addcdiv_(mean, spread, value=-learning_rate / (1 - BETAS[0] ** step))
    return values


def logits(sizes: Sizes, values: torch.Tensor, encoded: torch.Tensor) -> torch.Tensor:
    """(R, k, 2, N): what each copy says of each row, without dropout. `encoded` (R, features, N, encoded)."""
    return _forward(sizes, split(sizes, values), encoded, Workspace(), Kept()).logits


def gradients(
    sizes: Sizes, values: torch.Tensor, batch: Batch, workspace: Workspace, kept: Kept | None = None
) -> torch.Tensor:
    """(R, parameters): gradient of each replicate's loss, the weighted mean over rows and copies of the cross-entropy.

    kept: see `Dropout`; none: no unit is dropped.
    """
    import torch

    p = split(sizes, values)
    kept = kept or Kept()
    seen = _forward(sizes, p, batch.encoded, workspace, kept)
    scale = kept.scale
    replicates, n = batch.outcome.shape
    k, width = sizes.k, sizes.d_block
    per_copy = [units.view(replicates * k, width, n) for units in seen.units]

    error = torch.softmax(seen.logits, dim=2)
    error[:, :, 1] -= batch.outcome.unsqueeze(1)
    error[:, :, 0] += batch.outcome.unsqueeze(1) - 1
    error *= (batch.weights / k)[:, None, None]
    found = {"output_bias": error.sum(-1)}
    error = error.view(replicates * k, 2, n)
    found["output"] = workspace.product("output", error, per_copy[-1].mT) * scale
    back = workspace.product("back", p["output"].reshape(replicates * k, 2, width).mT * scale, error)
    for block in reversed(range(sizes.n_blocks)):
        # A unit is 0 where its rectifier or dropout closed it, and above 0 elsewhere.
        torch.ops.aten.threshold_backward.grad_input(back, per_copy[block], 0, grad_input=back)
        found[f"bias{block}"] = back.view(replicates, k, width, n).sum((1, 3))
        if block:
            each = workspace.product(f"weight{block}", back, per_copy[block - 1].mT)
            found[f"weight{block}"] = each.view(replicates, k, width, width).sum(1) * scale
            matrix = _for_each_copy(p[f"weight{block}"], k).mT * scale
            back = workspace.product(f"back{block}", matrix, back)
    back = back.view(replicates, k * width, n)
    # The scales and the first matrix are used as their product, so its gradient is shared out among them.
    each = workspace.product("scaled", back, seen.embedded.mT).view(replicates, k, width, -1)
    found["weight0"] = (each * p["scale"].unsqueeze(2)).sum(1)
    found["scale"] = (each * p["weight0"].unsqueeze(1)).sum(2)
    back = workspace.product("embedded_back", seen.first.mT, back).view(-1, sizes.d_embedding, n)
    found["embedding"] = workspace.product("embedding", back, batch.encoded.flatten(0, 1))
    return torch.cat([found[name].reshape(replicates, -1) for name in sizes.shapes], dim=1)


def split(sizes: Sizes, values: torch.Tensor) -> dict[str, torch.Tensor]:
    """The parameters by name, (R, *shape) each: views of `values` (R, parameters)."""
    return {name: values[:, sizes.places[name]].view(-1, *shape) for name, shape in sizes.shapes.items()}


class _Seen(NamedTuple):
    """What the forward pass left: first (R, k * d_block, width), the first matrix of each copy with its scales
    multiplied in; embedded (R, width, N); units of each block (R, k * d_block, N); logits."""

    first: torch.Tensor
    embedded: torch.Tensor
    units: list[torch.Tensor]
    logits: torch.Tensor


def _forward(
    sizes: Sizes, p: dict[str, torch.Tensor], encoded: torch.Tensor, workspace: Workspace, kept: Kept
) -> _Seen:
    replicates, _, n, _ = encoded.shape
    k, width = sizes.k, sizes.d_block
    # Rows lie last everywhere: the matrices of one copy are then contiguous, and long where vectors are.
    embedded = workspace.product("embedded", p["embedding"].flatten(0, 1), encoded.flatten(0, 1).mT)
    embedded = embedded.view(replicates, -1, n)
    first = (p["weight0"].unsqueeze(1) * p["scale"].unsqueeze(2)).view(replicates, k * width, -1)
    units: list[torch.Tensor] = []
    for block in range(sizes.n_blocks):
        if block == 0:
            here = workspace.product("units0", first, embedded)
        else:
            matrix = _for_each_copy(p[f"weight{block}"], k) * kept.scale
            here = workspace.product(f"units{block}", matrix, units[-1].view(replicates * k, width, n))
        here = here.view(replicates, k * width, n)
        here.add_(p[f"bias{block}"].repeat(1, k).unsqueeze(-1)).relu_()
        if kept.units:
            here.mul_(kept.units[block])
        units.append(here)
    output = p["output"].reshape(replicates * k, 2, width) * kept.scale
    said = workspace.product("said", output, units[-1].view(replicates * k, width, n))
    return _Seen(first, embedded, units, said.view(replicates, k, 2, n) + p["output_bias"].unsqueeze(-1))


def _for_each_copy(matrix: torch.Tensor, k: int) -> torch.Tensor:
    """(R * k, ...) of (R, ...): the copies share it."""
    return matrix.repeat_interleave(k, dim=0)
