"""Strategies by name: ways of learning task after task, and what each remembers between tasks.

``"plain"`` does nothing about forgetting; ``"ewc"`` holds important weights (Kirkpatrick et al.
2017, PNAS 114:3521); ``"rehearsal"`` replays stored samples after each task; ``"joint"`` learns all
tasks together, an upper bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurosim.draws.streams import Stream
from neurosim.errors import NetworkError, describe, describe_unknown

from .learner import Learner
from .tasks import Task


class Strategy:
    """Learns each task as it comes; other strategies say where they differ."""

    name = "plain"
    together = False  # whether all tasks are learned at once, at the last one

    def begin_task(
        self,
        learner: Learner,
        optimizer: torch.optim.Optimizer,
        tasks: Sequence[Task],
        task: int,
    ) -> None:
        """Prepare for a task.

        Parameters
        ----------
        learner : Learner
        optimizer : torch.optim.Optimizer
            Fresh.
        tasks : all tasks
        task : int
            The one that comes, from 0.
        """
        learner.trainer.attach(optimizer)

    def penalty(self, learner: Learner) -> Tensor | None:
        """Return what is added to the loss of each minibatch; None: nothing."""
        return None

    def end_task(
        self,
        learner: Learner,
        tasks: Sequence[Task],
        task: int,
        *,
        seed: int,
    ) -> None:
        """Take what will be needed later, after the last epoch of a task.

        Parameters
        ----------
        learner : Learner
        tasks : all tasks
        task : int
            The one that has been learned.
        seed : int
        """

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Leave gradients as they are meanwhile, for replay."""
        yield

    def state(self) -> dict[str, Any]:
        """Return tensors and plain numbers on which its future depends."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over a state of `state`."""


class Plain(Strategy):
    """No means against forgetting."""


class Joint(Strategy):
    """All tasks at once, their minibatches mixed: what no sequence of tasks can surpass by much."""

    name = "joint"
    together = True


class Ewc(Strategy):
    """Elastic weight consolidation: quadratic penalties by diagonal Fisher information.

    Parameters
    ----------
    strength : float (1)
        Lambda.
    samples : int
        From which the information of a task is estimated; labels are drawn from the answers.

    Notes
    -----
    Source: Kirkpatrick et al. 2017, PNAS 114:3521, eq. 3, with one penalty for each task.
    """

    name = "ewc"

    def __init__(self, strength: float = 100.0, samples: int = 1000) -> None:
        if not strength >= 0:
            raise NetworkError(
                f"ewc, strength: found {describe(strength)}, expected a number from 0 on. "
                "Correct it."
            )
        self.strength = strength
        self.samples = samples
        # Sums over tasks of F, F * w and F * w * w: all penalties together are one parabola.
        self._importance: dict[str, Tensor] = {}
        self._pull: dict[str, Tensor] = {}
        self._rest = 0.0

    def penalty(self, learner: Learner) -> Tensor | None:
        if not self._importance:
            return None
        # F (w - w_old)^2, multiplied out: the constant part needs no gradient and comes first.
        total: Tensor | float = self._rest
        for name, importance in self._importance.items():
            weight = learner.trainer[name]
            square = importance * weight * weight
            mixed = 2 * self._pull[name] * weight
            total = total + (square - mixed).sum()
        return self.strength / 2 * torch.as_tensor(total)

    def end_task(
        self,
        learner: Learner,
        tasks: Sequence[Task],
        task: int,
        *,
        seed: int,
    ) -> None:
        """Estimate how much the answers to a task depend on each weight.

        Parameters
        ----------
        learner : Learner
        tasks : all tasks
        task : int
            The one that has been learned.
        seed : int
            Of the choice of samples, and of the labels drawn for them.
        """
        order = _order(len(tasks[task].train), seed=seed, name=f"ewc/{task}")
        order = order[: self.samples]
        # A stream of its own: the labels do not depend on how many samples the order drew.
        stream = Stream(seed, f"continual_learning/ewc/labels/{task}")
        picks = stream.uniform(np.arange(len(order)))
        information = _estimate_information(learner, tasks[task], task, order=order, picks=picks)
        for name, importance in information.items():
            weight = learner.trainer[name].detach().clone()
            self._importance[name] = self._importance.get(name, 0.0) + importance
            self._pull[name] = self._pull.get(name, 0.0) + importance * weight
            self._rest += float((importance * weight * weight).sum())

    def state(self) -> dict[str, Any]:
        return {"importance": self._importance, "pull": self._pull, "rest": self._rest}

    def restore(self, state: Mapping[str, Any]) -> None:
        # Copies of the mappings: `end_task` adds to them, and the state belongs to the caller.
        self._importance = dict(state["importance"])
        self._pull = dict(state["pull"])
        self._rest = state["rest"]


def _estimate_information(
    learner: Learner,
    task: Task,
    number: int,
    *,
    order: NDArray[np.int64],
    picks: NDArray[np.float64],
) -> dict[str, Tensor]:
    """Return the diagonal of Fisher's information of each name that learns.

    Parameters
    ----------
    learner : Learner
    task : Task
    number : int
        Of the task, from 0.
    order : (S,) int64
        Training samples.
    picks : (S,)
        Uniform numbers, by which the label of each sample is drawn from the answers.
    """
    trainer = learner.trainer
    information = {name: torch.zeros_like(trainer[name]) for name in _learning(learner)}
    # Sample by sample: the square of a minibatch's mean gradient is not the mean of squares.
    for index, pick in zip(order, picks, strict=True):
        trainer.zero_grad()
        output = learner.output(task.train.take(slice(index, index + 1)), number)
        # Of the network's own answers: with true labels it would not be Fisher's information.
        scores = learner.answer(output).detach()[0].double()
        share = torch.softmax(scores, 0).cumsum(0)
        # Times the last sum, which rounding may leave a little off 1.
        label = int((share < pick * share[-1]).sum())
        target = torch.tensor([label], device=trainer.device)
        learner.loss(output, target).backward()
        for name, total in information.items():
            gradient = trainer[name].grad
            # None: the head of another task, which this sample does not reach.
            if gradient is not None:
                total += gradient**2 / len(order)
    # The next task must not begin with the gradients of the last sample.
    trainer.zero_grad()
    return information


class Rehearsal(Strategy):
    """Memory replay: after each task from the second on, stored samples of all tasks are learned.

    Parameters
    ----------
    around : Strategy, optional
        By which tasks are learned; by default `Plain`. It rests during replay.
    per_class : int
        Stored samples of each class of each task.
    rate : float (1)
        Of plain SGD during replay.
    epochs, batch : int
        Of replay; a minibatch has so many samples of each task, and one step for all tasks.

    Notes
    -----
    Source: Xiao et al. 2024, ICLR, authors' published code.
    """

    name = "rehearsal"

    def __init__(
        self,
        around: Strategy | None = None,
        *,
        per_class: int = 50,
        rate: float = 0.01,
        epochs: int = 1,
        batch: int = 50,
    ) -> None:
        self.around = around or Plain()
        self.per_class = per_class
        self.rate = rate
        self.epochs = epochs
        self.batch = batch
        if around is not None:
            self.name = f"{around.name} with rehearsal"

    def begin_task(
        self,
        learner: Learner,
        optimizer: torch.optim.Optimizer,
        tasks: Sequence[Task],
        task: int,
    ) -> None:
        """Let the strategy around prepare: replay itself needs nothing before a task ends.

        Parameters
        ----------
        learner : Learner
        optimizer : torch.optim.Optimizer
            Fresh.
        tasks : all tasks
        task : int
            The one that comes, from 0.
        """
        self.around.begin_task(learner, optimizer, tasks, task)

    def penalty(self, learner: Learner) -> Tensor | None:
        return self.around.penalty(learner)

    def end_task(
        self,
        learner: Learner,
        tasks: Sequence[Task],
        task: int,
        *,
        seed: int,
    ) -> None:
        """Replay stored samples of all tasks so far, from the second task on.

        Parameters
        ----------
        learner : Learner
        tasks : all tasks
        task : int
            The one that has been learned, from 0.
        seed : int
            Of the choice of stored samples, and of their order.
        """
        # After the first task there is nothing that could have been forgotten.
        if task:
            with self.around.resting():
                self._replay(learner, tasks[: task + 1], seed=seed)
        # Last: the strategy around takes the weights that the next task will start from.
        self.around.end_task(learner, tasks, task, seed=seed)

    def _replay(self, learner: Learner, tasks: Sequence[Task], *, seed: int) -> None:
        # Named after the task alone, so that a task stores the same samples in every replay.
        memories = [
            stored(task.train.labels, self.per_class, seed=seed, name=f"rehearsal/{number}")
            for number, task in enumerate(tasks)
        ]
        # Of its own, with the rate of replay: the one of the task may have momentum by its samples.
        optimizer = torch.optim.SGD(learner.trainer.parameters(), lr=self.rate)
        learner.trainer.attach(optimizer)
        longest = max(len(memory) for memory in memories)
        for epoch in range(self.epochs):
            orders = []
            for number, memory in enumerate(memories):
                name = f"replay/{len(tasks)}/{epoch}/{number}"
                order = _order(len(memory), seed=seed, name=name)
                orders.append(memory[order])
            for first in range(0, longest, self.batch):
                optimizer.zero_grad()
                for number, (task, order) in enumerate(zip(tasks, orders, strict=True)):
                    chosen = order[first : first + self.batch]
                    # Tasks with fewer stored samples have none left for the last steps.
                    if len(chosen):
                        values, labels = task.train.take(chosen), task.train.labels[chosen]
                        # Summed over tasks: each backward pass adds its gradients.
                        learner.loss_of(values, labels, number).backward()
                optimizer.step()

    @contextmanager
    def resting(self) -> Iterator[None]:
        with self.around.resting():
            yield

    def state(self) -> dict[str, Any]:
        # Stored samples follow from the seed, so that they need no place in a checkpoint.
        return self.around.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        self.around.restore(state)


STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "plain": Plain,
    "ewc": Ewc,
    "rehearsal": Rehearsal,
    "joint": Joint,
}


def read_strategy(strategy: object) -> Strategy:
    """Return a strategy: an object of this file or one like it, or its name.

    Raises
    ------
    NetworkError
        If it is neither.
    """
    if isinstance(strategy, Strategy):
        return strategy
    if isinstance(strategy, str):
        if strategy in STRATEGIES:
            return STRATEGIES[strategy]()
        raise NetworkError(describe_unknown("strategy", strategy, STRATEGIES, owner="tasks"))
    raise NetworkError(
        f"tasks, strategy: found {describe(strategy)}, expected a Strategy or one of the names "
        f"{', '.join(STRATEGIES)}. Give one of these."
    )


def stored(
    labels: NDArray[np.int64],
    per_class: int,
    *,
    seed: int,
    name: str,
) -> NDArray[np.int64]:
    """Return positions of some samples of each class, chosen at random, ascending.

    Parameters
    ----------
    labels : (B,)
    per_class : int
    seed : int
    name : str
        Of the draws.
    """
    order = _order(len(labels), seed=seed, name=name)
    shuffled = labels[order]
    chosen = [order[shuffled == label][:per_class] for label in np.unique(labels)]
    return np.sort(np.concatenate(chosen))


@dataclass(frozen=True)
class Minibatch:
    """Samples of one task that are learned together.

    Attributes
    ----------
    task : int
    chosen : (B,) int64
        Positions among the training samples of the task.
    """

    task: int
    chosen: NDArray[np.int64]


def minibatches(
    sizes: Mapping[int, int],
    batch: int,
    *,
    seed: int,
    name: str,
) -> Iterator[Minibatch]:
    """Yield the minibatches of an epoch, each sample once, in random order.

    Parameters
    ----------
    sizes : task -> number of training samples
    batch : int
    seed : int
    name : str
        Of the draws.
    """
    of_epoch = []
    for task, size in sizes.items():
        order = _order(size, seed=seed, name=f"{name}/{task}")
        for first in range(0, size, batch):
            of_epoch.append(Minibatch(task, order[first : first + batch]))
    if len(sizes) > 1:
        # Tasks are mixed minibatch by minibatch, since one may have a head of its own.
        mixed = _order(len(of_epoch), seed=seed, name=f"{name}/mixed")
        of_epoch = [of_epoch[position] for position in mixed]
    yield from of_epoch


def _learning(learner: Learner) -> list[str]:
    # Names of `first_only` are frozen after the first task: they cannot forget.
    return [name for name in learner.trainer.learns if learner.trainer[name].requires_grad]


def _order(count: int, *, seed: int, name: str) -> NDArray[np.int64]:
    # Sorting independent draws makes every order equally likely, on every machine the same one.
    draws = Stream(seed, f"continual_learning/{name}").uniform(np.arange(count))
    return np.argsort(draws)
