"""Parameters of cells that a rule reads, by its own names for them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...draws.values import Table
from ...expr.tree import Expr, Name, inline, names, substitute
from ...model.declarations import Constant
from ..edges import IntArray
from ..populations import Population, View
from ..projections import Projection


@dataclass(frozen=True, eq=False)
class CellParameter:
    """A parameter of a population, as the edges of a projection read it.

    Attributes
    ----------
    population : Population
    name : str
        Within its cell.
    constant : Constant
        Under the name that it has in the rule, per source or target neuron, or one for all.
    neurons : indices or None
        Neuron of the population that each neuron of the end reads, or all edges; None: its own.
    """

    population: Population
    name: str
    constant: Constant
    neurons: IntArray | None = None

    def spread(self, value: object) -> object:
        """Return a value of the whole population in the order of the end that reads it."""
        if self.neurons is None:
            return value
        if isinstance(value, Table):
            rows = np.asarray(value.values)
            return replace(value, values=rows[:, self.neurons]) if rows.ndim == 2 else value
        if isinstance(value, np.ndarray) and value.ndim and value.shape[-1] > 1:
            return value[..., self.neurons]
        return value


def described_value(population: Population, name: str) -> object:
    """Return the value of a parameter as the network describes it, in engine units.

    Parameters
    ----------
    population : Population
    name : str
    """
    return population.values.get(name, population.cell.parameter(name).value)


def parameters_of_cells(projection: Projection) -> dict[str, CellParameter]:
    """Return the parameters of cells that a rule may read, by the rule's names.

    Those of both ends, and of any population by links that are no choice of single edges.

    Parameters
    ----------
    projection : Projection
    """
    read: dict[str, CellParameter] = {}
    for end, view, per in (
        ("pre", projection.source, "source"),
        ("post", projection.target, "target"),
    ):
        for p in view.population.cell.parameters:
            constant = replace(p, name=f"{p.name}_{end}", per=per)
            read[constant.name] = CellParameter(view.population, p.name, constant)
    for symbol in projection.links:
        linked = _linked(projection, symbol)
        if linked is not None:
            read[symbol] = linked
    # A name of the rule wins over that of a cell.
    own = projection.rule
    if own is not None:
        for part in (*own.variables, *own.parameters, *own.definitions):
            read.pop(part.name, None)
    return read


def definitions_of_cells(projection: Projection) -> dict[str, Expr]:
    """Return the definitions of the cells at both ends, over parameters that the rule could read.

    Parameters
    ----------
    projection : Projection
    """
    trees: dict[str, Expr] = {}
    for end, view in (("pre", projection.source), ("post", projection.target)):
        cell = view.population.cell
        own = {d.name: d.tree for d in cell.definitions}
        parameters = {p.name for p in cell.parameters}
        for d in cell.definitions:
            tree = inline(d.tree, own)
            if names(tree) <= parameters:
                renamed = {name: Name(f"{name}_{end}") for name in names(tree)}
                trees[f"{d.name}_{end}"] = substitute(tree, renamed)
    return trees


def _linked(projection: Projection, symbol: str) -> CellParameter | None:
    """Return the parameter to which a link refers; None: it is another value, or one per edge."""
    reference = projection.links[symbol]
    assert projection.bound is not None  # a rule has links once it is bound
    side = projection.bound.symbols[symbol].side
    owner = reference.owner
    if not isinstance(owner, View) or side == "edge":
        return None
    parameter = next(
        (p for p in owner.population.cell.parameters if p.name == reference.name), None
    )
    if parameter is None:
        return None
    if side == "one":
        constant = replace(parameter, name=symbol, per=None)
        return CellParameter(owner.population, parameter.name, constant, owner.indices[:1])
    view = projection.source if side == "pre" else projection.target
    # Neurons outside of the view read the first one, as they do in a run.
    neurons = np.zeros(view.population.size, np.int32)
    chosen = owner.indices if reference.which is None else owner.indices[reference.which]
    neurons[view.indices] = chosen
    constant = replace(parameter, name=symbol, per="source" if side == "pre" else "target")
    return CellParameter(owner.population, parameter.name, constant, neurons)
