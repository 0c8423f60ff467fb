"""Neurons: phases 2, 3 and 5 of a population for all samples of a batch, differentiable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neurosim.draws import streams as random
from neurosim.expr.tree import Expr
from neurosim.ir.program import HELD, PopulationProgram

from ..tensors.cells import cell_functions
from ..tensors.draws import draw_range
from ..tensors.printing import draw_name, words
from .constants import compile_expression
from .gradients.conditions import distance, is_held
from .gradients.derivatives import differentiable
from .gradients.responses import Affine, affine_step
from .gradients.surrogates import Surrogate, spike


@dataclass(frozen=True)
class NeuronState:
    """States of a population between two steps.

    Attributes
    ----------
    values : state -> (B, N)
    until : (B, N) int64, or None
        Last refractory step.
    """

    values: dict[str, Tensor]
    until: Tensor | None

    def detached(self) -> NeuronState:
        """Return the same numbers without their past."""
        values = {name: value.detach() for name, value in self.values.items()}
        return NeuronState(values, self.until)


class Neurons:
    """The step of a population.

    Parameters
    ----------
    program : PopulationProgram
    dt : float, ms
    seed : int
        Of the network.
    pause : (1,) or (N,) int64, or None
        Refractory steps; None: no neuron is ever refractory.
    surrogate : Surrogate
    width : float or (N,)
    dtype : torch.dtype
    device : torch.device
    """

    def __init__(
        self,
        program: PopulationProgram,
        *,
        dt: float,
        seed: int,
        pause: Tensor | None,
        surrogate: Surrogate,
        width: float | Tensor,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        code = program.code
        self.name = program.name
        self.size = program.size
        self.code = code
        self.dt = dt
        self.pause = pause
        self.surrogate = surrogate
        self.width = width
        # Called with the distances from threshold of each step, while someone asks for them.
        self.watch: Callable[[Tensor], None] | None = None
        self.dtype = dtype
        meanings = differentiable(words(dtype))
        self.functions = cell_functions(code, meanings)
        self.held = code.detect is not None and is_held(code.detect)
        self.distance = None
        self.distance_tree: Expr | None = None
        if code.detect is not None:
            self.distance_tree = distance(code.detect, where=f"population {program.name!r}")
            self.distance = compile_expression(self.distance_tree, meanings)
        self.blocks = torch.arange((program.size + 3) // 4, device=device)
        self.keys = {
            draw: random.key_of(seed, f"{program.name}/draw{draw.key}") for draw in code.draws
        }
        self.words = {
            "dt": torch.tensor(dt, dtype=dtype, device=device),
            "i": torch.arange(program.size, dtype=dtype, device=device),
            "N": torch.tensor(float(program.size), dtype=dtype, device=device),
        }
        # Values that no equation reads are not made in each step.
        read = {name for function in self.functions.reads.values() for name in function}
        self._reads_time = "t" in read
        self._reads_active = "_active" in read

    @property
    def can_be_compiled(self) -> bool:
        """Whether a step depends on its number through refractoriness alone."""
        return bool(self.code.ports) and not self.code.draws and not self._reads_time

    def distance_at(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return distances from the threshold for given values, without input and noise, (N,).

        Raises
        ------
        LookupError
            If the cell never spikes.
        """
        if self.distance is None:
            raise LookupError(f"population {self.name!r} never spikes")
        # Tensors of the right type and device: products with 0 of one that is there.
        known: dict[str, Any] = {**values, **self.words, "t": self.words["dt"] * 0.0}
        known |= {f"_port_{port}": self.words["dt"] * 0.0 for port in self.code.ports}
        # The middle of uniform numbers; normal ones have the mean 0.
        for draw in self.code.draws:
            middle = 0.5 if draw.kind == "uniform" else 0.0
            known[draw_name(draw)] = torch.full_like(self.words["i"], middle)
        # Statements also assign names of their own, which hold nothing before the step.
        for statement in self.code.integrate:
            if statement.target not in self.code.states:
                known[statement.target] = self.words["i"] * 0.0
        return self.distance(known)

    def affine(self, values: Mapping[str, Tensor], port: str) -> Affine | None:
        """Return the step of neurons that are not refractory, if it is affine, else None.

        Parameters
        ----------
        values : name -> (1,) or (N,)
            Parameters, constants and the states at the start.
        port : str
            The input; other ports receive nothing.
        """
        # One affine map must serve all steps.
        if self.code.draws or self._reads_time or not self.code.states:
            return None
        known: dict[str, Any] = {**values, **self.words}

        def step(states: Mapping[str, Tensor], total: Tensor) -> dict[str, Tensor]:
            nothing = torch.zeros_like(total)
            ports = {f"_port_{other}": nothing for other in self.code.ports}
            ports[f"_port_{port}"] = total
            active = torch.ones_like(total, dtype=torch.bool)
            after = self.functions.integrate({**known, **states, **ports, "_active": active})
            return {name: after.get(name, states[name]) for name in self.code.states}

        start = {state: values[state].expand(self.size) for state in self.code.states}
        return affine_step(step, start)

    def direction(self, values: Mapping[str, Tensor], state: str | None) -> Tensor:
        """Return the derivative of the distance from the threshold by each state, (n, N).

        Parameters
        ----------
        values : name -> (1,) or (N,)
            Parameters, constants and states.
        state : str, optional
            Of a cell that never spikes: the derivative of this state in place of the distance.
        """
        names = self.code.states
        if self.distance is None:
            unit = [float(name == state) for name in names]
            return self.words["i"].new_tensor(unit).unsqueeze(1).expand(len(names), self.size)
        with torch.enable_grad():
            states = {
                name: values[name].detach().expand(self.size).clone().requires_grad_(True)
                for name in names
            }
            fixed = {name: value.detach() for name, value in values.items()}
            distance = self.distance_at({**fixed, **states}).expand(self.size)
            slopes = torch.autograd.grad(distance.sum(), list(states.values()), allow_unused=True)
        zero = torch.zeros_like(self.words["i"])
        return torch.stack([zero if slope is None else slope for slope in slopes])

    def reset_at(self, values: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the only state after a reset, and its derivative by the one before, (N,) each.

        Parameters
        ----------
        values : name -> (1,) or (N,)
            Parameters, constants and the state before.
        """
        (name,) = self.code.states
        known: dict[str, Any] = {**values, **self.words, "t": self.words["dt"] * 0.0}
        with torch.enable_grad():
            before = values[name].detach().expand(self.size).clone().requires_grad_(True)
            fixed = {word: value.detach() for word, value in known.items()}
            after = self.functions.after({**fixed, name: before}).get(name, before)
            after = after.expand(self.size)
            slope = torch.zeros_like(before)
            if after.requires_grad:
                (slope,) = torch.autograd.grad(after.sum(), before)
        # In the graph, so that a threshold that is subtracted learns.
        result = self.functions.after(known).get(name, values[name]).expand(self.size)
        return result, slope

    def zeros(self) -> Tensor:
        """Return (N,) zeros."""
        return torch.zeros_like(self.words["i"])

    def start(self, initial: Mapping[str, Tensor], batch: int) -> NeuronState:
        """Return the states before the first step.

        Parameters
        ----------
        initial : state -> (N,)
        batch : int
            B samples.
        """
        values = {name: value.expand(batch, self.size) for name, value in initial.items()}
        until = None
        if self.pause is not None:
            # Before step 0: nobody is refractory at the start.
            until = self.pause.new_full((batch, self.size), -1)
        return NeuronState(values, until)

    def step(
        self,
        k: int | Tensor,
        state: NeuronState,
        values: Mapping[str, Tensor],
        ports: Mapping[str, Tensor],
        *,
        replica: Tensor,
    ) -> tuple[NeuronState, Tensor | None]:
        """Return the states after phase 5 of step k, and the spikes of phase 3, (B, N).

        Parameters
        ----------
        k : int
        state : NeuronState
        values : name -> (1,), (N,) or (B, N)
            Parameters and constants.
        ports : name -> (B, N)
            Sums at ports, which phase 2 reads.
        replica : (B, 1) int64
            Replica word of each sample.
        """
        known: dict[str, Any] = {**values, **self.words, **state.values}
        for port, total in ports.items():
            known[f"_port_{port}"] = total
        if self._reads_time:
            known["t"] = self.words["dt"].new_tensor(float(k) * self.dt)
        for draw, key in self.keys.items():
            numbers = draw_range(draw.kind, key, self.blocks, k, size=self.size, replica=replica)
            known[draw_name(draw)] = numbers.to(self.dtype)
        active = None if state.until is None else state.until < k
        if self._reads_active:
            known["_active"] = self._everyone(replica) if active is None else active
        # Later phases read the new states by the same names.
        known |= self.functions.integrate(known)
        new = {name: known[name] for name in self.code.states}
        if self.functions.detect is None:
            return NeuronState(new, state.until), None
        spiking = self.functions.detect(known)
        if active is not None:
            spiking = spiking & active
        if self.held:
            # A neuron that is held cannot spike, so no gradient passes either.
            awake = known[HELD] == 0
            active = awake if active is None else active & awake
        spikes = self._spike(known, spiking, active, replica)
        spiking = spiking.expand(spikes.shape)
        # The mask has no derivative: the reset is detached from the spike.
        for name, value in self.functions.after(known).items():
            new[name] = torch.where(spiking, value, new[name])
        until = state.until
        if until is not None and self.pause is not None:
            until = torch.where(spiking, self.pause + k, until)
        return NeuronState(new, until), spikes

    def _spike(
        self,
        known: Mapping[str, Any],
        spiking: Tensor,
        active: Tensor | None,
        replica: Tensor,
    ) -> Tensor:
        if self.distance is None:
            raise LookupError(f"population {self.name!r} never spikes")
        shape = (replica.shape[0], self.size)
        difference = self.distance(known).expand(shape)
        if self.watch is not None:
            self.watch(difference)
        return spike(
            difference,
            spiking.expand(shape),
            active=active,
            surrogate=self.surrogate,
            width=self.width,
        )

    def _everyone(self, replica: Tensor) -> Tensor:
        return torch.ones(replica.shape[0], self.size, dtype=torch.bool, device=replica.device)
