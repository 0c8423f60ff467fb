"""How many threads: chosen by what a step has cost lately, for cores that are busy with other work make two threads slower than one."""

from __future__ import annotations

TRIAL = 1e-3  # seconds that a trial should take, for threads take some time to begin
SHARE = 16  # a trial takes no less than one part in so many of a stretch
OFTEN, SELDOM = 2, 16  # stretches from one trial to the next, at first and later


class Pace:
    """Chooses for each piece of a stretch of steps, and tries from time to time what it does not use.

    Parameters
    ----------
    choices : numbers of threads
    """

    def __init__(self, choices: tuple[int, ...]) -> None:
        self.cost: dict[int, float] = dict.fromkeys(choices, 0.0)  # seconds per step; 0: not known
        self._tried: set[int] = set()
        self._wait, self._pause = 0, OFTEN

    def begin(self) -> None:
        """Begin a stretch."""
        self._wait -= 1
        if self._wait < 0:
            self._wait, self._pause = self._pause, min(2 * self._pause, SELDOM)
            self._tried = set()

    def piece(self, steps: int) -> tuple[int, int]:
        """Return the threads for the next steps, and for how many of those that are left."""
        best = min(self.cost, key=self.cost.__getitem__)
        for threads in self.cost.keys() - self._tried - {best}:
            return threads, min(steps, max(steps // SHARE, round(TRIAL / self.cost[best]) if self.cost[best] else 1))
        return best, steps

    def learn(self, threads: int, steps: int, seconds: float) -> None:
        """Take note of what steps have cost."""
        self._tried.add(threads)
        if steps:
            self.cost[threads] = seconds / steps
