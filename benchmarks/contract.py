"""Publishing and fetching one table through the contract, and by hand with polars and MLflow.

Belongs here: the contract alone. Does not belong here: Dagster (`range_run`), planning (`planning`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import numpy as np
import polars as pl

from benchmarks.measure import Result, interleave
from benchmarks.synthetic import STAGE, BareTracking
from plr_assets.paths import data_root
from plr_assets.platform.artifacts import Product, read_table, write_product
from plr_assets.platform.contract import Contract, Draft, PublishedRun
from plr_assets.schemas import OUTLIER_MASKS

# The demo's outlier masks: 136 recordings of 1981 samples.
RECORDINGS, SAMPLES = 136, 1981
REPEATS = 25

# The peer writes the same file and the same MLflow run. Beyond it: schema check, two digests, and a second batch of
# tags that marks the run as whole.
GOAL_PUBLISH = 1.5
# The peer reads whatever lies there. Beyond it: SHA-256 of the file and the schema check. They are paid for by the
# index of runs, which is read once a process, where the peer asks the database: no dearer than the peer.
GOAL_FETCH = 1.0
# What the proof alone costs. The cheapest real partition takes 1.4 s (baselines.md, 3) and reads two to five tables: all
# of its proofs within a hundredth of that.
GOAL_PROOF_MS = 3.0


def run() -> Iterator[Result]:
    frame = _masks()
    draft = _draft()
    contract, bare = Contract("contract_bench"), BareTracking("bare_bench")
    ours: dict[int, PublishedRun] = {}
    theirs: dict[int, str] = {}

    def publish(repeat: int) -> None:
        staged = data_root() / "staged"
        staged.mkdir()
        infos = write_product(Product(tables={"masks": frame}), {"masks": OUTLIER_MASKS}, staged)
        ours[repeat] = contract.publish(draft, infos, staged, metrics={"rows": frame.height}, seconds=0.0)
        shutil.rmtree(staged)

    def publish_by_hand(repeat: int) -> None:
        tags = {"plr.asset": draft.asset, "plr.key": draft.key, "plr.fingerprint": draft.fingerprint, **draft.tags}
        theirs[repeat] = bare.publish(draft.key, frame, draft.parameters, tags)

    times = interleave(REPEATS, ours=publish, bare=publish_by_hand)
    yield Result(
        f"publish a table of {RECORDINGS} x {SAMPLES}",
        times.ratio("ours", "bare"),
        GOAL_PUBLISH,
        "ratio",
        f"polars + bare MlflowClient: {1000 * times.typical('bare'):.1f} ms",
    )

    # Every repeat reads another run: the contract remembers what a process has read.
    read: dict[str, pl.DataFrame] = {}

    def fetch(repeat: int) -> None:
        read["ours"] = read_table(contract.ref(ours[repeat], "masks"), OUTLIER_MASKS)

    def fetch_by_hand(repeat: int) -> None:
        read["bare"] = bare.fetch(theirs[repeat])

    def read_alone(repeat: int) -> None:
        read["file"] = pl.read_parquet(contract.ref(ours[repeat], "masks").path)

    times = interleave(REPEATS, ours=fetch, bare=fetch_by_hand, file=read_alone)
    assert all(read[side].equals(frame) for side in ("ours", "bare", "file"))
    yield Result(
        f"fetch a table of {RECORDINGS} x {SAMPLES}",
        times.ratio("ours", "bare"),
        GOAL_FETCH,
        "ratio",
        f"get_run + polars.read_parquet: {1000 * times.typical('bare'):.1f} ms",
    )
    yield Result(
        "prove a table on reading (SHA-256, schema)",
        1000 * times.difference("ours", "file"),
        GOAL_PROOF_MS,
        "ms",
        f"polars.read_parquet alone: {1000 * times.typical('file'):.1f} ms",
    )


def _masks() -> pl.DataFrame:
    """Masks with about 4 % of the samples marked, in runs, as blinks are."""
    rng = np.random.default_rng(0)
    mask = np.zeros((RECORDINGS, SAMPLES), dtype=np.bool_)
    for row in mask:
        for start in rng.integers(0, SAMPLES, size=12):
            row[start : start + rng.integers(3, 11)] = True
    names = [f"R{number:04d}" for number in range(RECORDINGS)]
    return pl.DataFrame({"recording": names}).with_columns(pl.Series("mask", mask, dtype=pl.Array(pl.Boolean, SAMPLES)))


def _draft() -> Draft:
    return Draft(
        asset="masks",
        key="LOF",
        experiment=STAGE.experiment,
        fingerprint="0" * 64,
        parameters={"outlier_detection": "LOF", "LOF.n_neighbors": 100, "LOF.share": 0.03},
        tags={f"plr.fact_{number}": "0" * 40 for number in range(8)},
    )
