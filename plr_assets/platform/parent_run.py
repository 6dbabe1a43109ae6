"""The MLflow run of a Dagster run, parent of its partitions' runs: dagster-mlflow's resource and hook.

Belongs here: when there is a parent run, where it is logged, and how it is closed. Does not belong here: the runs of
partitions (`contract`).

dagster-mlflow keeps one run for one Dagster run in MLflow's process-wide state, which was seen to leak between Dagster
runs of one process. What the UI and the daemon launch has a process of its own, so it is used there; `plr run`, whose
Dagster runs share a process, has no parent runs. Both pieces import mlflow, so they are imported when a run starts.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.events import HookExecutionResult

from plr_assets.platform.contract import Contract

MIXED_EXPERIMENT = "PLR_Runs"


def parent_run_resource(study: str, experiments: Mapping[str, str]) -> dg.ResourceDefinition:
    """The resource `mlflow`: an object of dagster-mlflow whose run is active.

    experiments   asset name -> experiment of its stage. A run over several stages is logged to `PLR_Runs`.
    """

    @dg.resource(description="dagster-mlflow's run for this Dagster run; its partitions' runs are its children.")
    def mlflow(context: dg.InitResourceContext) -> Iterator[Any]:
        from dagster_mlflow import mlflow_tracking

        run = context.run
        names = sorted(key.path[-1] for key in (run.asset_selection or ())) if run else []
        touched = {experiments[name] for name in names if name in experiments}
        contract = Contract(study)
        experiment = contract.experiment(touched.pop() if len(touched) == 1 else MIXED_EXPERIMENT)
        config = {
            "experiment_name": experiment,
            "mlflow_tracking_uri": contract.tracking_uri,
            "extra_tags": {"mlflow.runName": f"run of {', '.join(names) or study}", "plr.dagster_run": "true"},
        }
        start: Any = mlflow_tracking.resource_fn
        yield from start(context.replace_config(config))

    return mlflow


def _end_parent_run(context: Any, event_list: Sequence[Any]) -> Any:
    if context.resources.mlflow is None:
        return HookExecutionResult(hook_name="end_parent_run", is_skipped=True)
    from dagster_mlflow import end_mlflow_on_run_finished

    return end_mlflow_on_run_finished.hook_fn(context, event_list)


end_parent_run = dg.HookDefinition(
    name="end_parent_run", hook_fn=_end_parent_run, required_resource_keys={"mlflow"}, decorated_fn=None
)
