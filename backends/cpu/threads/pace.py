"""How many threads: chosen by what a step has cost lately, for cores that are busy with other work make two threads slower than one."""

from __future__ import annotations

TRIAL = 3e-3  # seconds that a trial should take, for threads take some time to begin
SHARE = 16  # a trial takes no less than one part in so many of a stretch
REMEMBERED = (
    3  # a choice costs the median of so many measurements: one that was interrupted decides nothing
)
SELDOM = 16  # stretches from one trial to the next, in the end


class Pace:
    """Chooses for each piece of a stretch of steps, and tries from time to time what it does not use.

    Parameters
    ----------
    choices : numbers of threads

    Attributes
    ----------
    steps : dict
        Steps that each number of threads has run.
    """

    def __init__(self, choices: tuple[int, ...]) -> None:
        self.steps = dict.fromkeys(choices, 0)
        self._seen: dict[int, list[float]] = {
            threads: [] for threads in choices
        }  # seconds per step, as measured lately
        self._tried: set[int] = set()
        self._wait = self._trials = 0

    def begin(self) -> None:
        """Begin a stretch."""
        self._wait -= 1
        if self._wait < 0:
            self._trials += 1
            self._wait = (
                0 if self._trials < REMEMBERED else min(2 ** (self._trials - REMEMBERED), SELDOM)
            )
            self._tried = set()

    def piece(self, steps: int) -> tuple[int, int]:
        """Return the threads for the next steps, and for how many of those that are left."""
        best = min(self._seen, key=self.cost)
        for threads in sorted(self._seen.keys() - self._tried, reverse=True):
            if (threads != best or not self._seen[best]) and len(self._seen) > 1:
                cost = self.cost(best)
                return threads, min(steps, max(steps // SHARE, round(TRIAL / cost) if cost else 1))
        return best, steps

    def learn(self, threads: int, steps: int, seconds: float) -> None:
        """Take note of what steps have cost; where what was tried is better, it is tried again soon."""
        self._tried.add(threads)
        self.steps[threads] += steps
        if steps:
            best = min(self._seen, key=self.cost)
            if threads != best and seconds / steps < self.cost(best):
                self._wait = 0
            self._seen[threads] = [*self._seen[threads], seconds / steps][-REMEMBERED:]

    def cost(self, threads: int) -> float:
        """Return the seconds per step of a choice; 0: not known."""
        seen = sorted(self._seen[threads])
        return seen[(len(seen) - 1) // 2] if seen else 0.0
