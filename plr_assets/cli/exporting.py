"""What `plr export` does: a pipeline's published bootstrap as the file that readers of the original know.

Belongs here: finding the run, writing the copy. Does not belong here: the shape of the dict (`classification`).
The project writes this pickle because other people's scripts open it, and never reads one.
"""

from __future__ import annotations

import pickle
from pathlib import Path

from plr_assets.classification.bootstrap import as_seed_dict
from plr_assets.errors import SelectionError, did_you_mean
from plr_assets.grid import grid_of
from plr_assets.platform.artifacts import read_table
from plr_assets.platform.contract import Contract
from plr_assets.schemas import BOOTSTRAP_RESULTS
from plr_assets.study import load_study


def export_bootstrap(study: str, pipeline: str, folder: Path) -> Path:
    """Write `bootstrap_results.pkl` into `folder`: a dict of plain lists. Raises SelectionError, ContractError."""
    loaded = load_study(study)
    known = [str(key) for key in grid_of(loaded).pipelines]
    if pipeline not in known:
        raise SelectionError(pipeline, f"this is no pipeline of {loaded.name}.", did_you_mean(pipeline, known))
    contract = Contract(loaded.name)
    run = contract.latest("bootstrap_results", pipeline)
    if run is None:
        raise SelectionError(pipeline, "its bootstrap is not published.", f"Run it: plr run {study}.")
    results = read_table(contract.ref(run, "bootstrap_results"), BOOTSTRAP_RESULTS)
    target = folder / "bootstrap_results.pkl"
    folder.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    # Protocol 4 opens from Python 3.4 on, and as it holds plain lists only, without any library.
    partial.write_bytes(pickle.dumps(as_seed_dict(results), protocol=4))
    partial.replace(target)
    return target
