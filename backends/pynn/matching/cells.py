"""Matching a cell to a standard cell of PyNN, up to renaming and units."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sympy

from neurosim.model.cell import Cell

from .algebra import ONE, Symbolic, Unmatched, free_names, simplify
from .conditions import Pairing, conditions, pairings, trials
from .elimination import PartialMatch, eliminate
from .standard_cells import STANDARD_CELLS, StandardCell
from .symbolic_cell import SymbolicCell


@dataclass(frozen=True)
class CellMatch:
    """A cell as a standard cell.

    Attributes
    ----------
    standard : StandardCell
    states : dict of str to str
        State of the standard cell -> state of the cell; states that the cell lacks are missing.
    scales : dict of str to Symbolic
        State of the standard cell -> factor that the cell's state is multiplied by.
    parameters : dict of str to Symbolic or None
        Parameter of the standard cell -> expression over the cell's parameters, or None if it may
        have any value.
    ports : dict of str to tuple of str
        Port of the cell -> receptors that its weights may go to.
    jumps : dict of str to Symbolic
        Port -> factor by which a ``step`` statement multiplies its weight, over dt too.
    unread : tuple of str
        Parameters of the cell that nothing of the standard cell depends on.
    """

    standard: StandardCell
    states: dict[str, str]
    scales: dict[str, Symbolic]
    parameters: dict[str, Symbolic | None]
    ports: dict[str, tuple[str, ...]]
    jumps: dict[str, Symbolic]
    unread: tuple[str, ...]

    def scale(self, receptor: str) -> Symbolic:
        """Return the factor that a weight is multiplied by on its way to a receptor."""
        return self.scales.get(self.standard.receptors[receptor], ONE)


def match_cell(cell: Cell, target: str, *, zero: Collection[str] = ()) -> CellMatch:
    """Return the standard cell of a target that a cell is, up to renaming and units.

    Parameters
    ----------
    cell : Cell
        To be matched.
    target : str
        Name of the target, whose standard cells are tried.
    zero : collection of str
        Parameters that are 0 for all neurons: expressions that they multiply may be anything.

    Raises
    ------
    Unmatched
        With the reason for the standard cell that came closest.
    """
    own = SymbolicCell(cell, frozenset(zero))
    failures: list[tuple[int, str]] = []
    incomplete: CellMatch | None = None
    # The first complete match is taken; one that lacks a port only if none is complete.
    for standard in STANDARD_CELLS:
        if target not in standard.targets:
            continue
        try:
            match = _match_standard(own, standard)
        except PartialMatch as error:
            failures.append((error.progress, f"closest is {standard.name}: {error}"))
        # Sympy gives up on some equations; that is no proof of a difference, but no match either.
        except (NotImplementedError, sympy.PolynomialError):
            reason = "its equations are beyond what can be compared."
            failures.append((0, f"closest is {standard.name}: {reason}"))
        else:
            if all(match.ports.values()):
                return match
            incomplete = incomplete or match
    if incomplete is not None:
        return incomplete  # a port has no counterpart: only projections to it are refused
    # Users know which cell they meant: the reason of the one that came closest helps most.
    raise Unmatched(max(failures, key=lambda failure: failure[0])[1])


def _match_standard(cell: SymbolicCell, standard: StandardCell) -> CellMatch:
    """Return the match with one standard cell, by the first naming of states that works."""
    # Trying candidates within exponentials is slow; a cell without any cannot match.
    if standard.searched and not any(d.has(sympy.exp) for d in cell.derivatives.values()):
        raise PartialMatch(0, "it has exponentials of v, and this cell has none.")
    theirs = ", ".join(s.name for s in standard.cell.states)
    ours = ", ".join(cell.states)
    best = PartialMatch(
        int(_resets_alike(cell, standard)),
        f"it has the states {theirs} there, and this cell has {ours}.",
    )
    for pairing in pairings(cell, standard):
        try:
            return _match_pairing(pairing)
        except PartialMatch as error:
            best = max(best, error, key=lambda e: e.progress)
    raise best


def _resets_alike(cell: SymbolicCell, standard: StandardCell) -> bool:
    """Return whether both reset as many states: a sign that the standard cell is the closest."""
    reset = cell.reset.keys() & set(cell.states)
    return standard.cell.spike is not None and len(reset) == len(standard.cell.after_spike)


def _match_pairing(pairing: Pairing) -> CellMatch:
    """Return the match for one naming of the states."""
    equations = conditions(pairing)
    best: PartialMatch | None = None
    # Failed trials are kept apart by their progress: the report shows the best one.
    for trial in trials(pairing):
        try:
            solution = eliminate(
                [equation.substitute(trial) for equation in equations],
                pairing.cell,
                pairing.unknowns,
            )
        except PartialMatch as error:
            best = error if best is None or error.progress > best.progress else best
        else:
            return _cell_match(pairing, {**trial, **solution})
    raise best or PartialMatch(0, "nothing fits.")


def _cell_match(pairing: Pairing, solution: Mapping[sympy.Symbol, Symbolic]) -> CellMatch:
    cell = pairing.cell
    standard = pairing.standard
    states = dict(pairing.states)
    scales = {
        name: simplify(solution.get(scale, ONE) if isinstance(scale, sympy.Symbol) else scale)
        for name, scale in pairing.unknowns.scales.items()
    }
    parameters = {
        name: simplify(solution[unknown]) if unknown in solution else None
        for name, unknown in pairing.unknowns.parameters.items()
    }
    # Without it, negative weights of the one port would have no receptor to go to.
    if standard.signed and standard.twins:
        _serve_both_receptors(standard, states, scales, parameters)
    jumps = {port: jump for port, jump in cell.jumps.items() if jump is not None}
    ports = {
        port: tuple(r for r, state in standard.receptors.items() if states.get(state) == jump.state)
        for port, jump in jumps.items()
    }
    expressions = [e for e in (*parameters.values(), *scales.values()) if e is not None]
    read = {name for expression in expressions for name in free_names(expression)}
    return CellMatch(
        standard,
        states=states,
        scales=scales,
        parameters=parameters,
        ports=ports,
        jumps={port: jump.factor for port, jump in jumps.items()},
        unread=tuple(p.name for p in cell.cell.parameters if p.name not in read),
    )


def _serve_both_receptors(
    standard: StandardCell,
    states: dict[str, str],
    scales: dict[str, Symbolic],
    parameters: dict[str, Symbolic | None],
) -> None:
    """Let the one synapse of a cell stand for both of a standard cell; changes its arguments."""
    inhibitory = {s: s.replace("_exc", "_inh") for s in states if s.endswith("_exc")}
    if set(inhibitory.values()) & states.keys():
        return  # the cell has a state of its own there, which must not be replaced
    for excitatory, twin in inhibitory.items():
        states[twin], scales[twin] = states[excitatory], scales[excitatory]
    for excitatory, twin in standard.twins:
        parameters[twin] = parameters[excitatory]
