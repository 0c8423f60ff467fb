"""Tasks of continual learning, made from labelled samples: permuted, split, one set after another.

Source of the protocols: Goodfellow et al. 2014, ICLR (permuted); Zenke, Poole and Ganguli 2017,
ICML (split); Ebrahimi et al. 2020, ECCV (a sequence of data sets).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neurosim.datasets import Images
from neurosim.draws.streams import Stream
from neurosim.errors import DataError, describe
from neurosim.network.validation import read_whole_number


@dataclass(frozen=True, eq=False)
class Samples:
    """Labelled samples, as numbers that a network receives.

    Attributes
    ----------
    values : (B, N) float32
    labels : (B,) int64
    columns : (N,) int64 or None
        Order in which `take` returns the numbers of a sample; None: as they are.
    """

    values: NDArray[np.float32]
    labels: NDArray[np.int64]
    columns: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.labels.shape != self.values.shape[:1]:
            raise DataError(
                f"samples: found values of shape {self.values.shape} and labels of shape "
                f"{self.labels.shape}, expected (B, N) and (B,). Reshape them."
            )
        finite = np.isfinite(self.values).all(1)
        if not finite.all():
            raise DataError(
                f"samples: found {np.count_nonzero(~finite)} with values that are not finite, such "
                f"as sample {int(np.argmin(finite))}, expected numbers. Correct or drop them."
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> int:
        """One more than the largest label."""
        return int(self.labels.max(initial=-1)) + 1

    def take(self, chosen: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """Return the values of some samples.

        Parameters
        ----------
        chosen : (K,) int64 or slice
        """
        values = self.values[chosen]
        # Permuted here, so that ten permuted tasks hold one copy of the images.
        return values if self.columns is None else values[:, self.columns]

    def subset(self, chosen: NDArray[np.int64] | slice) -> Samples:
        """Return some samples.

        Parameters
        ----------
        chosen : (K,) int64 or slice
        """
        return replace(self, values=self.values[chosen], labels=self.labels[chosen])


@dataclass(frozen=True, eq=False)
class Task:
    """What is learned at a time, and how it is tested.

    Attributes
    ----------
    name : str
    train, test : Samples
    """

    name: str
    train: Samples
    test: Samples


def samples_of(
    images: Images,
    *,
    mean: float | Sequence[float] = 0.0,
    deviation: float | Sequence[float] = 1.0,
    side: int | None = None,
    channels: int | None = None,
) -> Samples:
    """Return images as samples: (values / 255 - mean) / deviation, channel by channel.

    Parameters
    ----------
    images : Images
    mean, deviation : float (1), or one for each channel
    side : int, optional
        Height and width to which smaller images are padded with black.
    channels : int, optional
        Grey images are copied to so many.

    Returns
    -------
    Samples
        N is channels * height * width, in this order, as grids of the language have it.
    """
    # Grey images have no axis of channels: (B, height, width).
    values = images.values if images.values.ndim == 4 else images.values[..., None]
    if channels is not None and values.shape[3] == 1:
        values = np.repeat(values, channels, axis=3)
    if side is not None:
        missing = [side - extent for extent in values.shape[1:3]]
        # An odd rim is wider behind than in front.
        rims = [(count // 2, count - count // 2) for count in missing]
        values = np.pad(values, [(0, 0), *rims, (0, 0)])
    # In float32 throughout: in float64 a data set would take twice the memory.
    middle = np.asarray(mean, np.float32)
    width = np.asarray(deviation, np.float32)
    scaled = (values / np.float32(255) - middle) / width
    by_channel = scaled.astype(np.float32).transpose(0, 3, 1, 2)
    return Samples(by_channel.reshape(len(values), -1), images.labels.astype(np.int64))


def permuted(
    train: Samples,
    test: Samples,
    *,
    count: int,
    seed: int = 0,
) -> list[Task]:
    """Return tasks of the same images, whose pixels each task puts in another fixed order.

    Parameters
    ----------
    train, test : Samples
    count : int
        Number of tasks; the first one is permuted as well.
    seed : int
    """
    count = read_whole_number(count, where="permuted tasks, count")
    size = train.values.shape[1]
    stream = Stream(seed, "continual_learning/permutation")
    tasks = []
    for number in range(count):
        # By task number, so that a longer sequence begins with the same tasks.
        numbers = stream.uniform(np.arange(size), number)
        order = np.argsort(numbers)
        name = f"permutation {number + 1}"
        tasks.append(Task(name, replace(train, columns=order), replace(test, columns=order)))
    return tasks


def split(
    train: Samples,
    test: Samples,
    *,
    groups: Sequence[Sequence[int]],
    relabel: bool = True,
) -> list[Task]:
    """Return a task for each group of classes.

    Parameters
    ----------
    train, test : Samples
    groups : sequence of sequences of int
        Classes of each task, such as ``[(0, 1), (2, 3)]``.
    relabel : bool
        Whether each task counts its classes from 0, as heads of their own need it; False: labels
        stay, for one head that learns class after class.

    Raises
    ------
    DataError
        If a group is empty, or a class has no sample or stands in two groups.
    """
    listed = list(itertools.chain.from_iterable(groups))
    trained = set(np.unique(train.labels).tolist())
    tested = set(np.unique(test.labels).tolist())
    # A class without test samples would have no accuracy.
    known = trained & tested
    are_known = set(listed) <= known
    are_disjoint = len(set(listed)) == len(listed)
    are_filled = bool(listed) and all(len(group) for group in groups)
    if not (are_known and are_disjoint and are_filled):
        raise DataError(
            f"split tasks: found groups {describe(list(map(list, groups)))}, expected groups of "
            f"classes among {sorted(known)}, each class once. Correct them."
        )
    tasks = []
    for group in groups:
        name = "classes " + ", ".join(map(str, group))
        of_train = _select_classes(train, group, relabel=relabel)
        of_test = _select_classes(test, group, relabel=relabel)
        tasks.append(Task(name, of_train, of_test))
    return tasks


def _select_classes(samples: Samples, classes: Sequence[int], *, relabel: bool) -> Samples:
    belongs = np.isin(samples.labels, classes)
    chosen = samples.subset(np.flatnonzero(belongs))
    if not relabel:
        return chosen
    # The order of the group is the order of the labels.
    new_label = {old: new for new, old in enumerate(classes)}
    labels = np.array([new_label[int(label)] for label in chosen.labels], np.int64)
    return replace(chosen, labels=labels)


def sequence(parts: Sequence[tuple[str, Samples, Samples]]) -> list[Task]:
    """Return a task for each data set.

    Parameters
    ----------
    parts : sequence of (name, train, test)

    Raises
    ------
    DataError
        If samples differ in size.
    """
    tasks = [Task(name, train, test) for name, train, test in parts]
    require_tasks(tasks)
    return tasks


def require_tasks(tasks: Sequence[Task]) -> None:
    """Raise unless there are tasks, none is empty, and all samples have one size.

    Raises
    ------
    DataError
    """
    if not tasks:
        raise DataError("tasks: found none, expected one or more. Give a list of tasks.")
    size = tasks[0].train.values.shape[1]
    for task in tasks:
        for noun, samples in (("training", task.train), ("test", task.test)):
            if not len(samples):
                raise DataError(
                    f"task {task.name!r}: found no {noun} samples, expected one or more. Add them."
                )
            numbers = samples.values.shape[1]
            if numbers != size:
                raise DataError(
                    f"task {task.name!r}: found {noun} samples of {numbers} numbers, expected "
                    f"{size}, as the first task has. Pad or cut them."
                )
