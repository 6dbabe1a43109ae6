"""The asset of the classification stage.

Belongs here: the declaration. Does not belong here: classifiers or resampling (`classification`), metrics beyond the
seed's schema (`results`).
"""

from __future__ import annotations

from typing import Any

from plr_assets.defs.data_import import cohort_split
from plr_assets.defs.featurization import features
from plr_assets.defs.pretrained import ARTIFACT, start_of, tabpfn_weights, weights_of
from plr_assets.defs.stages import CLASSIFICATION, labelled
from plr_assets.platform.artifacts import Product
from plr_assets.platform.stages import Task, reads, stage_asset
from plr_assets.registry import AXES, Search
from plr_assets.schemas import BOOTSTRAP_CASES, BOOTSTRAP_RESULTS


@stage_asset(
    CLASSIFICATION,
    keys=lambda grid: grid.pipelines,
    axes=AXES,
    method_axis="classification",
    reads=[
        reads(features, "features_of_cases"),
        reads(cohort_split, "cases"),
        reads(tabpfn_weights, ARTIFACT, weights_of("classification", "tabpfn")),
    ],
    tables={"bootstrap_results": BOOTSTRAP_RESULTS, "bootstrap_cases": BOOTSTRAP_CASES},
    settings=("bootstrap", "labels"),
    seeded=True,
    offered=labelled,
)
def bootstrap_results(task: Task) -> Product:
    """Each pipeline's out-of-bag bootstrap: subjects drawn train, subjects left out are predicted.

    All pipelines share the same resamples, so they can be compared pair by pair.
    """
    from plr_assets.classification.bootstrap import bootstrap
    from plr_assets.classification.resampling import cases_from, resample
    from plr_assets.classification.tuning import Tuned

    cases = cases_from(task.table("cohort_split", "cases"), task.setting("labels"))
    resamples = resample(
        cases["subject"].to_list(), cases["y_true"].to_numpy(), task.setting("bootstrap").iterations, task.seed
    )
    classifier = task.make(**start_of(task))
    if (tuning := task.tuning) is not None:
        how = {name: value for name, value in tuning.items() if name != "search"}
        search = {name: Search.model_validate(candidates) for name, candidates in tuning["search"].items()}
        classifier = Tuned(method=classifier, search=search, subjects=cases["subject"].to_list(), **how)
    results = bootstrap(task.table("features", "features_of_cases"), cases, classifier, resamples)
    return Product(
        tables={"bootstrap_results": results, "bootstrap_cases": cases},
        metrics={"auroc": _mean(results["auroc"]), "brier": _mean(results["brier"]), "cases": cases.height},
    )


def _mean(values: Any) -> float:
    return float(values.mean())
