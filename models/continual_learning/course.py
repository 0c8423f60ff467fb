"""The course of tasks: learn one after the other, test all so far, go on after an interrupt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tqdm.auto import tqdm

from neurosim.errors import NetworkError, SimulationError

from .accuracy import AccuracyMatrix
from .checkpoints import load_course, save_course
from .learner import Learner
from .strategies import Strategy, minibatches, read_strategy
from .tasks import Task, require_tasks

_STORED = ("accuracy", "seconds", "losses")  # fields of a course that its checkpoints hold


@dataclass(frozen=True, eq=False)
class Course:
    """What learning some tasks has come to.

    Attributes
    ----------
    strategy : str
    accuracy : AccuracyMatrix
    seconds : tuple of float
        That learning each finished task took, without tests.
    losses : tuple of float
        Mean loss of the last epoch of each finished task.
    """

    strategy: str
    accuracy: AccuracyMatrix
    seconds: tuple[float, ...] = ()
    losses: tuple[float, ...] = ()

    @property
    def finished(self) -> int:
        """Number of finished tasks."""
        return len(self.seconds)


def learn_tasks(
    learner: Learner,
    tasks: Sequence[Task],
    *,
    strategy: Strategy | str = "plain",
    seed: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    after_task: Callable[[int, Course], object] | None = None,
) -> Course:
    """Learn tasks one after the other, and test all tasks so far after each.

    Parameters
    ----------
    learner : Learner
        Its Trainer is changed.
    tasks : sequence of Task
    strategy : Strategy or str
        "plain", "ewc", "rehearsal", "joint", or an object.
    seed : int
        Of the order of samples.
    checkpoint : path, optional
        Written after each task. If it exists, learning goes on from it, and on the CPU device
        gives the same bits as without a break; the learner must be made as before.
    progress : bool
        Show a bar with the tasks' epochs, loss and accuracy.
    after_task : function (task, course), optional
        Called after each task and its tests.

    Returns
    -------
    Course
        Of joint training, the last row of the matrix alone is known.

    Raises
    ------
    DataError
        If there is no task, or samples are missing or differ in size.
    NetworkError
        If there are too few heads, no such strategy, or the file belongs to another course.
    SimulationError
        If a loss is not finite.
    """
    # Everything that can be refused is refused before the first weight changes.
    require_tasks(tasks)
    chosen = read_strategy(strategy)
    _require_heads(learner, len(tasks))
    course = Course(chosen.name, AccuracyMatrix.empty(len(tasks)))
    path = None if checkpoint is None else Path(checkpoint)
    names = [task.name for task in tasks]
    if path is not None and path.exists():
        stored = load_course(path, learner.trainer, chosen, names=names, seed=seed)
        course = replace(course, **stored)
    if chosen.together and course.finished:
        return course
    # Joint training learns everything in one go, at the last task.
    first = len(tasks) - 1 if chosen.together else course.finished
    with _bar(learner, len(tasks) - first, show=progress) as bar, _without_subnormals():
        for number in range(first, len(tasks)):
            bar.set_description(f"{chosen.name}, {tasks[number].name}")
            began = time.perf_counter()
            loss = _learn(learner, tasks, number, strategy=chosen, seed=seed, bar=bar)
            # Before the tests, whose time grows with the number of tasks so far.
            seconds = round(time.perf_counter() - began, 2)
            accuracies = _test(learner, tasks[: number + 1])
            course = replace(
                course,
                accuracy=course.accuracy.with_row(number, accuracies),
                seconds=(*course.seconds, seconds),
                losses=(*course.losses, loss),
            )
            mean = sum(accuracies) / len(accuracies)
            bar.set_postfix(loss=f"{loss:.3g}", accuracy=f"{mean:.1%}")
            # Before the caller's function, which may raise: the finished task is not lost then.
            if path is not None:
                fields = {name: getattr(course, name) for name in _STORED}
                save_course(path, learner.trainer, chosen, names=names, seed=seed, fields=fields)
            if after_task is not None:
                after_task(number, course)
    return course


def _require_heads(learner: Learner, tasks: int) -> None:
    """Raise if heads of their own are fewer than tasks."""
    if learner.heads and len(learner.heads) < tasks:
        raise NetworkError(
            f"learner, heads: found {len(learner.heads)} for {tasks} tasks, expected one for "
            "each. Add outputs, or leave heads out."
        )


def _test(learner: Learner, tasks: Sequence[Task]) -> list[float]:
    """Return the accuracy of each of the first tasks, 1."""
    return [learner.accuracy(task.test, number) for number, task in enumerate(tasks)]


def _learn(
    learner: Learner,
    tasks: Sequence[Task],
    number: int,
    *,
    strategy: Strategy,
    seed: int,
    bar: tqdm,
) -> float:
    """Learn a task; return the mean loss of its last epoch."""
    trainer = learner.trainer
    trainer.train()
    if number and not strategy.together:
        trainer.freeze(*learner.first_only)
    # After freezing, since it takes the parameters that still learn; fresh, without momentum.
    optimizer = learner.optimizer(trainer)
    strategy.begin_task(learner, optimizer, tasks, number)
    learned = range(number + 1) if strategy.together else [number]
    sizes = {task: len(tasks[task].train) for task in learned}
    mean = 0.0
    for epoch in range(learner.epochs):
        total = 0.0
        # Named by task and epoch: a course that continues draws the orders it would have drawn.
        name = f"order/{number}/{epoch}"
        for minibatch in minibatches(sizes, learner.batch, seed=seed, name=name):
            train = tasks[minibatch.task].train
            values = train.take(minibatch.chosen)
            labels = train.labels[minibatch.chosen]
            optimizer.zero_grad()
            loss = learner.loss_of(values, labels, minibatch.task)
            value = loss.item()
            # Before the step: weights stay as they were if the loss is no number.
            _require_finite(value, tasks[minibatch.task], epoch)
            penalty = strategy.penalty(learner)
            if penalty is not None:
                loss = loss + penalty
            loss.backward()
            optimizer.step()
            # Weighted by size, since the last minibatch of an epoch may be smaller.
            total += value * len(minibatch.chosen)
        mean = total / sum(sizes.values())
        bar.update()
    strategy.end_task(learner, tasks, number, seed=seed)
    return mean


def _require_finite(loss: float, task: Task, epoch: int) -> None:
    # NaN is no number below infinity either.
    if not abs(loss) < float("inf"):
        raise SimulationError(
            f"task {task.name!r}, epoch {epoch + 1}: found the loss {loss}, expected a finite "
            "number. Use a smaller learning rate, or clip gradients."
        )


@contextmanager
def _bar(learner: Learner, tasks: int, *, show: bool) -> Iterator[tqdm]:
    total = tasks * learner.epochs
    # None lets tqdm decide: no bar if the output is no terminal.
    hidden = None if show else True
    with tqdm(total=total, unit="epoch", disable=hidden) as bar:
        yield bar


@contextmanager
def _without_subnormals() -> Iterator[None]:
    """Round numbers below 1e-38 to 0 meanwhile: traces decay into them, and are slow."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
