"""The pairs of neurons between two views: the names that texts read of them, and their values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ...draws.streams import Stream
from ...draws.values import Table
from ...errors import ModelError, NetworkError, describe, describe_unknown
from ...expr.dimensions import resolve_units
from ...expr.evaluate import evaluate
from ...expr.printing import show
from ...expr.tree import (
    Binary,
    Call,
    Draw,
    Expr,
    Lookup,
    Name,
    Number,
    draws,
    inline,
    names,
    walk,
)
from ...quantities import to_engine
from ...units import LENGTH, NUMBER, Exponents, Quantity, unit
from ..drawn_values import draw_population
from ..edges import Connector
from ..populations import Population, View

FloatArray = NDArray[np.float64]
Side = Literal["pre", "post"]
Box = tuple[float, float, float]
"""Lengths in um after which space repeats along x, y and z; infinite: it does not."""

AXES = "xyz"
_SIDES: tuple[Side, Side] = ("pre", "post")
_WORDS = ("i_pre", "i_post", "N_pre", "N_post")
UM = unit("um")


@dataclass(frozen=True, eq=False)
class Pairs:
    """The pairs of neurons that a projection can join.

    Names of the neurons of a pair: ``i`` and ``j``, the indices of source and target within their
    populations; ``distance``; positions ``x_pre`` to ``z_post``; parameters and initial states of
    both cells, such as ``tau_pre`` and ``v_post``; ``i_pre``, ``i_post``, ``N_pre``, ``N_post``.

    Attributes
    ----------
    source, target : View
    seed : int
        Of the network.
    box : three floats, um, or None
        Lengths after which space repeats along x, y and z; infinite: it does not.
    """

    source: View
    target: View
    seed: int
    box: Box | None = None

    def view(self, side: Side) -> View:
        """Return the sources ("pre") or targets ("post")."""
        return self.source if side == "pre" else self.target

    @property
    def recurrent(self) -> bool:
        """Whether both are neurons of one population."""
        return self.source.population is self.target.population

    @property
    def count(self) -> float:
        """Number of pairs."""
        return float(len(self.source)) * len(self.target)

    @cached_property
    def words(self) -> dict[str, Exponents]:
        """The dimension of each name that texts may read."""
        words: dict[str, Exponents] = {name: NUMBER for name in ("i", "j", *_WORDS)}
        if self.have_positions:
            words["distance"] = LENGTH
        for side in _SIDES:
            population = self.view(side).population
            if population.positions is not None:
                words |= {f"{axis}_{side}": LENGTH for axis in AXES}
            # Names of the cell win over positions, as in texts of the population itself.
            for part in (*population.cell.states, *population.cell.parameters):
                words[f"{part.name}_{side}"] = part.unit.exponents
            # A table has many values, and an edge reads one.
            for name in _tables(population):
                del words[f"{name}_{side}"]
            for name, tree in _definitions(population).items():
                if _lasts(tree, population):
                    words[f"{name}_{side}"] = _exponents_of(population, name)
        return words

    @property
    def have_positions(self) -> bool:
        """Whether a pair has a distance."""
        ends = self.source.population, self.target.population
        return all(population.positions is not None for population in ends)

    def values(self, name: str) -> FloatArray:
        """Return the value of a name for each neuron of its view.

        Parameters
        ----------
        name : str
            Such as ``x_pre`` or ``tau_post``; not ``distance``, which belongs to pairs.

        Returns
        -------
        (S,) or (T,) in engine units

        Raises
        ------
        NetworkError
            If there is no such name.
        """
        side = side_of(name)
        if name not in self.words or side is None:
            valid = [word for word in self.words if side_of(word) is not None]
            raise NetworkError(describe_unknown("name", name, valid, owner="the pairs"))
        return self.whole(name)[self.view(side).indices]

    def whole(self, name: str) -> FloatArray:
        """Return the values of a name for all neurons of its population, (N,); see `values`."""
        side = side_of(name)
        assert side is not None  # texts read nothing else of pairs but their distance
        population = self.view(side).population
        if name in ("i", "j"):
            return np.arange(population.size, dtype=np.float64)
        # An underscore in front: a position, though a parameter may have its name.
        if name.startswith("_"):
            assert population.positions is not None  # the text was checked for it
            return population.positions[:, AXES.index(name[1])]
        values = self._drawn(population)
        name = name.removesuffix(f"_{side}")
        definitions = _definitions(population)
        if name in definitions:
            value = evaluate(definitions[name], values.__getitem__)
        else:
            value = values[name]
        # One value of all neurons stays one in memory.
        return np.broadcast_to(np.asarray(value, np.float64), population.size)

    def _drawn(self, population: Population) -> dict[str, Any]:
        """Return the values of a population by name, as a run will begin with them."""
        # Several texts read them, and all neurons are drawn each time.
        if population not in self._drawn_before:
            self._drawn_before[population] = draw_population(population, self.seed)[0]
        return self._drawn_before[population]

    @cached_property
    def _drawn_before(self) -> dict[Population, dict[str, Any]]:
        return {}

    @cached_property
    def distance(self) -> Expr:
        """The distance of a pair as an expression over ``_x_pre`` to ``_z_post``."""
        squares: list[Expr] = []
        box = self.box or (np.inf, np.inf, np.inf)
        for axis, length in zip(AXES, box, strict=True):
            along: Expr = Binary("-", Name(f"_{axis}_pre"), Name(f"_{axis}_post"))
            if np.isfinite(length):
                # The image of the target that is nearest along this axis.
                images = Binary("+", Binary("/", along, Number(length)), Number(0.5))
                shift = Binary("*", Number(length), Call("floor", (images,)))
                along = Binary("-", along, shift)
            squares.append(Binary("**", along, Number(2.0)))
        first, second, third = squares
        return Call("sqrt", (Binary("+", Binary("+", first, second), third),))

    def resolve(self, tree: Expr, *, where: str) -> Expr:
        """Return a text whose names of units are numbers.

        Parameters
        ----------
        tree : Expr
        where : str
            Begins messages.

        Raises
        ------
        ModelError
            If it reads an unknown name, or anything that changes during a run.
        """
        for node in walk(tree):
            if isinstance(node, Lookup) or isinstance(node, Name) and node.name in ("t", "dt"):
                raise ModelError(
                    f"{where}: {show(tree)!r} depends on time ({show(node)}), expected a value for "
                    "the whole run. Write it in a rule."
                )
        for name in sorted(names(tree) - self.words.keys()):
            self._explain(name, where)
        # Names that are still unknown are units, or an error of this call.
        return resolve_units(tree, self.words, where=where)

    def _explain(self, name: str, where: str) -> None:
        """Raise if a name is missing for a reason that can be told."""
        for side in _SIDES:
            population = self.view(side).population
            positions = name in ("distance", *(f"{axis}_{side}" for axis in AXES))
            if positions and population.positions is None:
                raise ModelError(
                    f"{where}: found {name!r}, but population {population.name!r} has no "
                    "positions. Give it positions=..."
                )
            if name in {f"{definition}_{side}" for definition in _definitions(population)}:
                raise ModelError(
                    f"{where}: found {name!r}, a definition that depends on time, a random draw "
                    "or an input of a step, expected a value for the whole run. Read states and "
                    "parameters."
                )
            if name in {f"{table}_{side}" for table in _tables(population)}:
                raise ModelError(
                    f"{where}: found {name!r}, which is a table over time, expected a value for "
                    "the whole run. Read another parameter."
                )
        ends = [f"{name}_{side}" for side in ("pre", "post") if f"{name}_{side}" in self.words]
        if ends:
            raise ModelError(
                f"{where}: there is no name {name!r}: a pair has two neurons. "
                f"Write {' or '.join(ends)}."
            )


@runtime_checkable
class PairConnector(Protocol):
    """The wiring of a projection that reads positions or parameters: an object with these methods.

    Examples
    --------
    Each source connects to the target that lies nearest::

        @dataclass(frozen=True)
        class nearest:
            def between(self, pairs):
                away = np.abs(pairs.values("x_pre")[:, None] - pairs.values("x_post"))
                sources = np.arange(len(pairs.source))
                return ns.from_arrays(sources, away.argmin(axis=1))

            def show(self):
                return "nearest"
    """

    def between(self, pairs: Pairs) -> Connector:
        """Return the connector of two views, whose positions and parameters can be read.

        Parameters
        ----------
        pairs : Pairs

        Raises
        ------
        NetworkError, ModelError
            If these views cannot be joined in this way. The message begins with the connector; the
            network prepends the projection.
        """
        ...

    def show(self) -> str:
        """Return a short phrase for reports and messages, such as ``"nearest"``."""
        ...


def read_connector(connector: Connector | PairConnector, pairs: Pairs, where: str) -> Connector:
    """Return the connector of two views.

    Parameters
    ----------
    connector : Connector or PairConnector
    pairs : Pairs
    where : str
        Begins messages.

    Raises
    ------
    NetworkError, ModelError
        If it is no connector, or cannot join these views.
    """
    # A class such as ns.all_to_all has the methods of a connector, but is none.
    kinds = Connector | PairConnector
    if isinstance(connector, type) or not isinstance(connector, kinds):
        remedy = " A condition as text goes into ns.where('...')."
        raise NetworkError(
            f"{where}: found {describe(connector)}, expected a connector such as ns.all_to_all(). "
            f"Give one third.{remedy if isinstance(connector, str) else ''}"
        )
    if not isinstance(connector, PairConnector):
        return connector
    try:
        bound = connector.between(pairs)
    except (ModelError, NetworkError) as error:
        raise type(error)(f"{where}: {error}") from None
    if isinstance(bound, type) or not isinstance(bound, Connector):
        raise NetworkError(
            f"{where}: {connector.show()}: between returned {describe(bound)}, expected a "
            "connector. Return one such as ns.from_arrays(sources, targets)."
        )
    return bound


def side_of(name: str) -> Side | None:
    """Return the end of a pair to which a name belongs; None: to the pair."""
    if name == "i" or name.endswith("_pre"):
        return "pre"
    return "post" if name == "j" or name.endswith("_post") else None


def draw_stream(stream: Stream, draw: Draw) -> Stream:
    """Return the stream of a random draw in a text."""
    return stream.child(f"draw{draw.key}")


def read_box(box: Quantity | Iterable[Quantity | None] | None, *, where: str) -> Box | None:
    """Return the lengths after which space repeats, in um.

    Parameters
    ----------
    box : length, or two or three of them, optional
        One for all axes, or one for each; None: space does not repeat.
    where : str
        Begins the message.

    Raises
    ------
    NetworkError
        If a length is not above 0, or there are more than three.
    """
    if box is None:
        return None
    sides: list[Any] = [box] * 3
    if isinstance(box, list | tuple) or (isinstance(box, np.ndarray) and box.ndim):
        sides = list(box)
    where = f"{where}, box"
    if not 1 <= len(sides) <= 3:
        raise NetworkError(
            f"{where}: found {describe(box)}, expected one length, or one for each of x, y and z. "
            "Give it such as ('1 mm', '1 mm')."
        )
    # Axes that are not named do not repeat.
    of_axes = (*sides, None, None)[:3]
    lengths = [
        np.inf if side is None else to_engine(side, UM, where=where, error=NetworkError)
        for side in of_axes
    ]
    if not all(np.ndim(length) == 0 and length > 0 for length in lengths):
        raise NetworkError(
            f"{where}: found {describe(box)}, expected lengths above 0 um. "
            "Write None for an axis that does not repeat."
        )
    x, y, z = map(float, lengths)
    return x, y, z


def _definitions(population: Population) -> dict[str, Expr]:
    """Return the definitions of a population, written out."""
    trees = {d.name: d.tree for d in population.cell.definitions}
    return {name: inline(tree, trees) for name, tree in trees.items()}


def _lasts(tree: Expr, population: Population) -> bool:
    """Return whether a definition has one value before a run: of states and parameters alone."""
    cell = population.cell
    own = {part.name for part in (*cell.states, *cell.parameters)} - _tables(population)
    return not draws(tree) and names(tree) <= {*own, "i", "N"}


def _exponents_of(population: Population, name: str) -> Exponents:
    """Return the dimension of a definition."""
    return next(d.unit.exponents for d in population.cell.definitions if d.name == name)


def _tables(population: Population) -> set[str]:
    """Return the parameters of a population that are tables over time."""
    values = {p.name: p.value for p in population.cell.parameters} | population.values
    return {name for name, value in values.items() if isinstance(value, Table)}
