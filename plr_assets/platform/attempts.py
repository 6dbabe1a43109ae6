"""What became of work that a sensor asked for, and whether it may ask for the same again.

Belongs here: telling a run that ended from one whose process was killed, and how long to wait after that. Does not
belong here: what the work is (`following`), or what a partition that failed waits for (`following` as well).
"""

from __future__ import annotations

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
# Far more than the attempts at one work, with the study's other jobs in between.
_LOOKED_AT = 100
# Ended by its own doing: the same would happen again.
_ITS_OWN = {RunFailureReason.STEP_FAILURE.value, RunFailureReason.RUN_EXCEPTION.value}


@dataclass(frozen=True, slots=True)
class Attempts:
    """The latest runs of one work, none of which goes on.

    runs     how many there were since other work was asked for.
    killed   how many of them ended with their process, or never began, rather than by what they computed.
    last_s   when the newest ended, in seconds since 1970; 0 if there was none.
    after    the run of other work before them, empty if there was none. Who changes a parameter and changes it back,
             twice, has the same work done twice.
    """

    runs: int
    killed: int
    last_s: float
    after: str

    @property
    def key(self) -> str:
        """What tells the next attempt from those before it."""
        return f"{self.after[:8]}-{self.killed}"

    def wait_s(self, now_s: float) -> float | None:
        """Seconds until the work may be asked for; none if asking for it again would give the same."""
        if self.killed < self.runs or self.killed >= MOST_ATTEMPTS:
            return None
        pause = 0.0 if self.killed < 2 else FIRST_WAIT_S * 2 ** (self.killed - 2)
        return max(0.0, self.last_s + pause - now_s)


def attempts_at(instance: dg.DagsterInstance, tags: dict[str, str], work: str) -> Attempts:
    """What became of `work`. `tags`: those of every run of its study."""
    same: list[dg.RunRecord] = []
    after = ""
    for record in instance.get_run_records(dg.RunsFilter(tags=tags), limit=_LOOKED_AT):  # newest first
        asked_for = record.dagster_run.tags.get(WORK_TAG)
        if asked_for == work:
            same.append(record)
        elif asked_for is not None:
            after = record.dagster_run.run_id
            break
    killed = sum(_was_killed(record.dagster_run) for record in same)
    last = max((record.end_time or record.update_timestamp.timestamp() for record in same), default=0.0)
    return Attempts(len(same), killed, last, after)


def _was_killed(run: dg.DagsterRun) -> bool:
    return run.status == dg.DagsterRunStatus.FAILURE and run.tags.get(RUN_FAILURE_REASON_TAG) not in _ITS_OWN
