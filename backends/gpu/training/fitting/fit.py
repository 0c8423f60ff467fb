"""Fit: a loop of training with a progress bar, checkpoints, and an end if it goes wrong."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from neurosim.errors import NetworkError, SimulationError, describe
from neurosim.network.validation import read_whole_number

from ..trainer import Trainer
from .checkpoints import Progress, load_checkpoint, require_writable, save_checkpoint

Loss = Callable[[Any, Any], Tensor]


@dataclass
class _Sums:
    """Sums over the samples of an epoch."""

    loss: float = 0.0
    right: float = 0.0
    judged: int = 0
    samples: int = 0

    def means(self) -> tuple[float, float]:
        accuracy = self.right / self.judged if self.judged else math.nan
        return self.loss / max(self.samples, 1), accuracy


def fit(
    trainer: Trainer,
    batches: Iterable[Any],
    *,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    epochs: int,
    encode: Callable[[Any], Any] | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> Progress:
    """Train for some epochs.

    Ctrl-C ends training after the batch that is computed; the values that learn stay as they are
    then. A second one ends it at once.

    Parameters
    ----------
    trainer : Trainer
    batches : iterable of (data, target), such as a DataLoader
    loss : function (output, target) -> scalar
        Such as ``torch.nn.functional.cross_entropy`` of a sum over steps, or one of
        ``snntorch.functional``.
    optimizer : torch.optim.Optimizer
    epochs : int
        In all: those of a checkpoint count.
    encode : function of data, optional
        Returns the batch of the Trainer, (T, B, N); by default the data are that.
    checkpoint : path, optional
        Written after each epoch. If it exists, training goes on from it, and on the CPU device
        gives the same bits as without a break.
    progress : bool
        Show a bar with loss and accuracy for each epoch.

    Returns
    -------
    Progress
        Losses, and accuracies if targets are classes (B,) and the output is (T, B, classes): the
        largest sum over steps is right.

    Raises
    ------
    SimulationError
        If a loss is not finite: the Trainer then has the values of the last batch whose loss was.
    NetworkError
        A learning rate of NaN, a batch that does not fit, a file that is no checkpoint.
    """
    epochs = read_whole_number(epochs, where="fit, epochs")
    _require_arguments(trainer, batches, {"loss": loss, "encode": encode or loss}, optimizer)
    if checkpoint is not None:
        require_writable(checkpoint)
    trainer.attach(optimizer)
    path = None if checkpoint is None else Path(checkpoint)
    done = Progress()
    if path is not None and path.exists():
        # After `attach`: an optimiser that is refused must not change anything.
        done = load_checkpoint(path, trainer, optimizer)
    trainer.train()
    loop = _Loop(trainer, loss, optimizer, encode)
    # The setting holds for the process: it is taken back however training ends.
    with _without_subnormals(), _interrupted_between_batches() as loop.require_no_interrupt:
        try:
            for epoch in range(done.epochs, epochs):
                title = f"epoch {epoch + 1}/{epochs}" if progress else ""
                mean, accuracy = loop.epoch(batches, epoch, title=title)
                done = Progress((*done.losses, mean), (*done.accuracies, accuracy))
                if path is not None:
                    save_checkpoint(path, trainer, optimizer, done)
        # No error: whoever stops training wants what was learnt so far.
        except KeyboardInterrupt:
            return replace(done, interrupted=True)
    return done


def _require_arguments(
    trainer: object,
    batches: object,
    functions: Mapping[str, object],
    optimizer: object,
) -> None:
    """Raise unless training can begin with these arguments."""
    if not isinstance(trainer, Trainer):
        raise NetworkError(
            f"fit: found {describe(trainer)}, expected a Trainer. Make one with "
            "neurosim.gpu.Trainer."
        )
    if not isinstance(batches, Iterable):
        raise NetworkError(
            f"fit, batches: found {describe(batches)}, expected pairs (data, target). Give a list "
            "or a DataLoader."
        )
    for name, function in functions.items():
        if not callable(function):
            raise NetworkError(
                f"fit, {name}: found {describe(function)}, expected a function. Give one."
            )
    if isinstance(optimizer, torch.optim.LBFGS):
        raise NetworkError(
            "fit, optimizer: found LBFGS, which computes the loss several times in each step; "
            "expected one that steps by gradients. Use Adam or SGD, or write a loop of your own."
        )


@dataclass
class _Loop:
    """Epochs of training, batch by batch."""

    trainer: Trainer
    loss: Loss
    optimizer: torch.optim.Optimizer
    encode: Callable[[Any], Any] | None
    # Copies of the values with which the last finite loss was computed.
    good: dict[str, Tensor] | None = None
    # Called after each batch.
    require_no_interrupt: Callable[[], None] = lambda: None

    def epoch(self, batches: Iterable[Any], epoch: int, *, title: str) -> tuple[float, float]:
        """Return mean loss and accuracy of an epoch."""
        sums = _Sums()
        total = len(batches) if isinstance(batches, Sized) else None
        with tqdm(total=total, desc=title, disable=None if title else True, leave=False) as bar:
            for number, item in enumerate(batches):
                data, target = _pair(item)
                self.batch(data, target, sums, where=f"epoch {epoch + 1}, batch {number + 1}")
                mean, accuracy = sums.means()
                bar.set_postfix(loss=f"{mean:.4g}", accuracy=f"{accuracy:.1%}", refresh=False)
                bar.update()
                self.require_no_interrupt()
        if sums.samples == 0:
            raise NetworkError(
                f"fit, epoch {epoch + 1}: found no batch, expected one at least. Give a list or a "
                "DataLoader, which can be read once in each epoch."
            )
        return sums.means()

    def batch(
        self,
        data: Any,
        target: Any,
        sums: _Sums,
        *,
        where: str,
    ) -> None:
        """Take one step of the optimiser."""
        batch = data if self.encode is None else self.encode(data)
        self.optimizer.zero_grad()
        output = self.trainer(batch)
        if isinstance(target, Tensor):
            target = target.to(self.trainer.device)
        value = self._loss_of(output, target, where)
        # Before the backward pass: gradients of a loss of NaN would ruin all values at once.
        if not math.isfinite(value.item()):
            self._end(batch, value.item(), where)
        parameters = dict(self.trainer.named_parameters())
        # Cloned, since the optimiser changes parameters in place.
        self.good = {name: parameter.detach().clone() for name, parameter in parameters.items()}
        value.backward()
        try:
            self.optimizer.step()
        except SimulationError as error:
            message = f"fit, {where}: {error}"
            raise SimulationError(message, population=error.population) from error
        samples = next(iter(output.values())) if isinstance(output, dict) else output
        sums.samples += samples.shape[1]
        # By samples: the last batch of an epoch is often smaller.
        sums.loss += value.item() * samples.shape[1]
        # A class is the output with the largest sum over steps.
        if isinstance(output, Tensor) and _are_classes(target, output):
            chosen = output.detach().sum(0).argmax(1)
            sums.right += (chosen == target).sum().item()
            sums.judged += samples.shape[1]

    def _loss_of(self, output: Any, target: Any, where: str) -> Tensor:
        """Return the loss.

        Raises
        ------
        NetworkError
            If it is no single number that depends on what learns.
        """
        value: object = self.loss(output, target)
        if isinstance(value, Tensor) and value.numel() == 1 and value.requires_grad:
            return value.reshape(())
        result = describe(value)
        if isinstance(value, Tensor):
            result = f"a tensor of shape {tuple(value.shape)}"
            if not value.requires_grad:
                result += " without a gradient"
        raise NetworkError(
            f"fit, {where}: the loss function returned {result}, expected a tensor with one number "
            "that depends on the output of the Trainer. Take its mean, and compute it by torch."
        )

    def _end(self, batch: Any, value: float, where: str) -> None:
        """Restore the last good values, and say what went wrong."""
        fault = self.trainer.find_fault(batch)
        remedy = "The values that learn are those of the start."
        if self.good is not None:
            with torch.no_grad():
                for name, parameter in self.trainer.named_parameters():
                    parameter.copy_(self.good[name])
            remedy = "The values that learn are those of the batch before."
        source = fault or "the loss function, since all values of the network are finite"
        raise SimulationError(
            f"fit, {where}: found the loss {value}, expected a finite number; the first fault is "
            f"in {source}. {remedy} Use a smaller learning rate, or clip gradients.",
            population=fault.partition("'")[2].partition("'")[0],
        )


def _pair(item: Any) -> tuple[Any, Any]:
    if not isinstance(item, list | tuple) or len(item) != 2:
        raise NetworkError(
            f"fit: found a batch {describe(item)}, expected (data, target). Let the loader return "
            "pairs."
        )
    return item[0], item[1]


def _are_classes(target: Any, output: Tensor) -> bool:
    """Return whether targets are classes, and outputs one series for each class."""
    if not isinstance(target, Tensor) or target.ndim != 1 or target.is_floating_point():
        return False
    return target.shape[0] == output.shape[1] and int(target.max()) < output.shape[2]


@contextmanager
def _interrupted_between_batches() -> Iterator[Callable[[], None]]:
    """Store Ctrl-C until a batch is complete; yield a function that raises it.

    An interrupt within the step of an optimiser would leave some values changed and others not.
    """
    interrupts: list[int] = []

    def store(number: int, frame: FrameType | None) -> None:
        if interrupts:
            raise KeyboardInterrupt
        interrupts.append(number)

    def require_no_interrupt() -> None:
        if interrupts:
            raise KeyboardInterrupt

    # Handlers belong to the main thread; one of the user's own is left in force.
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield require_no_interrupt
        return
    signal.signal(signal.SIGINT, store)
    try:
        yield require_no_interrupt
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def _without_subnormals() -> Iterator[None]:
    """Round numbers below 1e-38 (1e-308 in float64) to 0: traces decay into them, and are slow."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
