"""Names of a rule in Brian 2's code: variables with closed forms, parameters, links, states."""

from __future__ import annotations

import numpy as np

from neurosim.ir.memory import Key
from neurosim.ir.program import PlasticProjection, Program

from .sites import Site, Store
from .text import STEP


class Members(Site):
    """The edges of a projection, or the delay groups of one side.

    Attributes
    ----------
    side : {"edge", "pre", "post"}
    neuron, group_of : mapping of str to (M,) int64
        By side, the neuron and the delay group of each member.
    number : (M,) int64
        Numbers of the members in random draws: the edge, or the neuron.
    """

    def __init__(
        self,
        store: Store,
        side: str,
        neuron: dict[str, np.ndarray],
        group: dict[str, np.ndarray],
    ) -> None:
        super().__init__(store, next(iter(neuron.values())).size)
        self.side = side
        self.neuron = neuron
        self.group_of = group
        self.number = np.arange(self.size) if side == "edge" else neuron[side]


class Names:
    """The names of one rule."""

    def __init__(self, p: PlasticProjection, program: Program, store: Store) -> None:
        self.p = p
        self.program = program
        self.store = store

    def __call__(self, name: str, members: Members) -> str:
        """Return the text that reads a name for the members over which a statement runs."""
        symbol = self.p.symbols.get(name)
        populations = self.program.populations
        words = {
            "t": f"({STEP} * {self.program.dt!r})",
            "dt": repr(self.program.dt),
            "N_pre": repr(float(populations[self.p.source].size)),
            "N_post": repr(float(populations[self.p.target].size)),
        }
        # A rule may declare a name such as t itself; then it is not the word of the language.
        if name in words and (symbol is None or symbol.role == "word"):
            return words[name]
        if symbol is None or (symbol.role == "parameter" and symbol.side == "one"):
            return members.read((self.p.name, name))
        if symbol.role == "variable":
            return self._variable(
                self.p,
                name,
                members,
                None if symbol.side == members.side else members.group_of[symbol.side],
            )
        # None for edges: a value per edge is read by the member itself.
        at = members.neuron.get(symbol.side)
        match symbol.role:
            case "word":
                return members.constant(name, members.neuron[symbol.side].astype(np.float64))
            case "parameter":
                return members.read((self.p.name, name), at)
            case "cell":
                return self._of(
                    self.p.source if symbol.side == "pre" else self.p.target,
                    symbol.origin,
                    members,
                    at,
                )
        link = self.p.links[name]
        if symbol.side == "one":
            at = np.full(members.size, link.index)
        elif link.index is not None:
            at = link.index if at is None else link.index[at]
        return self._of(link.owner, link.name, members, at)

    def _variable(
        self,
        p: PlasticProjection,
        name: str,
        members: Members,
        at: np.ndarray | None,
    ) -> str:
        """Return the value of a variable now: the last assigned one, or its closed form since."""
        symbol = p.symbols[name]
        base = members.read((p.name, name), at)
        if symbol.decay is None:
            return base
        last = members.read((p.name, f"{name}@last"), at)
        owners = np.arange(members.size) if at is None else at
        # Variables are held per delay group, coefficients per neuron.
        if symbol.side != "edge":
            owners = p.groups(symbol.side).neuron[owners]
        tau = members.read((p.name, symbol.decay), owners)
        elapsed = f"({STEP} - {last}) * {self.program.dt!r}"
        exponent = f"-({elapsed}) / {tau}"
        if symbol.inflow is None:
            return f"({base} * exp_fn({exponent}))"
        inflow = members.read((p.name, symbol.inflow), owners)
        gain = f"(({elapsed}) * expm1_ratio_fn({exponent}))"
        return f"({base} * exp_fn({exponent}) + {inflow} * {gain})"

    def _of(
        self,
        owner: str,
        name: str,
        members: Members,
        at: np.ndarray | None,
    ) -> str:
        """Return a state, parameter or variable of a population or projection, at neurons."""
        key: Key = (owner, name)
        if owner in self.program.projections:
            p = self.program.plastic[owner]
            return (
                self._variable(p, name, members, at)
                if p.symbols[name].role == "variable"
                else members.read(key, at)
            )
        if name in self.program.populations[owner].code.tables:
            return members.refer(
                self.store.table(key), None if at is None else members.constant("at", at)
            )
        return members.read(key, at)
