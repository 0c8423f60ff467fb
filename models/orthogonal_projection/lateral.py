"""Lateral circuits around trained layers: they learn where input was, and keep weights from there.

`protect` puts one around each named layer of a Trainer. While a task is learned, each minibatch
first projects the weight gradient away from the old subspace, then lets the new rows learn. The
forward pass does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from neurosim.errors import NetworkError, describe, describe_unknown
from neurosim.gpu import Trainer

from .subspace import Learning, Subspace

Rows = int | Sequence[int]
"""New rows of each task; a list has one number per task, the last of which holds ever after."""


class LateralCircuits:
    """The lateral circuits of a Trainer; made by `protect`.

    Attributes
    ----------
    subspaces : projection -> Subspace
    finished : int
        Number of tasks that have ended.
    """

    def __init__(
        self,
        trainer: Trainer,
        rows: Mapping[str, Rows],
        *,
        learning: Mapping[str, Learning],
        seed: int,
    ) -> None:
        self.subspaces: dict[str, Subspace] = {}
        self.finished = 0
        self._trainer = trainer
        self._rows = dict(rows)
        self._seed = seed
        self._learns = False
        self._paused = False
        # Of the task that is being learned, and all that have been given.
        self._optimizer: torch.optim.Optimizer | None = None
        self._optimizers: list[torch.optim.Optimizer] = []
        for name in rows:
            weight = trainer[name]
            # Weights of single edges are no matrix whose gradient could be projected.
            is_matrix = weight.ndim > 1
            subspace = Subspace(trainer.row_size(name), learning[name], like=weight.detach())
            self.subspaces[name] = subspace
            if learning[name].levels or not is_matrix:
                trainer.project(name, self._factor_of(subspace))
        trainer.on_gradient(self._project, projects=True)
        trainer.on_rows(self._learn)

    def begin_task(
        self, optimizer: torch.optim.Optimizer, *, rows: Mapping[str, int] | None = None
    ) -> None:
        """Add rows for a task, and let an optimiser run the circuits.

        Parameters
        ----------
        optimizer : torch.optim.Optimizer
            A fresh one for each task.
        rows : mapping of projection -> int, optional
            New rows in place of those of `protect`.

        Raises
        ------
        NetworkError
            If a task is being learned, the optimiser has a momentum of earlier gradients, decays
            weights or scales them one by one, or a layer would have more rows than inputs.
        """
        if self._learns:
            raise NetworkError(
                "lateral circuits, begin_task: found a task that has not ended, expected none. "
                "Call end_task() first."
            )
        _require_no_momentum(optimizer)
        counts = {name: self._count(name, rows) for name in self.subspaces}
        for name, count in counts.items():
            _require_room(name, self.subspaces[name], count)
        # Before any row is added: an optimiser that is refused must not change anything.
        self._trainer.attach(optimizer)
        if not any(optimizer is other for other in self._optimizers):
            self._optimizers.append(optimizer)
            optimizer.register_step_pre_hook(self._require_current)
        self._optimizer = optimizer
        for name, subspace in self.subspaces.items():
            stream = f"{name}/lateral/{self.finished}"
            subspace.add(counts[name], seed=self._seed, name=stream)
        self._learns = True

    def end_task(self) -> None:
        """Freeze the rows that learned: from now on they project.

        Raises
        ------
        NetworkError
            If no task is being learned.
        """
        if not self._learns:
            raise NetworkError(
                "lateral circuits, end_task: found no task that is being learned, expected one. "
                "Call begin_task(optimizer) first."
            )
        for subspace in self.subspaces.values():
            subspace.merge()
        self._learns = False
        self.finished += 1

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Neither project nor learn meanwhile, as memory replay asks for it."""
        before = self._paused
        self._paused = True
        try:
            yield
        finally:
            self._paused = before

    def deviations(self) -> dict[str, float]:
        """Return the largest entry of abs(H H^T - I) of each layer, 1."""
        return {name: subspace.deviation() for name, subspace in self.subspaces.items()}

    def state(self) -> dict[str, Any]:
        """Return everything that their future depends on."""
        subspaces = {name: subspace.state() for name, subspace in self.subspaces.items()}
        return {"subspaces": subspaces, "finished": self.finished, "learns": self._learns}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over a state of `state`."""
        for name, subspace in self.subspaces.items():
            subspace.restore(state["subspaces"][name])
        self.finished = state["finished"]
        self._learns = state["learns"]

    # ---- what hooks call

    def _project(self, name: str, gradient: Tensor) -> Tensor | None:
        if self._paused or name not in self.subspaces:
            return None
        if not self._learns:
            raise NetworkError(
                f"lateral circuits, step {self.finished + 1}: found a step of an optimiser between "
                f"two tasks, expected none: momentum that is kept over a change of task leaves the "
                "projection. Call begin_task(optimizer) with a fresh optimiser."
            )
        subspace = self.subspaces[name]
        if gradient.ndim < 2 or subspace.learning.levels or not subspace.old.shape[0]:
            return None
        # Equal to a projection of the presynaptic factor, and cheaper than of all its rows.
        matrix = gradient.flatten(1)
        return (matrix - (matrix @ subspace.old.T) @ subspace.old).view_as(gradient)

    def _require_current(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        if self._learns and optimizer is not self._optimizer:
            raise NetworkError(
                "lateral circuits: found a step of the optimiser of an earlier task, expected one "
                "of the optimiser of this task: momentum that is kept over a change of task leaves "
                "the projection. Use the optimiser that begin_task was given."
            )

    def _learn(self, name: str, rows: Tensor) -> None:
        if self._learns and not self._paused and name in self.subspaces:
            self.subspaces[name].learn(rows)

    def _factor_of(self, subspace: Subspace) -> Callable[[Tensor], Tensor]:
        def project(x: Tensor) -> Tensor:
            if self._paused or not subspace.old.shape[0]:
                return x
            return subspace.project(x)

        return project

    def _count(self, name: str, rows: Mapping[str, int] | None) -> int:
        if rows is not None and name in rows:
            return rows[name]
        listed = self._rows[name]
        if isinstance(listed, int):
            return listed
        return listed[min(self.finished, len(listed) - 1)]


def protect(
    trainer: Trainer,
    rows: Mapping[str, Rows],
    *,
    learning: Learning | Mapping[str, Learning] | None = None,
    seed: int = 0,
    **options: Any,
) -> LateralCircuits:
    """Put lateral circuits around trained layers, linear or convolutional.

    Parameters
    ----------
    trainer : Trainer
    rows : mapping of projection -> int or list of int
        New rows (subspace neurons) of each task. Only the named layers are projected.
    learning : Learning, or mapping of projection -> Learning, optional
        Layers that are left out learn as by default.
    seed : int
        Of the rows at the start.
    **options
        Fields of `Learning`, for all layers.

    Returns
    -------
    LateralCircuits
        Call its ``begin_task(optimizer)`` and ``end_task()`` around each task.

    Raises
    ------
    NetworkError
        If a layer does not learn, or a number of rows is no whole number from 0 on.
    """
    for name, numbers in rows.items():
        # Of a name that does not learn, the Trainer says which ones do.
        trainer.rows(name)
        _require_rows(name, numbers)
    default = learning if isinstance(learning, Learning) else Learning()
    default = replace(default, **options)
    of_layer = learning if isinstance(learning, Mapping) else {}
    for name in of_layer:
        if name not in rows:
            raise NetworkError(f"protect, learning: {describe_unknown('layer', name, rows)}")
    chosen = {name: of_layer.get(name, default) for name in rows}
    return LateralCircuits(trainer, rows, learning=chosen, seed=seed)


def _require_rows(name: str, numbers: object) -> None:
    listed = [numbers] if isinstance(numbers, int) else numbers
    if not isinstance(listed, list | tuple) or not listed or not all(map(_is_count, listed)):
        raise NetworkError(
            f"protect, rows of {name!r}: found {describe(numbers)}, expected a whole number from 0 "
            "on, or a list of one for each task. Correct it."
        )


def _is_count(number: object) -> bool:
    """Return whether something is a whole number from 0 on."""
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0


def _require_room(name: str, subspace: Subspace, count: int) -> None:
    total = subspace.rows.shape[0] + count
    if total > subspace.size:
        raise NetworkError(
            f"lateral circuit of {name!r}: found {total} rows in all, expected at most "
            f"{subspace.size}, as many as its input has dimensions. Use fewer rows per task."
        )


def _require_no_momentum(optimizer: torch.optim.Optimizer) -> None:
    states = optimizer.state.values()
    if any(torch.is_tensor(state.get("momentum_buffer")) for state in states):
        raise NetworkError(
            f"optimizer {type(optimizer).__name__}: found a momentum of an earlier task beside a "
            "projection of gradients, expected none: it moves weights along directions that the "
            "projection protects. Make a fresh optimiser for each task."
        )
