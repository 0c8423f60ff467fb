"""Learner: a Trainer with everything that a protocol of tasks asks of a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurosim.errors import DataError, NetworkError
from neurosim.gpu import Trainer

from .tasks import Samples

TESTED_TOGETHER = 500  # samples: larger batches take memory, and no less time


@dataclass(frozen=True, eq=False)
class Learner:
    """A network that learns classes, task after task.

    Attributes
    ----------
    trainer : Trainer
    encode : function of (B, N) samples
        Returns a batch of the Trainer, (T, B, N).
    loss : function (output, labels (B,)) -> scalar
    answer : function of output
        Returns the scores of classes, (B, classes).
    optimizer : function of the Trainer
        Returns a fresh optimiser, which each task gets.
    epochs, batch : int
        Of each task.
    heads : tuple of str
        Outputs of the Trainer, one for each task; empty: the only output serves all tasks.
    first_only : tuple of str
        Names that learn in the first task, and are frozen then.
    """

    trainer: Trainer
    encode: Callable[[Tensor], Tensor]
    loss: Callable[[Tensor, Tensor], Tensor]
    answer: Callable[[Tensor], Tensor]
    optimizer: Callable[[Trainer], torch.optim.Optimizer]
    epochs: int = 1
    batch: int = 64
    heads: tuple[str, ...] = ()
    first_only: tuple[str, ...] = ()

    def output(self, values: NDArray[np.float32], task: int) -> Tensor:
        """Return the output of the head of a task for some samples.

        Parameters
        ----------
        values : (B, N)
        task : int
            From 0.
        """
        output = self.trainer(self.batch_of(values), outputs=self._head(task))
        if not isinstance(output, Tensor):
            raise NetworkError(
                f"learner: found {len(output)} outputs and no heads, expected one output, or a "
                "head for each task. Name them with heads=."
            )
        return output

    def rows(self, values: NDArray[np.float32], task: int) -> dict[str, Tensor]:
        """Return what multiplies the error of each projection for some samples, (R, N).

        Parameters
        ----------
        values : (B, N)
        task : int
        """
        return self.trainer.collect_rows(self.batch_of(values), outputs=self._head(task))

    def batch_of(self, values: NDArray[np.float32]) -> Tensor:
        """Return samples as a batch of the Trainer, (T, B, N).

        Parameters
        ----------
        values : (B, N)
        """
        # Moved first, encoded then: an encoder makes T copies, which would have to be moved.
        samples = torch.from_numpy(values)
        return self.encode(samples.to(self.trainer.device, self.trainer.dtype))

    def _head(self, task: int) -> str | None:
        return self.heads[task] if self.heads else None

    def loss_of(self, values: NDArray[np.float32], labels: NDArray[np.int64], task: int) -> Tensor:
        """Return the loss of some samples of a task.

        Parameters
        ----------
        values : (B, N)
        labels : (B,)
        task : int

        Raises
        ------
        DataError
            If there is a label without an output.
        """
        targets = torch.from_numpy(labels).to(self.trainer.device)
        output = self.output(values, task)
        try:
            return self.loss(output, targets)
        except IndexError as error:
            # Of torch's losses, at a class beyond the outputs.
            raise DataError(
                f"task {task + 1}, loss: found labels from {labels.min()} to {labels.max()} "
                f"({error}), expected an output for each. Use more outputs, or relabel=True of "
                "split."
            ) from error

    @torch.no_grad()
    def scores(self, samples: Samples, task: int) -> Tensor:
        """Return the scores of all classes, (B, classes), without learning.

        Parameters
        ----------
        samples : Samples
        task : int
        """
        # Tests happen amid learning, so that the mode of before is restored afterwards.
        learns = self.trainer.training
        self.trainer.eval()
        parts = []
        for first in range(0, len(samples), TESTED_TOGETHER):
            values = samples.take(slice(first, first + TESTED_TOGETHER))
            parts.append(self.answer(self.output(values, task)))
        self.trainer.train(learns)
        return torch.cat(parts)

    def accuracy(self, samples: Samples, task: int) -> float:
        """Return which part of the samples is right, 1.

        Parameters
        ----------
        samples : Samples
        task : int
        """
        scores = self.scores(samples, task)
        answers = scores.argmax(1).cpu().numpy()
        return float((answers == samples.labels).mean())
