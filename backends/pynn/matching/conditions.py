"""Conditions under which a cell is a standard cell, for each way to pair the states of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, permutations, product

import sympy

from neurosim.model.declarations import Refractory
from neurosim.quantities import to_engine
from neurosim.units import NUMBER, read, unit

from .algebra import ONE, ZERO, Symbolic, after, symbol, symbolic
from .elimination import UNKNOWN, Condition, PartialMatch, Unknowns
from .standard_cells import StandardCell
from .symbolic_cell import SymbolicCell

_MOST_ORDERS = 800  # orders of states that are tried


@dataclass(frozen=True)
class Pairing:
    """One way to name the states of a cell as those of a standard cell.

    Attributes
    ----------
    cell : SymbolicCell
    standard : StandardCell
    states : dict of str to str
        State of the standard cell -> state of the cell; synaptic states may be missing.
    unknowns : Unknowns
        Symbols of the standard cell's parameters and of the scales of its states.
    values : dict of str to Symbolic
        State or parameter of the standard cell -> expression over the cell's symbols.
    """

    cell: SymbolicCell
    standard: StandardCell
    states: dict[str, str]
    unknowns: Unknowns
    values: dict[str, Symbolic]

    @property
    def missing(self) -> list[str]:
        """States of the standard cell that the cell lacks: they stay 0."""
        return [s.name for s in self.standard.cell.states if s.name not in self.states]


def pairings(cell: SymbolicCell, standard: StandardCell) -> Iterator[Pairing]:
    """Yield all ways to name the cell's states: every one of the cell's gets a name.

    States of the standard cell may stay without counterpart if they are synaptic.
    """
    # The state that the threshold reads is the voltage, whatever its name; the others are permuted.
    voltage, _ = cell.threshold
    others = [s for s in cell.states if s != voltage]
    names = [s.name for s in standard.cell.states if s.name != "v"]
    for chosen in islice(permutations(names, len(others)), _MOST_ORDERS):
        states = {"v": voltage, **dict(zip(chosen, others, strict=True))}
        complete = all(n in states or n in standard.synaptic for n in names)
        if complete and _units_fit(states, cell, standard):
            yield _pairing(states, cell, standard)


def _units_fit(states: Mapping[str, str], cell: SymbolicCell, standard: StandardCell) -> bool:
    """Return whether units allow a pairing; a cell whose voltage has no unit fits everything.

    The scale of synaptic states is free, so that these may have any unit but none.
    """
    # Units exclude most orders at once, long before any equation is compared.
    own = {s.name: s.unit.exponents for s in cell.cell.states}
    theirs = {s.name: s.unit.exponents for s in standard.cell.states}
    if own[states["v"]] == NUMBER:
        return True
    return all(
        own[mine] != NUMBER if name in standard.synaptic else own[mine] == theirs[name]
        for name, mine in states.items()
    )


def _pairing(states: dict[str, str], cell: SymbolicCell, standard: StandardCell) -> Pairing:
    # A synaptic state may be a current here and a multiple of it there, so that its scale is open.
    parameters = {p.name: _unknown(p.name) for p in standard.cell.parameters}
    scales = {s: _unknown(f"scale {s}") if s in standard.synaptic else ONE for s in states}
    absent = [s.name for s in standard.cell.states if s.name not in states]
    values: dict[str, Symbolic] = {s: scales[s] * symbol(mine) for s, mine in states.items()}
    values |= {s: ZERO for s in absent}
    values |= parameters
    return Pairing(cell, standard, states, Unknowns(parameters, scales), values)


def _unknown(name: str) -> sympy.Symbol:
    return symbol(UNKNOWN + name)


def conditions(pairing: Pairing) -> list[Condition]:
    """Return everything that must be zero for a cell to be the standard cell.

    Raises
    ------
    PartialMatch
        If one of the two has a reset or a refractory period that the other lacks.
    """
    pairs = [*_derivatives(pairing), *_events(pairing)]
    return [Condition(c.subject, sympy.sympify(c.expression)) for c in pairs]


def _derivatives(pairing: Pairing) -> Iterator[Condition]:
    theirs = pairing.standard.cell
    scales = pairing.unknowns.scales
    known = dict(pairing.values)
    for definition in theirs.definitions:  # each reads only those before it
        known[definition.name] = symbolic(definition.tree, known)
    trees = {s.name: s.derivative for s in theirs.states if s.derivative is not None}
    for name, mine in pairing.states.items():
        ours = scales[name] * pairing.cell.derivatives[mine]
        yield Condition(f"the equation of {mine!r}", ours - symbolic(trees[name], known))
    # A state that the cell lacks must stay 0 by itself: its derivative at 0 has to be 0.
    for name in pairing.missing:
        yield Condition(
            f"what drives {name!r}, which this cell lacks,", symbolic(trees[name], known)
        )


def _events(pairing: Pairing) -> Iterator[Condition]:
    """Yield conditions under which threshold, reset and refractory period are equal."""
    cell = pairing.cell
    theirs = pairing.standard.cell
    threshold = pairing.standard.threshold
    if threshold is None:  # the target detects spikes in its own way
        if cell.reset:
            raise PartialMatch(0, "it has no reset after a spike, and this cell has one.")
        return
    difference = cell.threshold[1] - symbolic(threshold, pairing.values)
    yield Condition("the threshold", difference)
    yield from _resets(pairing)
    refractory = cell.cell.refractory
    if theirs.refractory is not None:
        period = _refractory_period(refractory, pairing.states["v"])
        difference = period - pairing.values["tau_refrac"]
        yield Condition("the refractory period", difference)
    elif refractory is not None:
        raise PartialMatch(2, "it has no refractory period, and this cell has one.")


def _resets(pairing: Pairing) -> Iterator[Condition]:
    cell = pairing.cell
    theirs = after(pairing.standard.cell.after_spike, pairing.values)
    ours = {state: result for state, result in cell.reset.items() if state in cell.states}
    standard_names = {mine: name for name, mine in pairing.states.items()}
    for state in ours:
        name = standard_names[state]
        if name not in theirs:
            raise PartialMatch(0, f"after a spike it does not change what is {state!r} here.")
    for name, result in theirs.items():
        if name not in pairing.states:
            continue  # it stays 0, so that its reset changes nothing
        mine = pairing.states[name]
        if mine not in ours:
            raise PartialMatch(0, f"it resets {name!r} after a spike, and this cell does not.")
        yield Condition(f"the reset of {mine!r}", ours[mine] - result)


def _refractory_period(refractory: Refractory | None, voltage: str) -> Symbolic:
    """Return the length of a refractory period that freezes the voltage alone; 0 for none."""
    if refractory is None:
        return ZERO
    if set(refractory.freezes) != {voltage}:
        frozen = ", ".join(refractory.freezes) or "nothing"
        raise PartialMatch(
            2,
            "it freezes the voltage and nothing else while refractory, "
            f"and this cell freezes {frozen}.",
        )
    time = refractory.time
    if isinstance(time, str) and read(time) is None:
        return symbol(time)  # a parameter
    milliseconds = to_engine(time, unit("ms"), where="refractory")
    # By its digits, as numbers of equations are: 0.1 ms is 1/10, not the float next to it.
    return sympy.Rational(repr(float(milliseconds)))


def trials(pairing: Pairing) -> Iterator[dict[sympy.Symbol, Symbolic]]:
    """Yield choices for parameters within functions of v: these cannot be solved for.

    Yields
    ------
    dict
        unknown -> expression over the cell's parameters; empty if there is nothing to choose
    """
    standard = pairing.standard
    units = {p.name: p.unit.exponents for p in standard.cell.parameters}
    options = [
        [
            candidate.expression
            for candidate in pairing.cell.candidates
            if candidate.exponents in (units[name], NUMBER) and candidate.expression != 0
        ]
        for name in standard.searched
    ]
    symbols = [pairing.unknowns.parameters[name] for name in standard.searched]
    for chosen in product(*options):
        yield dict(zip(symbols, chosen, strict=True))
