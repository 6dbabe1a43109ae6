"""MOMENT's embedding: what is cut and pooled, what the projection learns from, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from plr_assets.errors import ConfigError, ContractError, DataError
from plr_assets.featurization.embedding import PROJECTION_FILE, MomentEmbedding, window_starts
from plr_assets.networks.seeding import reproducible
from plr_assets.pretrained.moment import load_moment
from plr_assets.pretrained.moment_embedding import embed_windows
from plr_assets_tests.builders import make_recordings
from plr_assets_tests.contract.registered import tiny_weights

WEIGHTS = tiny_weights("moment")
DEVELOPMENT, OTHERS = make_recordings(24, seed=1, prefix="D"), make_recordings(3, seed=2)
assert DEVELOPMENT.truth is not None
assert OTHERS.truth is not None
DEVELOPED, OTHER = DEVELOPMENT.truth, OTHERS.truth
FITTED = MomentEmbedding().fit(DEVELOPMENT, DEVELOPED, weights=WEIGHTS)


def embedded(row: np.ndarray[tuple[int], np.dtype[np.float32]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """One recording by the library's own task, window by window."""
    import torch
    from momentfm import MOMENTPipeline
    from safetensors.torch import load_file

    from plr_assets.pretrained.moment import read_config

    pipeline = MOMENTPipeline(config=read_config(WEIGHTS), model_kwargs={"task_name": "embedding"})
    pipeline.init()
    pipeline.load_state_dict(load_file(WEIGHTS / "model.safetensors"), strict=False)
    pipeline.eval()
    with torch.no_grad(), reproducible(0):
        vectors = [
            pipeline(x_enc=torch.from_numpy(row[None, None, start : start + 512])).embeddings[0].numpy()
            for start in (0, 490, 979, 1469)
        ]
    return np.asarray(np.mean(vectors, axis=0), dtype=np.float64)


@pytest.mark.filterwarnings("ignore:Only reconstruction head")
def test_it_is_the_librarys_embedding_scaled_and_projected_by_scikit_learn() -> None:
    learned = np.stack([embedded(row) for row in DEVELOPED])
    scaler = StandardScaler().fit(learned)
    pca = PCA(0.95, svd_solver="full").fit(scaler.transform(learned))
    expected = pca.transform(scaler.transform(np.stack([embedded(row) for row in OTHER])))
    table = FITTED.transform(OTHERS, OTHER)
    assert table.columns[2:] == [f"EMBEDDING_{i + 1:02d}" for i in range(expected.shape[1])]
    assert np.allclose(table[:, 2:].to_numpy(), expected, atol=1e-4)
    assert FITTED.variance_ == pytest.approx(pca.explained_variance_ratio_, rel=1e-4)


def test_components_explain_what_is_asked_and_are_no_more_than_is_asked() -> None:
    assert sum(FITTED.variance_) >= 0.95 > sum(FITTED.variance_[:-1])
    few = MomentEmbedding(most=2).fit(DEVELOPMENT, DEVELOPED, weights=WEIGHTS)
    assert few.variance_ == FITTED.variance_[:2]


def test_recordings_that_are_embedded_change_nothing_that_was_learned() -> None:
    before = {name: array.copy() for name, array in FITTED.projection_.items()}
    FITTED.transform(OTHERS, OTHER * 3)
    for name, array in FITTED.projection_.items():
        assert np.array_equal(array, before[name])


@pytest.mark.parametrize("samples", [1, 100, 511, 512, 513, 1000, 1024, 1981, 2048])
def test_windows_cover_every_sample_and_nothing_else(samples: int) -> None:
    starts, padding = window_starts(samples, 512)
    inside = [i for start in starts for i in range(start - padding, start - padding + 512) if i >= 0]
    assert set(inside) == set(range(samples))
    assert len(starts) == -(-samples // 512)
    assert padding == max(512 - samples, 0)


def test_padding_has_no_say() -> None:
    network = load_moment(WEIGHTS)
    inside = np.tile(np.arange(512) >= 112, (1, 1))
    windows = np.random.default_rng(0).normal(size=(1, 512)).astype(np.float32)
    other = np.where(inside, windows, np.float32(99))
    assert np.array_equal(embed_windows(network, windows, inside), embed_windows(network, other, inside))
    with pytest.raises(ValueError, match="512"):
        embed_windows(network, windows[:, 1:], inside[:, 1:])


def test_what_the_weights_learned_from_is_told_of_every_column() -> None:
    assert all("nothing: random weights" in entry["description"] for entry in FITTED.describe())


def test_a_loaded_one_says_what_it_is_without_reading_the_network(tmp_path: Path) -> None:
    FITTED.save(tmp_path)
    loaded = MomentEmbedding.load(tmp_path)
    (tmp_path / "moment" / "model.safetensors").unlink()
    assert loaded.describe() == FITTED.describe()
    with pytest.raises(ContractError, match="no weights"):
        loaded.transform(OTHERS, OTHER)
    (tmp_path / PROJECTION_FILE).write_bytes(b"")
    with pytest.raises(ContractError, match="no projection"):
        MomentEmbedding.load(tmp_path)


def test_parameters_and_recordings_that_cannot_be_are_refused() -> None:
    for wrong, name in ((MomentEmbedding(explained=1.0), "explained"), (MomentEmbedding(most=0), "most")):
        with pytest.raises(ConfigError, match=name):
            wrong.fit(DEVELOPMENT, DEVELOPED, weights=WEIGHTS)
    with pytest.raises(DataError, match="two recordings"):
        MomentEmbedding().fit(DEVELOPMENT.take([0]), DEVELOPED[:1], weights=WEIGHTS)
    with pytest.raises(ValueError, match="not fitted"):
        MomentEmbedding().describe()
