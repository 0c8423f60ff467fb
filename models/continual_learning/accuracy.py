"""The accuracy matrix of a sequence of tasks, and the two numbers that sum it up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class AccuracyMatrix:
    """Accuracy of each task after each task.

    Source of ACC and BWT: Lopez-Paz and Ranzato 2017, NeurIPS, section 2.

    Attributes
    ----------
    values : (n, n) float64
        Row t, column i: part of the test samples of task i that were right after task t; NaN: not
        tested.
    """

    values: NDArray[np.float64]

    @classmethod
    def empty(cls, tasks: int) -> AccuracyMatrix:
        """Return a matrix in which nothing has been tested yet.

        Parameters
        ----------
        tasks : int
        """
        return cls(np.full((tasks, tasks), np.nan))

    def with_row(self, task: int, accuracies: list[float]) -> AccuracyMatrix:
        """Return the matrix with the accuracies after a task.

        Parameters
        ----------
        task : int
            From 0.
        accuracies : list of float
            Of the first tasks.
        """
        # A copy: courses hold matrices, and an earlier course must not change.
        values = self.values.copy()
        values[task, : len(accuracies)] = accuracies
        return AccuracyMatrix(values)

    @property
    def finished(self) -> int:
        """Number of tasks after which all earlier tasks were tested."""
        finished = 0
        for count, row in enumerate(self.values, start=1):
            # Rows before may be empty: joint training tests after the last task alone.
            if not np.isnan(row[:count]).any():
                finished = count
        return finished

    @property
    def acc(self) -> float:
        """ACC: mean accuracy of all tasks after the last finished one, 1; NaN before the first."""
        tasks = self.finished
        return float(self.values[tasks - 1, :tasks].mean()) if tasks else float("nan")

    @property
    def bwt(self) -> float:
        """BWT: mean change of the earlier tasks since each was learned, 1; NaN for one task."""
        tasks = self.finished
        if tasks < 2:
            return float("nan")
        # Without the last task: it has had no time to change since it was learned.
        last = self.values[tasks - 1, : tasks - 1]
        learned = np.diagonal(self.values)[: tasks - 1]
        return float((last - learned).mean())
