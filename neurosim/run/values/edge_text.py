"""Text that `Run.set` gives to edges and drives: an expression over what they have now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from ...draws.values import Distribution
from ...errors import ModelError, NetworkError
from ...expr.evaluate import evaluate
from ...expr.parse import Parser
from ...expr.tree import Expr, names
from ...ir.memory import Memory
from ...ir.program import Program
from ...model.dependence import require_constant
from ...model.names import Domain
from ...network.populations import Population, View
from ...network.projections import Drive, Projection
from ...network.values.population import is_expression, name_draws, require_dimension
from ...network.wiring.pairs import AXES, Pairs, side_of
from ...units import LENGTH, NUMBER, Exponents, Unit, unit
from ..call_streams import ALL
from .edges import value_of_each_edge
from .text import read_set_text

Sample: TypeAlias = Callable[[np.ndarray, Distribution, str], np.ndarray]
"""Returns random numbers, one for each member, of a draw and its name."""


def read_edge_text(
    owner: Projection | Drive,
    name: str,
    value: Any,
    *,
    declared: Unit,
    program: Program,
    memory: Memory,
    changed: Mapping[str, np.ndarray],
    step: int,
    where: str,
    sample: Sample,
) -> Any:
    """Return the values of an expression in engine units; any other value as it is.

    The names are those of texts over pairs, with what the cells have now, definitions included, and
    the variables and parameters of the rule.

    Parameters
    ----------
    owner : Projection or Drive
        The text of a drive is one over its target neurons.
    name : str
    value : object
        Of a `Run.set`.
    declared : Unit
        Of the name.
    program : Program
    memory : Memory
    changed : mapping
        Parameters of the rule that were given before in the same call.
    step : int
        The step that follows.
    where : str
        Begins messages.
    sample : function
        Returns the numbers of a random draw in the text, one for each member.

    Raises
    ------
    NetworkError
        Unknown names, units that do not fit, text over time, a value per edge for what is shared.
    """
    if isinstance(owner, Drive):
        return read_set_text(
            owner.target,
            name,
            value,
            declared=declared,
            memory=memory,
            changed={},
            step=step,
            where=where,
            sample=partial(sample, owner.target.indices),
        )
    text = _EdgeText(owner, program, memory, changed=changed, step=step)
    try:
        if not is_expression(value, text.words, declared, where):
            return value
        tree = Parser(f"set {owner.name!r}").expression(value, part=name)
        require_constant(tree, where, draws=True)
        tree = require_dimension(tree, value, text.words, declared=declared, where=where)
        tree, drawn = name_draws(tree, name)
    except ModelError as error:
        # Whatever is wrong with a value of `set` is one type of error.
        raise NetworkError(str(error)) from None
    if program.shares_weights(owner.name):
        raise NetworkError(
            f"{where}: found text, and edges share weights, expected one value per shared weight. "
            "Give an array."
        )

    def numbers(members: np.ndarray) -> dict[str, np.ndarray]:
        return {key: sample(members, distribution, key) for key, distribution in drawn.items()}

    return text.values(tree, name, where, draw=numbers)


class _EdgeText:
    """The names that texts over the edges of a projection may read, and their present values."""

    def __init__(
        self,
        owner: Projection,
        program: Program,
        memory: Memory,
        *,
        changed: Mapping[str, np.ndarray],
        step: int,
    ) -> None:
        self._owner = owner
        self._program = program
        self._memory = memory
        self._changed = changed
        self._step = step
        # Of pairs, only what does not depend on a seed is used.
        self._pairs = Pairs(owner.source, owner.target, 0, owner.box)
        self._own = self._own_names()
        self.words: dict[str, Exponents] = {n: NUMBER for n in ("i", "j")}
        self.words |= {n: NUMBER for n in ("i_pre", "i_post", "N_pre", "N_post")}
        if self._pairs.have_positions:
            self.words["distance"] = LENGTH
        for side, population in self._ends().items():
            if population.positions is not None:
                self.words |= {f"{axis}_{side}": LENGTH for axis in AXES}
            cell = population.cell
            for part in (*cell.observable, *cell.states, *cell.parameters):
                self.words[f"{part.name}_{side}"] = part.unit.exponents
        self.words |= {n: exponents for n, (exponents, _) in self._own.items()}

    def _ends(self) -> dict[str, Population]:
        return {"pre": self._owner.source.population, "post": self._owner.target.population}

    def _own_names(self) -> dict[str, tuple[Exponents, Domain]]:
        """Return the variables and parameters of the rule, and the weight without one."""
        rule = self._owner.rule
        if rule is None:
            port = self._owner.target.population.cell.port(str(self._owner.port))
            return {"w": (unit(port.unit).exponents, "edge")}
        pers: dict[str | None, Domain] = {
            None: "one",
            "edge": "edge",
            "source": "pre",
            "target": "post",
        }
        own: dict[str, tuple[Exponents, Domain]] = {
            p.name: (p.unit.exponents, pers[p.per]) for p in rule.parameters
        }
        for side, variables in rule.sides:
            own |= {v.name: (v.unit.exponents, side) for v in variables}
        return own

    def values(
        self,
        tree: Expr,
        name: str,
        where: str,
        *,
        draw: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    ) -> Any:
        """Return the values of an expression for the elements of a name.

        ``draw`` returns the random numbers of members, by the names that the expression reads.
        """
        own_side = self._own[name][1]
        _, members = self._memory.locate(self._owner, name)
        drawn = draw(ALL if own_side == "one" else members)
        side = own_side
        # Edges may read both ends; an end has many edges, and cannot read one of them.
        if side != "edge":
            self._require_side(names(tree) - drawn.keys(), side, where)
        if side == "one":
            return float(
                evaluate(
                    tree,
                    lambda n: drawn[n][0] if n in drawn else self._memory[self._owner.name, n][0],
                )
            )
        if side == "edge" or self._of_edges(name):
            p = self._program.projections[self._owner.name]
            ends = {"pre": np.asarray(p.sources), "post": np.asarray(p.targets)}
            read = self._reader(ends, per_edge=True)
        else:
            read = self._reader({side: members}, per_edge=False)
        result = evaluate(tree, lambda n: drawn[n] if n in drawn else read(n))
        return np.array(np.broadcast_to(result, members.size), np.float64)

    def _of_edges(self, name: str) -> bool:
        """Return whether a variable of one end has a value per edge, by the delays of edges."""
        p = self._program.plastic[self._owner.name]
        symbol = p.symbols[name]
        return symbol.role == "variable" and not p.groups(symbol.side).uniform

    def _side(self, name: str) -> Domain | None:
        if name in self._own:
            return self._own[name][1]
        return "one" if name in ("N_pre", "N_post") else side_of(name)

    def _require_side(self, read: Iterable[str], side: Domain, where: str) -> None:
        others = sorted(n for n in read if self._side(n) not in (side, "one"))
        if others:
            neuron = {"pre": "source", "post": "target", "one": "projection"}[side]
            raise NetworkError(
                f"{where}: found {others[0]!r}, which differs between the edges of a {neuron}, "
                f"expected names that have one value per {neuron}. Read others."
            )

    def _reader(self, ends: Mapping[str, np.ndarray], *, per_edge: bool) -> Callable[[str], Any]:
        """Return the function from a name to its values at edges, or at neurons of one end."""

        def read(name: str) -> Any:
            side = self._side(name)
            # Names of the rule win over those of the cells.
            if name in self._own:
                return self._read_own(name, ends, per_edge=per_edge)
            if name == "distance":
                return evaluate(self._pairs.distance, read)
            if name in ("N_pre", "N_post"):
                return float(self._ends()[name.removeprefix("N_")].size)
            neurons = ends[str(side)]
            if name in ("i", "j", "i_pre", "i_post"):
                return neurons.astype(np.float64)
            population = self._ends()[str(side)]
            stem = name.removeprefix("_").removesuffix(f"_{side}")
            cell = population.cell
            # An underscore in front: a position, though a parameter may have its name.
            if name.startswith("_") or stem not in _names_of_cell(population):
                assert population.positions is not None  # else the word is unknown
                return population.positions[neurons, AXES.index(stem)]
            tree = {d.name: d.tree for d in cell.definitions}.get(stem)
            if tree is not None:
                return _read_definition(population, stem, self._memory, self._step)[neurons]
            return _value_now(population, stem, self._memory, self._step)[neurons]

        return read

    def _read_own(self, name: str, ends: Mapping[str, np.ndarray], *, per_edge: bool) -> Any:
        owner = self._owner.name
        if per_edge and name not in self._changed:
            return value_of_each_edge(self._program, self._memory, owner, name, self._step)
        # A value of the same call wins, though it is not assigned yet.
        values = self._changed.get(name)
        if values is None:
            values = self._memory.now(owner, name, self._step - 1)
        side = self._own[name][1]
        if values.size == 1:
            return values[0]
        return values if side == "edge" else values[ends[side]]


def _names_of_cell(population: Population) -> set[str]:
    cell = population.cell
    return {part.name for part in (*cell.definitions, *cell.states, *cell.parameters)}


def _value_now(
    population: Population,
    name: str,
    memory: Memory,
    step: int,
) -> np.ndarray:
    """Return a state or parameter of all neurons, (N,)."""
    key = population.name, name
    table = (population.name, f"{name}@rows") in memory
    values = memory.row(*key, step) if table else memory.now(*key, step - 1)
    return np.broadcast_to(values, population.size)


def _read_definition(
    population: Population,
    name: str,
    memory: Memory,
    step: int,
) -> np.ndarray:
    """Return a definition of all neurons, (N,), of their present states and parameters."""
    view = View(population)
    definition = next(d for d in population.cell.definitions if d.name == name)
    return np.asarray(
        read_set_text(
            view,
            name,
            f"({name})",
            declared=definition.unit,
            memory=memory,
            changed={},
            step=step,
            where=f"definition {name!r} of {population.name!r}",
        )
    )
