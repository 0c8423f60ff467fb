"""Reads the names of a rule for edges or delay groups, over all samples or over those reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurosim.ir.program import PlasticProjection, Program
from neurosim.model.binding import Symbol
from neurosim.model.names import Domain

from .delivery import Reach, whole_numbers
from .functions import FUNCTIONS
from .populations import Clock, TensorPopulation
from .samples import Samples

Read = Callable[[Reach, Clock], Tensor]
Along = Tensor | None
"""The element that is read for each element of a side; None: that of the same number."""

_MOST_DECAYS = 1 << 17  # of a table of decays, one for each number of steps since the assignment


def gather(tensor: Tensor, along: Along, reach: Reach) -> Tensor:
    """Return the values of a tensor at the elements of a reach.

    Parameters
    ----------
    tensor : (B, n) or (1, n)
        Of n = 1, the value holds for all.
    along : (m,) int64 or None
    reach : Reach

    Returns
    -------
    (B, m) of all elements, else (A,); one in place of m or A if it holds for all
    """
    samples, size = tensor.shape
    if size == 1:
        if reach.element is None:
            return tensor
        if reach.sample is None or samples == 1:
            return tensor[0]
        return tensor[:, 0][reach.sample]
    if reach.element is None:
        return tensor if along is None else tensor[:, along]
    index = reach.element if along is None else along[reach.element]
    if samples == 1:
        return tensor[0][index]
    # One index into the flat tensor: two indices cost another operation per read.
    return tensor.view(-1)[reach.flat(index, size)]


@dataclass(frozen=True)
class Variable:
    """A variable of a rule, whose closed form is applied when it is read.

    Attributes
    ----------
    projection, name : str
    tau, inflow : function, optional
        Read the coefficients of the closed form for elements of the variable.
    """

    projection: str
    name: str
    tau: Callable[[Along], Read] | None = None
    inflow: Callable[[Along], Read] | None = None


class Decays:
    """Values of exp(-n dt / tau) for whole n, of time constants that have one value.

    A table holds the bits that the function gives, and is read in one operation.
    """

    def __init__(self, dt: float) -> None:
        self._dt = dt
        self._tables: dict[tuple[str, float], Tensor] = {}

    def find(self, tau: Tensor) -> Tensor | None:
        """Return the table of a time constant, which ends with 0; None: it is too long.

        Parameters
        ----------
        tau : (B, n) or (1, n)
        """
        # Read by the host once per stretch, since tables are found again after `follow` alone.
        value = float(tau.reshape(-1)[0])
        if not bool((tau == value).all()):
            return None
        if not 0.0 < value * 750.0 < _MOST_DECAYS * self._dt:
            return None
        key = (str(tau.dtype), value)
        if key not in self._tables:
            # exp(-750) is 0 in float64: after as many steps all values are 0.
            steps = torch.arange(int(750.0 * value / self._dt) + 2, device=tau.device)
            elapsed = steps.to(torch.float64) * self._dt
            self._tables[key] = FUNCTIONS["exp"](-elapsed / value).to(tau.dtype)
        return self._tables[key]


class Reader:
    """The values behind all names of rules, found once per name and side.

    Parameters
    ----------
    program : Program
    samples : Samples
    populations : name -> TensorPopulation
    """

    def __init__(
        self, program: Program, samples: Samples, populations: Mapping[str, TensorPopulation]
    ) -> None:
        self._program = program
        self._samples = samples
        self._populations = populations
        self._dtype = samples.dtype
        self._decays = Decays(program.dt)
        self._tables: dict[tuple[str, str], Tensor | None] = {}
        self._reads: dict[tuple[str, str, str], Read] = {}
        self._indices: dict[tuple[str, str], Along] = {}

    def follow(self) -> None:
        """Follow changes of memory by the host: time constants may be others."""
        self._tables.clear()

    def read(self, p: PlasticProjection, name: str, side: Domain) -> Read:
        """Return the function that reads a name of a rule for edges or delay groups of a side.

        Parameters
        ----------
        p : PlasticProjection
        name : str
        side : Domain
            The elements for which a statement is evaluated.
        """
        key = (p.name, name, side)
        if key not in self._reads:
            self._reads[key] = self._find(p, name, side)
        return self._reads[key]

    def variable(self, p: PlasticProjection, name: str, along: Along = None) -> Read:
        """Return the function that reads a variable of a rule, closed forms applied.

        Parameters
        ----------
        p : PlasticProjection
        name : str
        along : (m,) int64 or None
        """
        symbol = p.symbols[name]
        if symbol.decay is None:
            return self._tensor((p.name, name), along)
        # Of an edge: its own number; of a group: its neuron.
        own = None if symbol.side == "edge" else self.neurons(p, symbol.side)
        tau = self._coefficient(p, symbol.decay, symbol.side, own, along)
        inflow = None
        if symbol.inflow is not None:
            inflow = self._coefficient(p, symbol.inflow, symbol.side, own, along)
        base = self._tensor((p.name, name), along)
        last = self._tensor((p.name, f"{name}@last"), along)
        dt = self._program.dt
        coefficient = (p.name, symbol.decay)

        def read(reach: Reach, clock: Clock) -> Tensor:
            since = clock.step - last(reach, clock)
            # A table only without inflow, whose gain depends on the elapsed time as well.
            table = self._table(coefficient) if inflow is None else None
            if table is not None:
                # The last row is 0, and holds for all later steps.
                row = since.clamp(0, len(table) - 1)
                return base(reach, clock) * table[row]
            # In float64 whatever the precision, and rounded once: as on all engines.
            elapsed = since.to(torch.float64) * dt
            exponent = -elapsed / tau(reach, clock)
            decay = FUNCTIONS["exp"](exponent).to(self._dtype)
            decayed = base(reach, clock) * decay
            if inflow is None:
                return decayed
            gain = (elapsed * FUNCTIONS["expm1_ratio"](exponent)).to(self._dtype)
            return decayed + inflow(reach, clock) * gain

        return read

    def neurons(self, p: PlasticProjection, side: Domain) -> Tensor:
        """Return the neuron of each delay group of a side, (G,) int64."""
        return self._index(p, f"neurons of {side}", lambda: p.groups(side).neuron)

    def groups_of_edges(self, p: PlasticProjection, side: Domain) -> Tensor:
        """Return the delay group of each edge on a side, (E,) int64."""
        return self._index(p, f"groups of {side}", lambda: p.groups(side).of_edge)

    # ---- parts

    def _table(self, coefficient: tuple[str, str]) -> Tensor | None:
        if coefficient not in self._tables:
            self._tables[coefficient] = self._decays.find(self._samples.tensors[coefficient])
        return self._tables[coefficient]

    def _index(self, p: PlasticProjection, name: str, array: Callable[[], np.ndarray]) -> Tensor:
        key = (p.name, name)
        if key not in self._indices:
            self._indices[key] = whole_numbers(array(), self._samples.device)
        index = self._indices[key]
        assert index is not None
        return index

    def _tensor(self, key: tuple[str, str], along: Along) -> Read:
        # Looked up when it is read: the host may replace it between two stretches.
        tensors = self._samples.tensors
        return lambda reach, clock: gather(tensors[key], along, reach)

    def _coefficient(
        self,
        p: PlasticProjection,
        name: str,
        side: Domain,
        own: Along,
        along: Along,
    ) -> Read:
        symbol = p.symbols.get(name)
        if symbol is None or symbol.side == "one":
            return self._tensor((p.name, name), None)
        if symbol.side == "edge" or side != "edge":
            return self._tensor((p.name, name), compose(own, along))
        return self._tensor((p.name, name), compose(self.ends(p, symbol.side), along))

    def ends(self, p: PlasticProjection, side: Domain) -> Tensor:
        """Return the neuron of each edge on a side, (E,) int64."""
        return self._index(p, f"ends at {side}", lambda: p.sources if side == "pre" else p.targets)

    def _find(self, p: PlasticProjection, name: str, side: Domain) -> Read:
        symbol = p.symbols.get(name)
        if symbol is None or (symbol.side == "one" and symbol.role == "parameter"):
            if name == "dt":
                return lambda reach, clock: clock.dt
            return self._tensor((p.name, name), None)
        if symbol.role == "word" and symbol.side == "one":
            return self._shared_word(p, name)
        if symbol.role == "variable":
            along = None
            if side == "edge" and symbol.side != "edge":
                along = self.groups_of_edges(p, symbol.side)
            return self.variable(p, name, along)
        return self._value_of(p, symbol, self._neuron(p, symbol, side))

    def read_at_neurons(self, p: PlasticProjection, name: str) -> Read:
        """Return the function that reads a name, but for variables, for neurons of its own side.

        Parameters
        ----------
        p : PlasticProjection
        name : str
        """
        key = (p.name, name, "neurons")
        if key not in self._reads:
            symbol = p.symbols.get(name)
            if symbol is None or (symbol.side == "one" and symbol.role in ("parameter", "word")):
                self._reads[key] = self._find(p, name, "edge")
            else:
                self._reads[key] = self._value_of(p, symbol, None)
        return self._reads[key]

    def _value_of(self, p: PlasticProjection, symbol: Symbol, neuron: Along) -> Read:
        """Return the reading of a symbol; ``neuron`` is that of each element, None: itself."""
        name = symbol.name
        if symbol.role == "word":
            return self._numbers(p, symbol.side, neuron)
        if symbol.role == "parameter":
            return self._tensor((p.name, name), neuron)
        if symbol.role == "cell":
            owner = p.source if symbol.side == "pre" else p.target
            return self._of_owner(owner, symbol.origin, neuron)
        return self._linked(p, name, symbol, neuron)

    def _linked(
        self,
        p: PlasticProjection,
        name: str,
        symbol: Symbol,
        neuron: Along,
    ) -> Read:
        link = p.links[name]
        index = None if link.index is None else whole_numbers(link.index, self._samples.device)
        if symbol.side != "one":
            return self._of_owner(link.owner, link.name, compose(index, neuron))
        read = self._of_owner(link.owner, link.name, index)

        def shared(reach: Reach, clock: Clock) -> Tensor:
            values = read(Reach(), clock)
            # One value of each sample, for all its elements.
            return gather(values[:, :1], None, reach)

        return shared

    def _neuron(self, p: PlasticProjection, symbol: Symbol, side: Domain) -> Along:
        """Return the neuron, or edge, by which a symbol is read at edges or delay groups."""
        if symbol.side in ("edge", "one"):
            return None
        return self.ends(p, symbol.side) if side == "edge" else self.neurons(p, symbol.side)

    def _shared_word(self, p: PlasticProjection, name: str) -> Read:
        sizes = {"N_pre": p.source, "N_post": p.target}
        if name in sizes:
            size = float(self._program.populations[sizes[name]].size)
            return lambda reach, clock: torch.full_like(clock.dt, size)
        if name == "t":
            return lambda reach, clock: clock.t
        return lambda reach, clock: clock.dt

    def _numbers(self, p: PlasticProjection, side: Domain, neuron: Along) -> Read:
        if neuron is None:
            owner = p.source if side == "pre" else p.target
            size = self._program.populations[owner].size
            neuron = torch.arange(size, device=self._samples.device)
        numbers = neuron.to(self._dtype)

        def read(reach: Reach, clock: Clock) -> Tensor:
            return numbers if reach.element is None else numbers[reach.element]

        return read

    def _of_owner(self, owner: str, name: str, along: Along) -> Read:
        """Return the reading of a state or parameter of a population, or a value of a rule."""
        plastic = self._program.plastic.get(owner)
        if plastic is not None:
            if plastic.symbols[name].role == "variable":
                return self.variable(plastic, name, along)
            return self._tensor((owner, name), along)
        population = self._populations[owner]
        return lambda reach, clock: gather(population.value(name, clock.step), along, reach)


def compose(outer: Along, inner: Along) -> Along:
    """Return the index that applies ``inner`` first, then ``outer``."""
    if outer is None:
        return inner
    return outer if inner is None else outer[inner]


def draw_indices(reach: Reach, along: Tensor) -> Tensor:
    """Return the indices of random numbers: of a side's elements, or of those reached."""
    return along if reach.element is None else along[reach.element]


def draw_replicas(reach: Reach, replicas: Any) -> Any:
    """Return the replica words of a reach: one for each sample, or for each element."""
    if reach.element is None or reach.sample is None:
        return replicas
    return replicas[:, 0][reach.sample]
