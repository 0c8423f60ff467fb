"""Hooks between the backward pass and the step of an optimiser."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from neurosim.errors import NetworkError, SimulationError, describe

from .operations import Slots

GradientHook = Callable[[str, Tensor], Tensor | None]
"""From the name of what learns and its gradient to another gradient; None: it stays."""

RowsHook = Callable[[str, Tensor], None]
"""From the name of a projection and the rows (R, N) that multiply its error."""


class Hooks:
    """Functions that run once per minibatch: forward, backward, gradients, rows, optimiser step.

    Parameters
    ----------
    slots : projection -> Slots
        Of those that learn.
    """

    def __init__(self, slots: Mapping[str, Slots]) -> None:
        self._slots = slots
        self._of_gradients: list[GradientHook] = []
        self._of_rows: list[RowsHook] = []
        self._projects = False
        self._attached: list[torch.optim.Optimizer] = []

    @property
    def attached(self) -> bool:
        """Whether an optimiser runs the hooks."""
        return bool(self._attached)

    def add_of_gradients(self, hook: GradientHook, *, projects: bool) -> None:
        """Add a hook; ``projects`` says that its gradients must reach the weights unchanged."""
        _require_function(hook, "on_gradient")
        if projects:
            for optimizer in self._attached:
                require_projecting(optimizer)
        self._of_gradients.append(hook)
        self._projects = self._projects or projects

    def add_of_rows(self, hook: RowsHook) -> None:
        """Add a hook."""
        _require_function(hook, "on_rows")
        self._of_rows.append(hook)

    def begin(self, *, training: bool) -> None:
        """Prepare a call: operations store their rows if a hook will read them.

        Raises
        ------
        NetworkError
            If there are hooks and no optimiser runs them.
        """
        is_listening = training and torch.is_grad_enabled()
        if is_listening and not self._attached and (self._of_gradients or self._of_rows):
            raise NetworkError(
                "Trainer: found hooks, but no optimiser that runs them. Call "
                "trainer.attach(optimizer) before the first batch."
            )
        for slots in self._slots.values():
            slots.listening = is_listening and bool(self._of_rows)
            # A call without a step of the optimiser leaves rows, which belong to no later step.
            slots.rows.clear()

    def end(self) -> None:
        """End a call: what is computed again in the backward pass stores no rows."""
        for slots in self._slots.values():
            slots.listening = False

    def collect(self, run: Callable[[], object]) -> dict[str, Tensor]:
        """Return the rows (R, N) of each projection while a function runs; no hook is called.

        Parameters
        ----------
        run : function
            Runs a call.
        """
        for slots in self._slots.values():
            slots.rows.clear()
            slots.listening = True
        try:
            run()
        finally:
            self.end()
        rows = {name: torch.cat(slots.rows) for name, slots in self._slots.items() if slots.rows}
        for slots in self._slots.values():
            slots.rows.clear()
        return rows

    def attach(
        self, optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter]
    ) -> None:
        """Let an optimiser run the hooks before each of its steps.

        Parameters
        ----------
        optimizer : torch.optim.Optimizer
        parameters : label -> Parameter
            What learns.

        Raises
        ------
        NetworkError
            If a learning rate is no number from 0 on, the optimiser holds no value of the Trainer,
            or gradients are projected and it would leave the projection again.
        """
        require_optimizer(optimizer)
        _require_own(optimizer, parameters)
        if self._projects:
            require_projecting(optimizer)
        # A second attachment would run each hook twice per step.
        if any(optimizer is other for other in self._attached):
            return
        self._attached.append(optimizer)

        def run(*_: object) -> None:
            # A schedule may have changed it since.
            require_optimizer(optimizer)
            if self._projects:
                require_projecting(optimizer)
            self.run(parameters)

        optimizer.register_step_pre_hook(run)

    def run(self, parameters: Mapping[str, nn.Parameter]) -> None:
        """Run all hooks: those of gradients for each name, then those of rows."""
        for name, parameter in parameters.items():
            for hook in self._of_gradients:
                if parameter.grad is not None:
                    gradient = hook(name, parameter.grad)
                    if gradient is not None:
                        _require_shape(name, gradient, parameter)
                        parameter.grad = gradient
            # After the hooks, which may ruin a gradient themselves.
            _require_finite(name, parameter.grad)
        for name, slots in self._slots.items():
            if slots.rows:
                rows = torch.cat(slots.rows)
                for hook in self._of_rows:
                    hook(name, rows)
                slots.rows.clear()


def require_optimizer(optimizer: object) -> None:
    """Raise unless all learning rates are finite numbers from 0 on.

    Raises
    ------
    NetworkError
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise NetworkError(
            f"optimizer: found {describe(optimizer)}, expected one of torch.optim. Make one with "
            "torch.optim.SGD(trainer.parameters(), lr=0.1)."
        )
    for number, group in enumerate(optimizer.param_groups):
        rate = float(group.get("lr", 0.0))
        if not (math.isfinite(rate) and rate >= 0):
            raise NetworkError(
                f"optimizer, group {number}: found the learning rate {rate}, expected a number "
                "from 0 on. Correct lr."
            )


def _require_function(hook: object, where: str) -> None:
    if not callable(hook):
        raise NetworkError(
            f"{where}: found {describe(hook)}, expected a function of a name and a tensor. Give "
            "one."
        )


def _require_own(optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter]) -> None:
    # By identity: comparing tensors would compare their numbers.
    held: set[int] = set()
    for group in optimizer.param_groups:
        held |= set(map(id, group["params"]))
    if not any(id(parameter) in held for parameter in parameters.values()):
        raise NetworkError(
            "optimizer: found one that holds no value of this Trainer, so nothing would learn; "
            "expected one of trainer.parameters(). Make it anew."
        )


def _require_shape(name: str, gradient: object, parameter: Tensor) -> None:
    if not isinstance(gradient, Tensor) or gradient.shape != parameter.shape:
        shape = tuple(gradient.shape) if isinstance(gradient, Tensor) else describe(gradient)
        raise NetworkError(
            f"on_gradient, {name!r}: a hook returned {shape}, expected a gradient of shape "
            f"{tuple(parameter.shape)}, or None to leave it. Return one of these."
        )


def _require_finite(name: str, gradient: Tensor | None) -> None:
    if gradient is not None and not bool(torch.isfinite(gradient).all()):
        raise SimulationError(
            f"optimizer: found a gradient of {name!r} that is not finite, expected numbers. The "
            "values that learn are those before this step. Use another surrogate, fewer steps "
            "(Truncated), or a smaller learning rate.",
            population=name.partition(".")[0],
        )


def require_projecting(optimizer: torch.optim.Optimizer) -> None:
    """Raise if an optimiser would leave the projection of gradients again.

    Raises
    ------
    NetworkError
    """
    name = type(optimizer).__name__
    if any(group.get("weight_decay", 0.0) for group in optimizer.param_groups):
        raise NetworkError(
            f"optimizer {name}: found weight decay beside a projection of gradients, expected "
            "none: decay changes weights along directions that the projection protects. Use "
            "weight_decay=0."
        )
    if not isinstance(optimizer, torch.optim.SGD):
        raise NetworkError(
            f"optimizer {name}: found steps that are no multiples of the gradient beside a "
            "projection of gradients, expected torch.optim.SGD: scaling each weight by itself "
            "leaves the projected subspace. Use SGD."
        )
