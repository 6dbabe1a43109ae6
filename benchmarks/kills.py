"""`python -m benchmarks.kills 50 --seed 1`: does an automated study survive `kill -9`? No speed is measured.

A tiny study is run undisturbed, once for each of several hyperparameters of LOF. Then, with a home, data and state of
its own, the daemon follows the same changes of the study's file while run worker, daemon and mapper worker are killed
at random. What is published in the end has to be what the undisturbed runs published: no partition lost, computed
twice or stuck. Exit code 0 only then.

Belongs here: the changes, the kills, the comparison. Does not belong here: the study and its processes (`kills_study`).
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.kills_study import KINDS, Digests, Home, Kind, Processes

# The parameter at first and in the end; between the first and the last compared it goes on with values of its own.
FIRST, LAST = 20, 90
# Kills for each change, about.
_SHARE = 4
# A cascade that stands still for so long is stuck: run monitoring looks every few seconds here, and a run that did not
# start in time is given up after 40 s.
STUCK_AFTER_S = 900.0
POLL_S = 0.3


class StuckError(Exception):
    """The cascade does not end."""


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("kills", type=int)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument(
        "--folder",
        type=Path,
        help="where everything lies and stays; a new one, removed, if not given. What ran undisturbed is used again",
    )
    given = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="plr-kills-") as scratch:
        folder = given.folder or Path(scratch)
        problems = survive(folder, given.kills, given.seed)
    for problem in problems:
        say(f"WRONG: {problem}")
    say("all there, as undisturbed" if not problems else f"{len(problems)} problem(s)")
    sys.exit(1 if problems else 0)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def survive(folder: Path, kills: int, seed: int) -> list[str]:
    """What is wrong after `kills` kills; nothing, if all is well. Everything lies in `folder`."""
    calm = Home(folder / "calm")
    ran = calm.root.exists()  # a folder that was given may hold it
    if not ran:
        calm.make()
    expected: dict[int, Digests] = {}
    for neighbors in (FIRST, LAST):
        calm.write_study(neighbors)
        started = time.monotonic()
        if not ran:
            calm.run()
        expected[neighbors] = calm.digests()
        say(f"undisturbed, {neighbors} neighbours: {len(expected[neighbors])} partitions in {_since(started)}")

    broken = Home(folder / "killed")
    broken.make()
    disturbance = Disturbance(broken, kills, seed, expected)
    problems: list[str] = []
    try:
        problems.extend(disturbance.run())
    except StuckError as error:
        problems.append(f"stuck: {error}")
    finally:
        disturbance.processes.stop()
    say(f"killed: {', '.join(f'{count} {kind}' for kind, count in sorted(disturbance.hit.items()))}")
    problems += [f"no {kind} was killed" for kind in KINDS if not disturbance.hit[kind]]
    return problems


class Disturbance:
    """The daemon at work, what kills it and its children, and what is found afterwards."""

    def __init__(self, home: Home, kills: int, seed: int, expected: Mapping[int, Digests]) -> None:
        self.home, self.kills, self.expected = home, kills, expected
        self.chance = random.Random(seed)  # noqa: S311 - no secret
        self.processes = Processes(home)
        self.hit: Counter[Kind] = Counter()
        self.neighbors = self.fresh = FIRST
        self.since_change = 0
        self.at_last = False

    def run(self) -> Iterator[str]:
        """Change and kill, until it is enough; then what is wrong."""
        self.change(FIRST)
        self.processes.start_daemon()
        while (left := self.kills - self.hit.total()) > 0:
            settled = self.home.settled()
            if settled:
                yield from self.compare()
            # Some changes come in the midst of a cascade. The last cascade is one whose end is known.
            if left <= _SHARE and not self.at_last:
                self.at_last = True
                self.change(LAST)
            elif settled or self.since_change >= self.chance.randint(2, 2 * _SHARE):
                self.fresh += 1
                back = self.neighbors != FIRST and self.chance.random() < 0.25
                self.change(FIRST if back else self.fresh)
            self.kill(self._next_kind())
        for neighbors in (LAST, FIRST):
            self.change(neighbors)
            self.settle()
            yield from self.compare()
        yield from self.home.leftovers()

    def change(self, neighbors: int) -> None:
        """One hyperparameter in the study's file."""
        say(f"now {neighbors} neighbours")
        self.home.write_study(neighbors)
        self.neighbors, self.since_change = neighbors, 0

    def _next_kind(self) -> Kind:
        """Any; at the end those that were not hit yet."""
        missing = [kind for kind in KINDS if not self.hit[kind]]
        return self.chance.choice(missing if self.kills - self.hit.total() <= len(missing) else KINDS)

    def kill(self, kind: Kind) -> None:
        """Kill one of `kind` at a random moment of its life; nothing if the cascade ends before there is one."""
        started = asked = time.monotonic()
        while not (found := self.processes.of(kind)):
            if time.monotonic() - asked > 5.0:
                asked = time.monotonic()
                if self.home.settled():
                    return
            if time.monotonic() - started > STUCK_AFTER_S:
                raise StuckError(f"no {kind} for {STUCK_AFTER_S:.0f} s: {self.home.state()}")
            time.sleep(POLL_S)
        time.sleep(self.chance.uniform(0.0, 20.0 if kind == "daemon" else 6.0))
        found = self.processes.of(kind)
        if not found:
            return
        victim = self.chance.choice(found)
        state = self.home.state()
        if victim not in self.processes.of(kind):  # it ended while we asked
            return
        os.kill(victim, signal.SIGKILL)
        self.hit[kind] += 1
        self.since_change += 1
        say(f"kill {self.hit.total()}: {kind} ({victim}); before it {state}")
        if kind == "daemon":
            time.sleep(self.chance.uniform(0.0, 5.0))
            self.processes.start_daemon()

    def settle(self) -> None:
        started = time.monotonic()
        while not self.home.settled():
            if time.monotonic() - started > STUCK_AFTER_S:
                raise StuckError(self.home.state())
            time.sleep(2.0)
        say(f"settled after {_since(started)}")

    def compare(self) -> Iterator[str]:
        """What is wrong in a settled study; beside what an undisturbed run published, where there was one."""
        where, found = f"with {self.neighbors} neighbours", self.home.digests()
        expected = self.expected.get(self.neighbors, found)
        problems = [f"{where}: lost: {place}" for place in sorted(expected.keys() - found.keys())]
        problems += [f"{where}: nobody asked for it: {place}" for place in sorted(found.keys() - expected.keys())]
        problems += [
            f"{where}: other content: {place}"
            for place in sorted(expected.keys() & found.keys())
            if found[place] != expected[place]
        ]
        problems += [f"{where}: {problem}" for problem in self.home.problems()]
        known = "compared" if self.neighbors in self.expected else "looked at"
        say(f"{known} {len(expected)} partitions {where}: {len(problems)} problem(s)")
        yield from problems


def _since(started: float) -> str:
    return f"{time.monotonic() - started:.0f} s"


if __name__ == "__main__":
    main()
