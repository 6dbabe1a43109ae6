"""A pipeline's bootstrap is the same bytes wherever it is computed: in this process, or in one of a pool's."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import pytest

from plr_assets.classification.bootstrap import bootstrap
from plr_assets.classification.resampling import resample
from plr_assets.platform.artifacts import Product, write_product
from plr_assets.platform.mapper import Failed, Mapper, ProcessMapper, SerialMapper
from plr_assets.schemas import BOOTSTRAP_RESULTS
from plr_assets_tests.builders import make_features
from plr_assets_tests.contract.registered import construct, implemented, start

NAMES = implemented("classification")


def published(name: str) -> str:
    """SHA-256 of the Parquet file of a small bootstrap. Runs in workers too."""
    features, cases = make_features(60)
    resamples = resample(cases["subject"].to_list(), cases["y_true"].to_numpy(), 12, seed=3)
    classifier = construct("classification", name, **start("classification", name))
    results = bootstrap(features, cases, classifier, resamples)
    with tempfile.TemporaryDirectory() as folder:
        write_product(Product(tables={"results": results}), {"results": BOOTSTRAP_RESULTS}, Path(folder))
        return hashlib.sha256((Path(folder) / "results.parquet").read_bytes()).hexdigest()


def _all(mapper: Mapper) -> dict[str, str | Failed]:
    return {outcome.item: outcome.result for outcome in mapper.map(published, NAMES)}


@pytest.mark.slow
def test_two_runs_in_either_mapper_write_the_same_bytes() -> None:
    """Workers have one thread, this process as many as the machine: that may not show either."""
    serial = _all(SerialMapper())
    assert all(isinstance(digest, str) for digest in serial.values()), serial
    assert len(set(serial.values())) == len(NAMES)
    assert _all(SerialMapper()) == serial
    with ProcessMapper(2) as mapper:
        assert _all(mapper) == serial
        assert _all(mapper) == serial
