"""Equations of cells as those of NIR: leaky or not, with a synaptic current or without, by algebra.

The right sides must be linear. Coefficients are numbers, one or one per neuron, so that two cells
match if their equations are equal, whatever their names and units.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.draws.values import Table
from neurosim.expr.evaluate import evaluate
from neurosim.expr.linear import affine
from neurosim.expr.tree import Assign, Binary, Expr, Name, draws, inline, names
from neurosim.ir.concrete import ConcretePopulation
from neurosim.model.cell import Cell

Values = float | np.ndarray
BIAS = "bias"  # a parameter of this name, added to the input, is the bias of an affine node


class Unmatched(Exception):
    """A reason why a population has no counterpart; the second argument is a remedy."""


@dataclass(frozen=True, eq=False)
class Membrane:
    """The equation of v: tau v' = v_leak - v + r * (I + bias), or v' = r * (I + bias).

    Parameters
    ----------
    tau : ms or None
        None: nothing leaks, and ``r`` is per ms.
    r, v_leak, bias : number or (N,)
    tau_syn, w_in : ms and number, or None
        Of the synaptic current, tau_syn I' = w_in * input - I; None: spikes are the current.
    """

    tau: Values | None
    r: Values
    v_leak: Values
    bias: Values
    tau_syn: Values | None = None
    w_in: Values | None = None


@dataclass(frozen=True, eq=False)
class Firing:
    """A spike if v > threshold, and v = reset after it."""

    threshold: Values
    reset: Values


@dataclass(frozen=True, eq=False)
class NeuronMatch:
    """A population as one node of NIR.

    Parameters
    ----------
    voltage : str
        The state that is v.
    membrane : Membrane
    firing : Firing or None
        None: it never spikes.
    scales : mapping of str to number or (N,)
        Port -> factor by which weights are multiplied.
    initial : (N,)
        Of v.
    """

    voltage: str
    membrane: Membrane
    firing: Firing | None
    scales: Mapping[str, Values]
    initial: np.ndarray


def match_neurons(
    population: ConcretePopulation, ports: Iterable[str], *, dt: float
) -> NeuronMatch:
    """Return a population as a node of NIR.

    Parameters
    ----------
    population : ConcretePopulation
    ports : iterable of str
        That something projects to; others do not matter.
    dt : float, ms

    Raises
    ------
    Unmatched
        If NIR has no node with these equations.
    """
    return _Matcher(population, set(ports), dt=dt).match()


class _Matcher:
    """Compares the equations of one population with NIR's, state by state."""

    def __init__(self, population: ConcretePopulation, ports: set[str], *, dt: float) -> None:
        self._population = population
        self._cell = population.cell
        self._ports = ports
        self._dt = dt
        definitions = {definition.name: definition.tree for definition in self._cell.definitions}
        self._slopes: dict[str, Expr] = {}
        for state in self._cell.states:
            if state.derivative is None:
                raise Unmatched(f"state {state.name!r} has no equation.", "Give it one.")
            self._slopes[state.name] = inline(state.derivative, definitions)
        self._definitions = definitions
        self._free = {port for port, declared in self._cell.receives if declared.into is None}

    def match(self) -> NeuronMatch:
        """Return the match, or raise Unmatched."""
        cell = self._cell
        # The order of these checks is that of reasons: the first one is the one that users read.
        for name, value in self._population.parameters.items():
            if isinstance(value, Table):
                reason = f"{name!r} changes over time, and NIR has constants."
                raise Unmatched(reason, "Give a number.")
        if cell.crossing or cell.pause:
            raise Unmatched("its spike depends on a condition of before.", "Use v >= threshold.")
        # Only to raise: an equation that is not linear is named before its role is asked for.
        for state in self._slopes:
            self._split(state, {*self._slopes, *self._free})
        self._require_no_refractoriness()
        currents = self._currents()
        voltage = self._voltage(currents)
        membrane = self._membrane(voltage, currents)
        firing = None if cell.spike is None else self._firing(voltage)
        scales = {port: self._scale(port, voltage, currents, membrane) for port in self._ports}
        return NeuronMatch(voltage, membrane, firing, scales, self._population.initial[voltage])

    # ---- which state is which

    def _currents(self) -> set[str]:
        """Return the synaptic currents: they read no other state, and another reads them."""
        states = set(self._slopes)
        currents = set()
        for name, slope in self._slopes.items():
            others = states - {name}
            is_free = not names(slope) & others
            if is_free and any(name in names(self._slopes[other]) for other in others):
                currents.add(name)
        return currents

    def _voltage(self, currents: set[str]) -> str:
        """Return the only state that is no current."""
        others = [name for name in self._slopes if name not in currents]
        if len(others) != 1:
            states = ", ".join(map(repr, others)) or "none"
            raise Unmatched(
                f"NIR's neurons have one voltage and at most one current; here {states} are more "
                "or less than one voltage.",
                "Use a leaky cell, without adaptation or recovery.",
            )
        return others[0]

    def _membrane(self, voltage: str, currents: set[str]) -> Membrane:
        slope = self._split(voltage, {voltage, *currents, *self._free})
        leak = -slope.coefficient(voltage)
        leaks = bool(np.any(leak != 0))
        if np.any(leak < 0) or (leaks and np.any(leak == 0)):
            raise Unmatched(f"{voltage!r} grows by itself, or leaks in some neurons only.", "")
        # Multiplied out by the denominator, so that a cell written as NIR's keeps its numbers.
        tau = slope.denominator / leak if leaks else None
        divisor = leak if leaks else slope.denominator
        used = self._used_currents(currents)
        direct = [port for port in self._free & self._ports if np.any(slope.coefficient(port))]
        if used and direct:
            raise Unmatched("spikes reach it by a current and directly.", "Use one port.")
        gains = {name: slope.coefficient(name) for name in [*used, *direct]}
        r = self._common_gain(gains) / divisor
        # The bias is a part of the input of v, or of that of the current.
        rest, bias = self._constant(voltage, {voltage, *currents, *self._free}, slope)
        v_leak = rest / divisor
        # NIR multiplies the bias by r as it does the input; a gain of 0 is no divisor.
        bias = bias / divisor / np.where(r == 0, 1.0, r)
        if not leaks and np.any(v_leak != 0):
            raise Unmatched("it has a constant input and no leak.", "Use 'bias' for it.")
        if not used:
            return Membrane(tau, r, v_leak, bias)
        tau_syn, w_in, bias_of_current = self._synapse(used)
        return Membrane(tau, r, v_leak, bias + bias_of_current, tau_syn, w_in)

    def _constant(self, state: str, variables: set[str], slope: _Slope) -> tuple[Any, Any]:
        """Return the constant part of a slope without the bias, and what the bias adds."""
        if BIAS not in self._population.parameters:
            return slope.rest, np.float64(0.0)
        # Its part is the difference: the equation may multiply the bias by anything constant.
        without = self._split(state, variables, **{BIAS: 0.0})
        return without.rest, slope.rest - without.rest

    def _used_currents(self, currents: set[str]) -> list[str]:
        """Return the currents that something reaches; all must begin at 0."""
        for name in currents:
            if np.any(self._population.initial[name] != 0):
                raise Unmatched(f"{name!r} does not begin at 0.", "Begin at 0.")
        state_of_port = {port: declared.into for port, declared in self._cell.receives}
        used = {state_of_port[port] for port in self._ports}
        # Besides those that a port jumps, those whose equation reads a port or the bias.
        inputs = {*(self._free & self._ports), BIAS}
        return sorted(
            name for name in currents if name in used or names(self._slopes[name]) & inputs
        )

    def _synapse(self, used: list[str]) -> tuple[Values, Values, Any]:
        """Return time constant, w_in and bias of the currents, which must agree."""
        synapses = []
        for name in used:
            slope = self._split(name, {name, *self._free})
            leak = -slope.coefficient(name)
            rest, bias = self._constant(name, {name, *self._free}, slope)
            if np.any(leak <= 0) or np.any(rest != 0):
                raise Unmatched(f"{name!r} does not decay to 0.", "Use dI/dt = -I / tau_syn.")
            tau = slope.denominator / leak
            gains = {port: slope.coefficient(port) for port in self._free}
            gains = {port: gain for port, gain in gains.items() if np.any(gain)}
            # A spike that jumps the current is the input of one step, times tau_syn / dt.
            w_in = self._common_gain(gains) / leak if gains else tau / self._dt
            bias = bias / leak / np.where(w_in == 0, 1.0, w_in)
            synapses.append((tau, w_in, bias))
        first = synapses[0]
        for other in synapses[1:]:
            if any(np.any(value != expected) for value, expected in zip(other, first, strict=True)):
                raise Unmatched(
                    f"{' and '.join(map(repr, used))} differ, and NIR's neurons have one current.",
                    "Give both the same time constant.",
                )
        return first

    def _common_gain(self, gains: Mapping[str, Any]) -> Any:
        """Return the factor of all inputs; a port that is subtracted has the opposite one."""
        sizes = [np.abs(gain) for gain in gains.values()]
        if not sizes:
            return np.float64(1.0)
        if any(np.any(size != sizes[0]) for size in sizes):
            raise Unmatched("its ports act with different factors.", "Put them into the weights.")
        return sizes[0]

    # ---- spikes

    def _firing(self, voltage: str) -> Firing:
        spike = self._cell.spike
        match spike:
            case Binary(op=">" | ">=", left=Name(name=name), right=right) if name == voltage:
                threshold = self._value(right)
            case _:
                raise Unmatched(
                    "its spike condition is another than a threshold of the voltage.",
                    f"Use {voltage} > threshold.",
                )
        return Firing(threshold, self._reset(voltage))

    def _reset(self, voltage: str) -> Values:
        match self._cell.after_spike:
            case (Assign(target=target, op="=", value=tree),) if target == voltage:
                if voltage not in names(inline(tree, self._definitions)):
                    return self._value(tree)
        if any(state.target == voltage for state in self._cell.after_spike):
            raise Unmatched(
                "its reset subtracts or scales; NIR 1.0 can only set v after a spike, and "
                "readers would run another neuron.",
                f"Write after_spike='{voltage} = reset', and train it so.",
            )
        raise Unmatched(
            "after a spike it does something else than set v, and NIR has no word for that.",
            f"Write after_spike='{voltage} = reset'.",
        )

    def _require_no_refractoriness(self) -> None:
        period = self._population.refractory
        if period is None:
            return
        value = self._population.parameters[period] if isinstance(period, str) else period
        if np.any(np.asarray(value) > 0):
            raise Unmatched("it is refractory, and NIR has no such time.", "Set it to 0 ms.")

    # ---- numbers

    def _scale(
        self,
        port: str,
        voltage: str,
        currents: set[str],
        membrane: Membrane,
    ) -> Values:
        """Return the factor of weights: readers hold the input of a spike for one step."""
        state = dict(self._cell.receives)[port].into
        if state is None:
            # The size of the gain is in r or w_in; of the port its sign remains.
            states = (voltage, *currents)
            readers = [name for name in states if port in names(self._slopes[name])]
            if not readers:
                reason = f"no equation reads its port {port!r}."
                raise Unmatched(reason, "Put it into the equations beside the statements.")
            reader = readers[0]
            slope = self._split(reader, {reader, *currents, *self._free})
            sign = np.sign(slope.coefficient(port))
            if reader == voltage:
                return sign
            slope_of_voltage = self._split(voltage, {voltage, *currents, *self._free})
            return sign * np.sign(slope_of_voltage.coefficient(reader))
        if state in currents:
            # w_in of the node says how a spike jumps the current, so that weights stay ours.
            return np.sign(
                self._split(voltage, {voltage, *currents, *self._free}).coefficient(state)
            )
        if membrane.tau is None:
            return 1.0 / (self._dt * membrane.r)
        # The jump has decayed for one step when v is compared with the threshold.
        step = self._dt / np.asarray(membrane.tau)
        remaining = 1.0 - step if self._cell.method == "euler" else np.exp(-step)
        return remaining / step / membrane.r

    def _value(self, tree: Expr) -> Values:
        tree = inline(tree, self._definitions)
        self._require_constant(tree)
        return evaluate(tree, self._read)

    def _require_constant(self, tree: Expr) -> None:
        changing = names(tree) & ({state.name for state in self._cell.states} | {"t"})
        if changing or draws(tree):
            cause = repr(sorted(changing)[0]) if changing else "random numbers"
            raise Unmatched(f"it depends on {cause}, and NIR has constants.", "Use parameters.")

    def _read(self, name: str) -> Any:
        if name == "dt":
            return np.float64(self._dt)
        return np.asarray(self._population.parameters[name], np.float64)

    def _split(self, state: str, variables: set[str], **replaced: float) -> _Slope:
        """Return the slope of a state as a sum over variables; `replaced` holds parameters anew."""
        tree = self._slopes[state]
        denominator: Any = np.float64(1.0)
        if isinstance(tree, Binary) and tree.op == "/" and not names(tree.right) & variables:
            # Kept apart: dividing each coefficient by it would round each of them.
            denominator = self._value(tree.right)
            tree = tree.left
        split = affine(tree, variables)
        if split is None:
            raise Unmatched(
                f"the equation of {state!r} is not linear, as all neurons of NIR are.",
                "Run it on 'cpu', or on 'spinnaker' if it is an Izhikevich cell.",
            )
        coefficients, rest = split
        for constant in (*coefficients.values(), rest):
            self._require_constant(constant)

        def read(name: str) -> Any:
            return np.float64(replaced[name]) if name in replaced else self._read(name)

        numbers = {name: evaluate(factor, read) for name, factor in coefficients.items()}
        return _Slope(numbers, evaluate(rest, read), denominator)


@dataclass(frozen=True, eq=False)
class _Slope:
    """A right side (sum of coefficient * name + rest) / denominator."""

    coefficients: Mapping[str, Any]
    rest: Any
    denominator: Any

    def coefficient(self, name: str) -> Any:
        return np.asarray(self.coefficients.get(name, 0.0), np.float64)


def is_input(cell: Cell, source_spikes: object) -> bool:
    """Return whether a population is a source whose spikes come from outside."""
    if source_spikes is not None:
        return True
    has_equations = any(state.derivative for state in cell.states)
    return not cell.receives and not has_equations
