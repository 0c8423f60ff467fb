"""The user's cell in symbols: derivatives, threshold, reset, and what a weight does at each port."""

from __future__ import annotations

import sympy

from neurosim.expr.tree import Binary, Name, draws, names
from neurosim.model.cell import Cell
from neurosim.units import NUMBER

from .algebra import Symbolic, Unmatched, after, symbol, symbolic


class OwnCell:
    """A cell in symbols; parameters of ``zero`` are 0, and so are the inputs that jump no state."""

    def __init__(self, cell: Cell, zero: frozenset[str]) -> None:
        self.cell = cell
        if cell.spike is None:
            raise Unmatched(
                "it never spikes, and every standard cell does. Record what it would sum, and sum it afterwards."
            )
        self.states = tuple(s.name for s in cell.states)
        moving = [s.name for s in cell.states if s.derivative is None]
        if moving:
            what = (
                "only its step statements change it"
                if cell.step is not None
                else "only events change it"
            )
            raise Unmatched(
                f"state {moving[0]!r} has no derivative ({what}). Write the equation beside the statements."
            )
        self.inputs = {
            name for name, port in cell.receives if port.into is None and name not in self.states
        }
        gone = {symbol(n): sympy.Integer(0) for n in (*zero, *self.inputs)}
        self.definitions = {d.name: d.tree for d in cell.definitions}
        self.known = self._written_out()
        self.derivatives = {
            s.name: sympy.expand(symbolic(s.derivative, self.known)).subs(gone) for s in cell.states
        }
        for name, tree in self.derivatives.items():
            wild = sorted(
                s.name
                for s in tree.free_symbols
                if "@" in s.name or s.name in ("t", "dt", "i", "N")
            )
            if wild:
                what = "a random number" if "@" in wild[0] else repr(wild[0])
                raise Unmatched(
                    f"the equation of {name!r} reads {what}, which no standard cell does."
                )
        self.reset = after(cell.after_spike, self.known)
        self.jumps = {name: self._jump(name) for name, _ in cell.receives}

    def _written_out(self) -> dict[str, Symbolic]:
        done: dict[str, Symbolic] = {}
        while len(done) < len(self.definitions):
            for name, tree in self.definitions.items():
                if name not in done and not names(tree) & (self.definitions.keys() - done.keys()):
                    done[name] = symbolic(tree, done)
        return done

    def _jump(self, port: str) -> tuple[str, Symbolic] | None:
        """Return the state that a weight jumps, and the factor, after ``into`` or after the step statements."""
        into = self.cell.port(port).into
        if into is not None:
            return into, sympy.Integer(1)
        for state, result in (
            after(self.cell.step or (), self.known).items() if self._calm() else ()
        ):
            factor = sympy.diff(result, symbol(port)) if state in self.states else sympy.Integer(0)
            if (
                factor != 0
                and not factor.free_symbols & {symbol(s) for s in self.states}
                and state != "v"
            ):
                whole = sympy.limit(factor, symbol("dt"), 0)
                return (state, sympy.simplify(factor)) if whole == 1 else None
        return None

    def _calm(self) -> bool:
        return self.cell.step is not None and not any(draws(s.value) for s in self.cell.step)

    @property
    def threshold(self) -> tuple[str, Symbolic]:
        """Return the state that is compared, and with what."""
        match self.cell.spike:
            case Binary(op=">" | ">=", left=Name(name=name), right=right) if (
                name in self.states and not draws(right)
            ):
                return name, symbolic(right, self.known)
        raise Unmatched("its spike is not of the form 'v >= threshold'. Write it so.")

    @property
    def candidates(self) -> list[tuple[str, Symbolic, tuple]]:
        """Return parameters and numbers of the cell, with their units."""
        found = [(p.name, symbol(p.name), p.unit.exponents) for p in self.cell.parameters]
        numbers = {n for tree in self.derivatives.values() for n in tree.atoms(sympy.Number)}
        return found + [
            (str(n), s * n, NUMBER) for n in sorted(numbers, key=float) for s in (1, -1)
        ]
