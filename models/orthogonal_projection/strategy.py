"""Hebbian orthogonal projection as a strategy of a course of tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ..continual_learning.learner import Learner
from ..continual_learning.strategies import Strategy
from ..continual_learning.tasks import Task
from .dimensions import needed_rows
from .lateral import LateralCircuits

WATCHED = 200  # samples from which the number of rows is chosen


class Projected(Strategy):
    """Learns each task orthogonally to the input of earlier ones.

    Parameters
    ----------
    circuits : LateralCircuits
        Around layers of the learner's Trainer.
    share : float (1), optional
        Each task gets the fewest rows that hold this share of the variance of its layers' input at
        its start, in place of the numbers of the circuits.

    Attributes
    ----------
    course : list of {layer: {"rows", "deviation"}}
        After each task: rows in all, and the largest entry of abs(H H^T - I).
    """

    name = "hlop"

    def __init__(self, circuits: LateralCircuits, *, share: float | None = None) -> None:
        self.circuits = circuits
        self.share = share
        self.course: list[dict[str, dict[str, float]]] = []

    def begin_task(
        self,
        learner: Learner,
        optimizer: torch.optim.Optimizer,
        tasks: Sequence[Task],
        task: int,
    ) -> None:
        rows = None
        if self.share is not None:
            # Of the network as it is now: deeper layers change while the task is learned.
            values = tasks[task].train.take(slice(0, WATCHED))
            rows = self._needed(learner.rows(values, task), share=self.share)
        self.circuits.begin_task(optimizer, rows=rows)

    def end_task(
        self,
        learner: Learner,
        tasks: Sequence[Task],
        task: int,
        *,
        seed: int,
    ) -> None:
        self.circuits.end_task()
        layers = {}
        for name, deviation in self.circuits.deviations().items():
            rows = float(self.circuits.subspaces[name].old.shape[0])
            layers[name] = {"rows": rows, "deviation": deviation}
        self.course.append(layers)

    @contextmanager
    def resting(self) -> Iterator[None]:
        with self.circuits.paused():
            yield

    def state(self) -> dict[str, Any]:
        return {"circuits": self.circuits.state(), "course": self.course}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.circuits.restore(state["circuits"])
        self.course = list(state["course"])

    def _needed(self, activity: Mapping[str, Tensor], *, share: float) -> dict[str, int]:
        """Return the new rows of each layer that hold a share of its activity's variance."""
        needed = {}
        for name, subspace in self.circuits.subspaces.items():
            rows = activity[name].double().cpu().numpy()
            old = subspace.old.double().cpu().numpy()
            needed[name] = needed_rows(rows, share=share, old=old)
        return needed
