"""What became of work that a sensor asked for, and whether it may ask for the same again.

Belongs here: telling a run that ended from one whose process was killed, and how long to wait after that. Does not
belong here: what the work is (`following`), or what a partition that failed waits for (`following` as well).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.events import RunFailureReason  # neither the reasons nor their tag have a public name
from dagster._core.storage.tags import RUN_FAILURE_REASON_TAG

# On every run that a sensor asked for: the name of its work.
WORK_TAG = "plr/work"
# A worker that is killed twice before it published anything was killed by what it computes (out of memory), or by a
# machine in trouble. So it is tried at once, then after 30 s, 1, 2, 4, 8, 16 and 32 minutes: an hour in all.
FIRST_WAIT_S = 30.0
MOST_ATTEMPTS = 9
# Ended by its own doing: the same would happen again.
_ITS_OWN = {RunFailureReason.STEP_FAILURE.value, RunFailureReason.RUN_EXCEPTION.value}


@dataclass(frozen=True, slots=True)
class Attempts:
    """Runs of one work, none of which goes on.

    runs     how many there were.
    killed   how many of them ended with their process, or never began, rather than by what they computed.
    last_s   when the newest ended, in seconds since 1970; 0 if there was none.
    """

    runs: int
    killed: int
    last_s: float

    def wait_s(self, now_s: float) -> float | None:
        """Seconds until the work may be asked for; none if asking for it again would give the same."""
        if self.killed < self.runs or self.killed >= MOST_ATTEMPTS:
            return None
        pause = 0.0 if self.killed < 2 else FIRST_WAIT_S * 2 ** (self.killed - 2)
        return max(0.0, self.last_s + pause - now_s)


def attempts_at(instance: dg.DagsterInstance, tags: dict[str, str]) -> Attempts:
    """What became of the runs with `tags`, which name a study and a work."""
    records: Sequence[dg.RunRecord] = instance.get_run_records(dg.RunsFilter(tags=tags))
    killed = sum(_was_killed(record.dagster_run) for record in records)
    last = max((record.end_time or record.update_timestamp.timestamp() for record in records), default=0.0)
    return Attempts(len(records), killed, last)


def _was_killed(run: dg.DagsterRun) -> bool:
    return run.status == dg.DagsterRunStatus.FAILURE and run.tags.get(RUN_FAILURE_REASON_TAG) not in _ITS_OWN
