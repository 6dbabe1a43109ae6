"""TabM: the network is the package's, and a batch of them is as many alone."""

from __future__ import annotations

import numpy as np
import pytest
import rtdl_num_embeddings
import tabm
import torch

from plr_assets.classification.resampling import resample
from plr_assets.classification.tabm import AT_ONCE, TabM
from plr_assets.classification.tabm_encoding import Encoding
from plr_assets.classification.tabm_network import Batch, Dropout, Sizes, Workspace, gradients, initial, logits, split
from plr_assets.errors import ConfigError

pytestmark = pytest.mark.usefixtures("one_thread")

RNG = np.random.default_rng(0)
# the last feature has two values, so it has fewer bins than the others
X = np.column_stack([RNG.standard_normal((40, 2)) * [1, 50], RNG.integers(0, 2, 40)])
Y = np.arange(40) % 2
WEIGHTS = RNG.integers(1, 4, 40).astype(float)
BINS = 6
SMALL = {"k": 2, "d_block": 8, "d_embedding": 4, "n_bins": BINS, "epochs": 25}


def sizes(n_blocks: int = 2, k: int = 3) -> Sizes:
    return Sizes(features=3, encoded=2 + BINS, d_embedding=4, d_block=8, n_blocks=n_blocks, k=k)


def package_network(ours: Sizes, encoding: Encoding, values: torch.Tensor) -> tabm.TabM:
    """The package's model with the parameters of `values` (parameters,)."""
    edges = [torch.tensor(column, dtype=torch.float32) for column in encoding.edges]
    network = tabm.TabM(
        n_num_features=ours.features,
        d_out=2,
        num_embeddings=rtdl_num_embeddings.PiecewiseLinearEmbeddings(
            edges, ours.d_embedding, activation=False, version="B"
        ),
        n_blocks=ours.n_blocks,
        d_block=ours.d_block,
        dropout=0.0,
        activation="ReLU",
        k=ours.k,
        arch_type="tabm-mini",
        start_scaling_init="normal",
    )
    network.load_state_dict({**network.state_dict(), **package_names(ours, split(ours, values[None]))})
    return network


def package_names(ours: Sizes, p: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Our parameters (or their gradients), (1, ...) each, as the package names and lays them out."""
    embedding = p["embedding"][0]
    named = {
        "num_module.linear0.weight": embedding[..., 0],
        "num_module.linear0.bias": embedding[..., 1],
        "num_module.linear.weight": embedding[..., 2:].mT,
        "backbone.affine.weight": p["scale"][0],
        "output.weight": p["output"][0].mT,
        "output.bias": p["output_bias"][0],
    }
    for block in range(ours.n_blocks):
        named[f"backbone.blocks.{block}.0.weight"] = p[f"weight{block}"][0]
        named[f"backbone.blocks.{block}.0.bias"] = p[f"bias{block}"][0]
    return named


def batch_of(encoding: Encoding, filling: int = 0) -> Batch:
    encoded = np.pad(encoding.encode(X, BINS), ((0, 0), (0, filling), (0, 0)))
    weights = np.pad(WEIGHTS / WEIGHTS.sum(), (0, filling))
    return Batch(
        torch.from_numpy(encoded)[None],
        torch.from_numpy(np.pad(Y, (0, filling)))[None],
        torch.from_numpy(weights.astype(np.float32))[None],
        [len(X)],
    )


@pytest.mark.parametrize("n_blocks", [1, 2, 3])
def test_network_and_gradients_are_the_packages(n_blocks: int) -> None:
    ours, encoding = sizes(n_blocks), Encoding.of(X, WEIGHTS, BINS)
    values = torch.from_numpy(initial(ours, np.random.default_rng(1)))
    values[ours.places["embedding"]] += torch.linspace(-1, 1, 3 * 4 * (2 + BINS))  # bins start at 0
    network, batch = package_network(ours, encoding, values), batch_of(encoding)

    theirs = network(torch.tensor(encoding.standardise(X), dtype=torch.float32))
    np.testing.assert_allclose(
        logits(ours, values[None], batch.encoded)[0].permute(2, 0, 1).numpy(), theirs.detach().numpy(), atol=1e-5
    )

    outcome = torch.from_numpy(Y)
    for copy in range(ours.k):
        loss = torch.nn.functional.cross_entropy(theirs[:, copy], outcome, reduction="none") @ batch.weights[0]
        (loss / ours.k).backward(retain_graph=True)
    found = package_names(ours, split(ours, gradients(ours, values[None], batch, Workspace())))
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        np.testing.assert_allclose(found[name].numpy(), parameter.grad.numpy(), atol=1e-6, err_msg=name)


def test_initial_values_are_drawn_as_the_package_draws_them() -> None:
    ours, encoding = sizes(), Encoding.of(X, WEIGHTS, BINS)
    drawn: dict[str, list[np.ndarray]] = {}
    theirs: dict[str, list[np.ndarray]] = {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for seed in range(300):
            values = torch.from_numpy(initial(ours, np.random.default_rng(seed)))
            network = package_network(ours, encoding, values)
            for name, parameter in package_names(ours, split(ours, values[None])).items():
                drawn.setdefault(name, []).append(parameter.numpy())
            for module in network.modules():
                if hasattr(module, "reset_parameters"):
                    module.reset_parameters()
            torch.nn.init.zeros_(network.num_module.linear.weight)
            for name, parameter in network.named_parameters():
                theirs.setdefault(name, []).append(parameter.detach().numpy().copy())
    assert drawn.keys() == theirs.keys()
    for name, values_of in drawn.items():
        a, b = np.array(values_of).ravel(), np.array(theirs[name]).ravel()
        assert np.abs(np.quantile(a, [0.05, 0.5, 0.95]) - np.quantile(b, [0.05, 0.5, 0.95])).max() < 0.08, name
    scale = drawn["backbone.affine.weight"][0].reshape(ours.k, 3, 4)
    assert (scale == scale[..., :1]).all()


def test_encoding_is_the_packages() -> None:
    encoding = Encoding.of(X, WEIGHTS, BINS)
    edges = [torch.tensor(column, dtype=torch.float32) for column in encoding.edges]
    assert [len(column) for column in edges] == [BINS + 1, BINS + 1, 2]
    # new rows lie beyond the outer edges, too
    rows = X * 1.7 + 0.1
    theirs = rtdl_num_embeddings.PiecewiseLinearEmbeddings(edges, 4, activation=False, version="B").impl(
        torch.tensor(encoding.standardise(rows), dtype=torch.float32)
    )
    np.testing.assert_allclose(encoding.encode(rows, BINS)[..., 2:].transpose(1, 0, 2), theirs.numpy(), atol=2e-5)


def test_bins_hold_equal_shares_of_the_weight() -> None:
    encoding = Encoding.of(X, WEIGHTS, BINS)
    values = encoding.standardise(X)[:, 0]
    shares = [WEIGHTS[values <= edge].sum() / WEIGHTS.sum() for edge in encoding.edges[0]]
    assert (np.array(shares[1:]) >= np.arange(1, BINS + 1) / BINS - 1e-12).all()
    assert (np.array(shares[1:]) < np.arange(1, BINS + 1) / BINS + WEIGHTS.max() / WEIGHTS.sum()).all()


def test_filling_rows_change_no_gradient() -> None:
    ours, encoding = sizes(), Encoding.of(X, WEIGHTS, BINS)
    values = torch.from_numpy(initial(ours, np.random.default_rng(1)))[None]
    plain = gradients(ours, values, batch_of(encoding), Workspace())
    filled = gradients(ours, values, batch_of(encoding, filling=8), Workspace())
    np.testing.assert_allclose(filled.numpy(), plain.numpy(), atol=1e-7)


def test_dropout_meets_its_rate_and_leaves_the_mean_of_units_as_it_was() -> None:
    batch = batch_of(Encoding.of(X, WEIGHTS, BINS))
    dropping = Dropout(sizes(k=64), batch, [np.random.default_rng(0)], 0.1)
    first = [kept.clone() for kept in dropping.draw().units]
    assert len(first) == 2
    assert not torch.equal(first[0], first[1])
    again, scale = dropping.draw()
    assert not torch.equal(first[0], again[0])
    assert set(first[0].unique().tolist()) == {0.0, 1.0}
    assert abs(float(first[0].mean()) * scale - 1) < 0.01


def test_a_replicate_in_a_batch_is_the_replicate_alone() -> None:
    """Also where the last batch is short, and samples have unequal numbers of distinct rows."""
    resamples = resample([f"s{i}" for i in range(40)], Y, AT_ONCE + 3, seed=1)
    seeds = list(range(20, 20 + len(resamples)))
    model = TabM(**SMALL)
    together = list(model.out_of_bag(X, Y, resamples, seeds))
    assert len(together) == len(seeds)
    for i in (0, 5, AT_ONCE, AT_ONCE + 2):
        alone = model.fit_resample(X, Y, resamples.counts[i], seeds[i])
        np.testing.assert_allclose(alone.predict_proba(X[resamples.test(i)])[:, 1], together[i], atol=1e-4)


def test_training_lowers_the_loss_that_it_is_the_gradient_of() -> None:
    fitted = TabM(**{**SMALL, "epochs": 100}).fit(X, (X[:, 0] > 0).astype(np.int64))
    p = fitted.predict_proba(X)[:, 1]
    assert p[X[:, 0] > 0].mean() > 0.9
    assert p[X[:, 0] <= 0].mean() < 0.1


@pytest.mark.parametrize(("parameter", "value"), [("k", 0), ("dropout", 1.0), ("n_bins", 1), ("epochs", 0)])
def test_impossible_parameters_are_named(parameter: str, value: float) -> None:
    with pytest.raises(ConfigError, match=parameter):
        TabM(**{parameter: value}).fit(X, Y)
