"""Connectors: who connects to whom, drawn row by row and kept as compressed rows (CSR).

Connectors are written in lower case because they are read as words of a call: ``net.project(a, b, fixed_probability(0.1))``.
A position counts within one of the two views that a projection joins, an absolute index within the whole population.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..draws import sampling
from ..draws.sampling import blocks, index_type, pointer_of
from ..draws.streams import Stream
from ..errors import NetworkError, describe

IntArray = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges of one projection, sorted by source, then target; several edges of one pair stay as given.

    Attributes
    ----------
    pointer : (S + 1,) int64
        Edges ``pointer[s]`` to ``pointer[s + 1]`` leave the source at position s.
    target : (E,) uint16 or int32
        Position of each edge's target, ascending within a row; of the type that `neurosim.sampling.index_type` says.
    order : (E,) int64, or None
        Edge e is the user's edge ``order[e]``; None: edge e itself.
    """

    pointer: NDArray[np.int64]
    target: IntArray
    order: NDArray[np.int64] | None = None

    def source(self) -> NDArray[np.int32]:
        """Return the position of each edge's source, (E,)."""
        return np.repeat(np.arange(self.pointer.size - 1, dtype=np.int32), np.diff(self.pointer))


class Connector(Protocol):
    """What a projection asks of its wiring."""

    def connect(
        self, stream: Stream, sources: IntArray, targets: IntArray, *, recurrent: bool
    ) -> Edges:
        """Return the edges between `sources` (S,) and `targets` (T,): absolute indices, distinct, in any order.

        `recurrent` says that both are of one population; an edge between equal indices is then an autapse.
        Raises NetworkError where the two cannot be joined so. The message begins with the connector; the network adds the place.
        """
        ...

    def expected(self, n_source: int, n_target: int) -> float:
        """Return the number of edges to provide for (where random, mean plus six standard deviations), drawing nothing."""
        ...

    def show(self) -> str:
        """Return a short phrase for reports."""
        ...


@dataclass(frozen=True)
class one_to_one:
    """Join the first source to the first target, the second to the second, and so on."""

    def connect(
        self, stream: Stream, sources: IntArray, targets: IntArray, *, recurrent: bool
    ) -> Edges:
        if sources.size != targets.size:
            raise NetworkError(
                f"{self.show()}: there are {sources.size} sources and {targets.size} targets; expected as many of the one as of the other. "
                "Join views of equal size, or use another connector."
            )
        return Edges(
            np.arange(sources.size + 1, dtype=np.int64),
            np.arange(sources.size, dtype=index_type(targets.size)),
        )

    def expected(self, n_source: int, n_target: int) -> float:
        return float(n_source)

    def show(self) -> str:
        return "one to one"


@dataclass(frozen=True)
class all_to_all:
    """Join every source to every target."""

    _: KW_ONLY
    autapses: bool = True

    def connect(
        self, stream: Stream, sources: IntArray, targets: IntArray, *, recurrent: bool
    ) -> Edges:
        refused = _refused(sources, targets, refuse=recurrent and not self.autapses)
        pointer = pointer_of(targets.size - (refused < targets.size))
        target = np.empty(pointer[-1], index_type(targets.size))
        columns = np.arange(targets.size, dtype=target.dtype)
        for rows in blocks(sources.size, width=max(targets.size, 1)):
            kept = columns != refused[rows, None]
            target[pointer[rows.start] : pointer[rows.stop]] = np.broadcast_to(columns, kept.shape)[
                kept
            ]
        return Edges(pointer, target)

    def expected(self, n_source: int, n_target: int) -> float:
        return float(n_source) * n_target

    def show(self) -> str:
        return "all to all" + _refusal(self.autapses)


@dataclass(frozen=True)
class fixed_probability:
    """Make each possible edge with probability `p` (1), independently of all others."""

    p: float
    _: KW_ONLY
    autapses: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.p, Real) or not 0 <= self.p <= 1:
            raise NetworkError(
                f"fixed_probability: p is {describe(self.p)}; expected a number from 0 to 1. Give a fraction: 0.1 is ten per cent."
            )
        object.__setattr__(self, "p", float(self.p))

    def connect(
        self, stream: Stream, sources: IntArray, targets: IntArray, *, recurrent: bool
    ) -> Edges:
        if self.p == 0:
            return Edges(
                np.zeros(sources.size + 1, np.int64), np.empty(0, index_type(targets.size))
            )
        if self.p == 1:
            return all_to_all(autapses=self.autapses).connect(
                stream, sources, targets, recurrent=recurrent
            )
        refused = _refused(sources, targets, refuse=recurrent and not self.autapses)
        return Edges(*sampling.bernoulli(stream, sources, refused, trials=targets.size, p=self.p))

    def expected(self, n_source: int, n_target: int) -> float:
        pairs = float(n_source) * n_target
        return min(pairs, pairs * self.p + 6 * math.sqrt(pairs * self.p * (1 - self.p)))

    def show(self) -> str:
        return f"fixed probability {self.p:g}" + _refusal(self.autapses)


@dataclass(frozen=True)
class _FixedNumber:
    n: int
    _: KW_ONLY
    autapses: bool = True
    multapses: bool = False

    def __post_init__(self) -> None:
        if (
            isinstance(self.n, bool)
            or not isinstance(self.n, Real)
            or not float(self.n).is_integer()
            or self.n < 0
        ):
            raise NetworkError(
                f"{type(self).__name__}: n is {describe(self.n)}; expected a whole number of edges, 0 or more. Round it to an int."
            )
        object.__setattr__(self, "n", int(self.n))

    def show(self) -> str:
        multapses = " with multapses" if self.multapses else ""
        return (
            type(self).__name__.replace("_", " ")
            + f" {self.n}"
            + _refusal(self.autapses)
            + multapses
        )

    def check(self, most: int) -> None:
        """Refuse an `n` greater than the number of different edges, `most`, that are possible where `n` are asked for."""
        if self.n > most and not (self.multapses and most):
            remedy = (
                f"Use n={most} or less, or multapses=True."
                if most
                else "Use n=0, or join other neurons."
            )
            raise NetworkError(
                f"{self.show()}: {self.n} edges are asked for where only {most} different ones are possible. {remedy}"
            )

    def partners(
        self, stream: Stream, neurons: IntArray, partners: IntArray, *, recurrent: bool
    ) -> IntArray:
        """Draw the positions of `n` partners for each of `neurons`, (R, n), ascending; each neuron has its own counters."""
        refused = _refused(neurons, partners, refuse=recurrent and not self.autapses)
        possible = partners.size - (refused < partners.size)
        self.check(possible.min(initial=self.n if neurons.size == 0 else partners.size))
        return sampling.choices(
            stream, neurons, refused, n=self.n, size=partners.size, multapses=self.multapses
        )


@dataclass(frozen=True)
class fixed_outdegree(_FixedNumber):
    """Give each source `n` targets, all choices being equally likely.

    They are different ones unless ``multapses=True``, which draws them independently. The former is the default of PyNN's
    FixedNumberPostConnector, the latter that of NEST's rules.
    """

    def connect(
        self, stream: Stream, sources: IntArray, targets: IntArray, *, recurrent: bool
    ) -> Edges:
        positions = self.partners(stream, sources, targets, recurrent=recurrent)
        return Edges(np.arange(sources.size + 1, dtype=np.int64) * self.n, positions.ravel())

    def expected(self, n_source: int, n_target: int) -> float:
        return float(self.n) * n_source


@dataclass(frozen=True)
class fixed_indegree(_FixedNumber):
    """Give each target `n` sources, all choices being equally likely; `multapses` as in `fixed_outdegree`."""

    def connect(
        self, stream: Stream, sources: IntArray, targets: IntArray, *, recurrent: bool
    ) -> Edges:
        partners = self.partners(stream, targets, sources, recurrent=recurrent)
        pointer, order = sampling.order(partners.ravel(), below=sources.size)
        del partners
        order //= max(self.n, 1)  # edge e, in the order drawn, belongs to the target e // n
        return Edges(pointer, order.astype(index_type(targets.size), copy=False))

    def expected(self, n_source: int, n_target: int) -> float:
        return float(self.n) * n_target


@dataclass(frozen=True)
class fixed_total_number(_FixedNumber):
    """Make `n` edges among all possible pairs, all choices being equally likely; `multapses` as in `fixed_outdegree`."""

    def connect(
        self, stream: Stream, sources: IntArray, targets: IntArray, *, recurrent: bool
    ) -> Edges:
        refused = _refused(sources, targets, refuse=recurrent and not self.autapses)
        first = pointer_of(
            targets.size - (refused < targets.size)
        )  # possible pairs before each row
        self.check(int(first[-1]))
        chosen = sampling.numbers(stream, self.n, below=int(first[-1]), multapses=self.multapses)
        pointer = np.searchsorted(chosen, first)
        target = np.empty(self.n, index_type(targets.size))
        for block in blocks(self.n, width=1):
            source = np.searchsorted(first, chosen[block], side="right") - 1
            place = chosen[block] - first[source]
            target[block] = place + (place >= refused[source])
        return Edges(pointer, target)

    def expected(self, n_source: int, n_target: int) -> float:
        return float(self.n)


def _refusal(autapses: bool) -> str:
    return "" if autapses else " without autapses"


def _refused(sources: IntArray, targets: IntArray, *, refuse: bool) -> NDArray[np.int64]:
    """Return the position of each source among the targets, (S,), or T where it is no target or may connect to itself."""
    if not refuse:
        return np.full(sources.size, targets.size, np.int64)
    place = np.full(
        max(sources.max(initial=-1), targets.max(initial=-1)) + 1, targets.size, np.int64
    )
    place[targets] = np.arange(targets.size)
    return place[sources]
