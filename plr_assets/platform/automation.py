"""The automation policy: what starts by itself, when, and why. One module, so that it can be read in one sitting.

Belongs here: every asset's automation condition, intervals and times of sensors and schedules, and what of it runs
unasked. Does not belong here: how a sensor looks (`sensors`), or what a job does (`jobs`).

What follows a change is decided by the plan (`following`), and Dagster's conditions stand beside it, stopped
(docs/decisions/0009-automation.md).
"""

import dagster as dg

from plr_assets.platform.stages import StageAsset
from plr_assets.study import Study

# -- how often ---------------------------------------------------------------------------------------------------------

# A change is acted on after two looks that found the same files: within a minute.
FOLLOW_EVERY_S = 30
# A dropped file has to be pending within a minute: two looks, the queue (5 s) and the start of a run (10 s).
INCOMING_EVERY_S = 10
FAILURES_EVERY_S = 30
# A run of somebody else is a matter of hours of their work.
ADOPTION_EVERY_S = 60
# Files can be changed so that neither size nor time of change tells; a full look costs a plan of the study.
FULL_LOOK_EVERY_S = 600
# Saturday night: what waits for it (partitions that failed, a library that was updated) has the weekend.
WEEKLY = "0 2 * * 6"
# After the working day, before the weekly run.
NIGHTLY = "0 1 * * *"


# -- what runs unasked -------------------------------------------------------------------------------------------------


def follows_by_itself(study: Study) -> bool:
    """Whether changes are computed, and schedules run, without being asked.

    `manual` is the default: one edited line of a deep method is a night of computing, and `plr run` shows what it would
    do first. Whoever serves one study from one machine writes `automation: automatic`.
    """
    return study.automation == "automatic"


def sensor_status(study: Study) -> dg.DefaultSensorStatus:
    """Of what computes. Reading a dropped file and telling of failures cost nothing and always run."""
    return dg.DefaultSensorStatus.RUNNING if follows_by_itself(study) else dg.DefaultSensorStatus.STOPPED


def schedule_status(study: Study) -> dg.DefaultScheduleStatus:
    return dg.DefaultScheduleStatus.RUNNING if follows_by_itself(study) else dg.DefaultScheduleStatus.STOPPED


# -- conditions --------------------------------------------------------------------------------------------------------


def condition_of(asset: StageAsset, study: Study) -> dg.AutomationCondition:  # type: ignore[type-arg]
    """When Dagster's own sensor would ask for `asset`, or for which of its partitions."""
    reads = asset.reads_in(study)
    if not reads:
        return _ONCE
    return _FOLLOWS_WHAT_IS_THERE if not any(read.required for read in reads) else _FOLLOWS


def _changed() -> dg.AutomationCondition:  # type: ignore[type-arg]
    """An upstream partition has other content, and nothing was asked for since.

    By data version, not by event: a partition that was published again unchanged starts nothing. Remembered until it is
    acted on, because a change is seen in one tick only, and that may be one in which something is in progress. Asked
    for once: what fails on data or code would fail again.
    """
    condition = dg.AutomationCondition
    seen = condition.any_deps_match(condition.data_version_changed()) | condition.missing().newly_true()
    return seen.since(condition.newly_requested() | condition.newly_updated())


def _idle() -> dg.AutomationCondition:  # type: ignore[type-arg]
    """Neither it nor what it reads is being computed: an answer in between would be computed twice."""
    return ~dg.AutomationCondition.in_progress() & ~dg.AutomationCondition.any_deps_in_progress()


# What Dagster cannot see change: files on disk, weights of a hub. Their sensors look; here only the first time.
_ONCE = (dg.AutomationCondition.missing().newly_true() & ~dg.AutomationCondition.in_progress()).with_label("once")

# All that is computed from other assets. A failed blocking check above holds it back, as it does in `plr run`.
_FOLLOWS = (
    _changed()
    & _idle()
    & ~dg.AutomationCondition.any_deps_missing()
    & dg.AutomationCondition.all_deps_blocking_checks_passed()
).with_label("follows its inputs")

# Tables over all partitions: they hold what is published and name the rest, so a missing input does not hold them back.
_FOLLOWS_WHAT_IS_THERE = (
    _changed() & _idle() & ~dg.AutomationCondition.all_deps_match(dg.AutomationCondition.missing())
).with_label("follows what is there")
