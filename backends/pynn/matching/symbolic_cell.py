"""The user's cell in symbols: derivatives, threshold, reset, and the states that ports change."""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from neurosim.expr.tree import Binary, Expr, Name, draws, names
from neurosim.model.cell import Cell
from neurosim.model.declarations import State
from neurosim.units import NUMBER, Exponents

from .algebra import (
    ONE,
    ZERO,
    Symbolic,
    Unmatched,
    after,
    free_names,
    simplify,
    substitute,
    symbol,
    symbolic,
)

_SURROUNDINGS = ("t", "dt", "i", "N")  # names that the language offers and standard cells lack


@dataclass(frozen=True)
class Jump:
    """A state to which weights of a port are added, and the factor that they are multiplied by."""

    state: str
    factor: Symbolic


@dataclass(frozen=True)
class Candidate:
    """A parameter or number of the cell, which may be a parameter of a standard cell."""

    expression: Symbolic
    exponents: Exponents


class SymbolicCell:
    """A cell in symbols.

    Attributes
    ----------
    cell : Cell
    states : tuple of str
        Names of its states.
    derivatives : dict of str to Symbolic
        State -> expression over states and parameters.
    reset : dict of str to Symbolic
        Assigned name -> expression over the values before a spike.
    jumps : dict of str to Jump or None
        Port -> state that a weight jumps; None for a port that jumps no state.

    Raises
    ------
    Unmatched
        If no standard cell can be equal to it: it never spikes, a state has no derivative, or an
        equation reads a random number, the time or the index of the neuron.
    """

    def __init__(self, cell: Cell, zero: frozenset[str]) -> None:
        """Translate a cell; parameters in ``zero`` are 0, and so are inputs that jump no state."""
        # Asked first, since it costs nothing.
        if cell.spike is None:
            raise Unmatched(
                "it never spikes, and every standard cell does. "
                "Record what it would sum, and sum it afterwards."
            )
        if cell.crossing or cell.pause is not None:
            raise Unmatched(
                "its spikes need a condition to begin, or pause while one holds, which no standard "
                "cell expresses. Write a refractory time."
            )
        self.cell = cell
        self.states = tuple(s.name for s in cell.states)
        derivatives = {s.name: _derivative(cell, s) for s in cell.states}
        self._known = _expand_definitions(cell)
        # An input that jumps no state is 0 unless something projects to it: such a projection is
        # refused by its own row, and the cell without it may still match.
        inputs = {
            name for name, port in cell.receives if port.into is None and name not in self.states
        }
        zeros = {symbol(name): ZERO for name in (*zero, *inputs)}
        self.derivatives = {
            name: substitute(sympy.expand(symbolic(tree, self._known)), zeros)
            for name, tree in derivatives.items()
        }
        for name, derivative in self.derivatives.items():
            _require_own_names(name, derivative)
        self.reset = after(cell.after_spike, self._known)
        self.jumps = {name: self._jump(name) for name, _ in cell.receives}

    def _jump(self, port: str) -> Jump | None:
        """Return the state that a weight jumps, by ``into`` or by the step statements."""
        into = self.cell.port(port).into
        if into is not None:
            return Jump(into, ONE)
        step = self.cell.step
        # Statements that draw have no fixed effect of a weight.
        if step is None or any(draws(statement.value) for statement in step):
            return None
        states = {symbol(s) for s in self.states}
        for state, result in after(step, self._known).items():
            # v moves too, since it integrates the state that jumped in the same step.
            if state not in self.states or state == "v":
                continue
            factor = sympy.diff(result, symbol(port))
            if factor == 0 or factor.free_symbols & states:
                continue
            # A statement that decays in closed form adds the weight once in the limit of small dt.
            if sympy.limit(factor, symbol("dt"), 0) != 1:
                return None
            return Jump(state, simplify(factor))
        return None

    @property
    def threshold(self) -> tuple[str, Symbolic]:
        """The state that is compared, and the expression that it is compared with."""
        match self.cell.spike:
            case Binary(op=">" | ">=", left=Name(name=name), right=right) if (
                name in self.states and not draws(right)
            ):
                return name, symbolic(right, self._known)
        raise Unmatched("its spike is not of the form 'v >= threshold'. Write it so.")

    @property
    def candidates(self) -> list[Candidate]:
        """Parameters and numbers of the cell, with their units."""
        parameters = [Candidate(symbol(p.name), p.unit.exponents) for p in self.cell.parameters]
        numbers = {n for tree in self.derivatives.values() for n in tree.atoms(sympy.Number)}
        # With both signs: sympy stores -v/5 as a product with -1/5. Sorted, since sets have no
        # order and the first candidate that fits is taken.
        signed = [sign * n for n in sorted(numbers, key=float) for sign in (1, -1)]
        return parameters + [Candidate(n, NUMBER) for n in signed]


def _expand_definitions(cell: Cell) -> dict[str, Symbolic]:
    """Return every definition of a cell as an expression without definitions."""
    # Definitions may stand in any order; the language has made sure that they form no circle.
    trees = {d.name: d.tree for d in cell.definitions}
    expanded: dict[str, Symbolic] = {}
    while len(expanded) < len(trees):
        waiting = trees.keys() - expanded.keys()
        for name, tree in trees.items():
            if name in waiting and not names(tree) & waiting:
                expanded[name] = symbolic(tree, expanded)
    return expanded


def _derivative(cell: Cell, state: State) -> Expr:
    if state.derivative is not None:
        return state.derivative
    cause = "events change" if cell.step is None else "its step statements change"
    raise Unmatched(
        f"state {state.name!r} has no derivative (only {cause} it). "
        "Write the equation beside the statements."
    )


def _require_own_names(state: str, derivative: Symbolic) -> None:
    """Raise Unmatched if a derivative reads anything but states and parameters."""
    foreign = sorted(n for n in free_names(derivative) if "@" in n or n in _SURROUNDINGS)
    if foreign:
        reads = "a random number" if "@" in foreign[0] else repr(foreign[0])
        raise Unmatched(f"the equation of {state!r} reads {reads}, which no standard cell does.")
