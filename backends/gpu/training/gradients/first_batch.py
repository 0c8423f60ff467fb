"""The first batch of training: warnings of silence, and of names whose gradient was 0."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn


class SilenceWarning(UserWarning):
    """A network that does not spike during its first batch of training."""


class StillWarning(UserWarning):
    """A name whose gradient in the first batch of training was 0."""


class FirstBatch:
    """Watches the gradients of the first batch of training.

    Parameters
    ----------
    parameters : label -> Parameter
        All that learns.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        self._parameters = dict(parameters)
        self._has_run = False
        self._had_backward = False
        # Names that must have a gradient, and those that have had one.
        self._expected: list[str] = []
        self._moved: set[str] = set()
        self._handles: list[Any] = []
        for label, parameter in self._parameters.items():
            handle = parameter.register_post_accumulate_grad_hook(
                lambda parameter, label=label: self._note_gradient(label, parameter)
            )
            self._handles.append(handle)

    def _note_gradient(self, label: str, parameter: Tensor) -> None:
        if parameter.grad is not None and bool(parameter.grad.any()):
            self._moved.add(label)
        self._had_backward = True

    def expect_gradients(self, *, of_all: bool) -> None:
        """Note which names the batch that has run must give a gradient.

        Parameters
        ----------
        of_all : bool
            Whether all outputs were computed: names behind other heads have no gradient, rightly.
        """
        if self._had_backward:
            return
        self._expected = []
        if of_all:
            # Frozen names have no gradient either.
            parameters = self._parameters.items()
            self._expected = [label for label, value in parameters if value.requires_grad]

    def warn_of_still_names(self, *, stacklevel: int) -> None:
        """Warn, before the second batch, of names that the first one gave no gradient.

        Parameters
        ----------
        stacklevel : int
            Calls from here to the user's line.
        """
        if not (self._had_backward and self._handles):
            return
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        still = [label for label in self._expected if label not in self._moved]
        if still:
            warnings.warn(
                f"Trainer: the first batch gave {', '.join(still)} a gradient of 0, so they do not "
                "learn: they act on no output, or only through neurons that are far from their "
                "thresholds. Take them out of train=, or change outputs=.",
                StillWarning,
                stacklevel=stacklevel,
            )

    def warn_of_silence(
        self, spikes: Mapping[str, Tensor], computed: Iterable[str], *, stacklevel: int
    ) -> None:
        """Warn if no neuron spiked in the first batch.

        Parameters
        ----------
        spikes : population -> (T, B, N)
        computed : names of populations
            Those whose spikes are not given.
        stacklevel : int
            Calls from here to the user's line.
        """
        # Of the first batch alone: reading the spikes makes the host wait for a GPU.
        if self._has_run:
            return
        self._has_run = True
        names = sorted(spikes.keys() & set(computed))
        if names and not any(bool(spikes[name].any()) for name in names):
            warnings.warn(
                f"Trainer: in the first batch no neuron of {', '.join(names)} spikes, so "
                "little or nothing can learn. Use larger weights or more input.",
                SilenceWarning,
                stacklevel=stacklevel,
            )
