"""Chooses the number of threads from recent timings: on busy cores two can be slower than one."""

from __future__ import annotations

TRIAL = 3e-3  # seconds that a trial should take, since threads take some time to begin
SHARE = 16  # a trial takes at least one part in so many of a stretch
# A choice costs the median of so many measurements: one that was interrupted decides nothing.
REMEMBERED = 3
SELDOM = 16  # stretches from one trial to the next, in the end


class Pace:
    """Chooses for every piece of a stretch of steps; now and then tries another number of threads.

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
        # Seconds per step, measured lately.
        self._costs: dict[int, list[float]] = {threads: [] for threads in choices}
        self._tried: set[int] = set()
        self._wait = self._trials = 0
        self._only = choices[0] if len(choices) == 1 else None

    def begin(self) -> None:
        """Begin a stretch."""
        self._wait -= 1
        if self._wait < 0:
            self._trials += 1
            # Trials become rarer: a choice that was right for long is likely to stay right.
            later = self._trials - REMEMBERED
            self._wait = 0 if later < 0 else min(2**later, SELDOM)
            self._tried = set()

    def piece(self, steps: int) -> tuple[int, int]:
        """Return the number of threads for the next piece, and the steps of that piece.

        Parameters
        ----------
        steps : int
            Steps that are left of the stretch.
        """
        if self._only is not None:
            return self._only, steps
        best = min(self._costs, key=self.cost)
        for threads in sorted(self._costs.keys() - self._tried, reverse=True):
            if threads != best or not self._costs[best]:
                cost = self.cost(best)
                return threads, min(steps, max(steps // SHARE, round(TRIAL / cost) if cost else 1))
        return best, steps

    def learn(self, threads: int, steps: int, seconds: float) -> None:
        """Remember the cost of steps; a better choice is tried again soon.

        Parameters
        ----------
        threads : int
        steps : int
            May be 0, if a piece ended before its first step.
        seconds : float
            For all of these steps.
        """
        self.steps[threads] += steps
        if self._only is not None:
            return
        self._tried.add(threads)
        if steps:
            # Compared with the median so far: the new time then counts for one measurement only.
            best = min(self._costs, key=self.cost)
            if threads != best and seconds / steps < self.cost(best):
                self._wait = 0
            self._costs[threads] = [*self._costs[threads], seconds / steps][-REMEMBERED:]

    def cost(self, threads: int) -> float:
        """Return the seconds per step of a choice; 0 if it is not known."""
        # The lower median: an interruption only makes steps slower, never faster.
        costs = sorted(self._costs[threads])
        return costs[(len(costs) - 1) // 2] if costs else 0.0
