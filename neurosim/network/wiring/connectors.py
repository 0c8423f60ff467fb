"""Connectors that are drawn or regular: each source's edges from counters of its own.

Connectors are written in lower case because they are read as words of a call:
``net.project(a, b, fixed_probability(0.1))``.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from ...draws import sampling
from ...draws.sampling import blocks, index_type, pointer_of
from ...draws.streams import Stream
from ...errors import NetworkError, describe
from ..edges import EdgeCount, Edges, IntArray


@dataclass(frozen=True)
class one_to_one:
    """Join the first source to the first target, the second to the second, and so on."""

    def count(self, n_source: int, n_target: int, *, recurrent: bool) -> EdgeCount:
        """Return the number of edges: that of the sources.

        Parameters are explained in `Connector.count`.

        Raises
        ------
        NetworkError
            If there are not as many sources as targets.
        """
        if n_source != n_target:
            raise NetworkError(
                f"{self.show()}: there are {n_source} sources and {n_target} targets; "
                "expected as many of the one as of the other. "
                "Join views of equal size, or use another connector."
            )
        return EdgeCount(n_source)

    def connect(
        self,
        stream: Stream,
        sources: IntArray,
        targets: IntArray,
        *,
        recurrent: bool,
    ) -> Edges:
        """Return one edge for each source.

        Parameters are explained in `Connector.connect`.

        Raises
        ------
        NetworkError
            If there are not as many sources as targets.
        """
        # Connectors can be called alone: equal sizes are required here, too.
        self.count(sources.size, targets.size, recurrent=recurrent)
        return Edges(
            np.arange(sources.size + 1, dtype=np.int64),
            np.arange(sources.size, dtype=index_type(targets.size)),
            trusted=True,
        )

    def show(self) -> str:
        """Return a short phrase for reports and messages."""
        return "one to one"


@dataclass(frozen=True)
class all_to_all:
    """Join every source to every target.

    Parameters
    ----------
    autapses : bool
        Whether a neuron may connect to itself.
    """

    _: KW_ONLY
    autapses: bool = True

    def count(self, n_source: int, n_target: int, *, recurrent: bool) -> EdgeCount:
        """Return the number of edges: that of all pairs, or the most if autapses are left out.

        Parameters are explained in `Connector.count`.
        """
        # Without autapses the number depends on how many neurons both views hold.
        return EdgeCount(float(n_source) * n_target, exact=self.autapses or not recurrent)

    def connect(
        self,
        stream: Stream,
        sources: IntArray,
        targets: IntArray,
        *,
        recurrent: bool,
    ) -> Edges:
        """Return an edge for each pair.

        Parameters are explained in `Connector.connect`.
        """
        own = _find_own(sources, targets, refuse=recurrent and not self.autapses)
        pointer = pointer_of(targets.size - (own < targets.size))
        target = np.empty(pointer[-1], index_type(targets.size))
        positions = np.arange(targets.size, dtype=target.dtype)
        # A few sources at a time: the table of all pairs would take far more memory than the edges.
        for block in blocks(sources.size, width=max(targets.size, 1)):
            allowed = positions != own[block, None]
            all_positions = np.broadcast_to(positions, allowed.shape)
            target[pointer[block.start] : pointer[block.stop]] = all_positions[allowed]
        return Edges(pointer, target, trusted=True)

    def show(self) -> str:
        """Return a short phrase for reports and messages."""
        return "all to all" + _without_autapses(self.autapses)


@dataclass(frozen=True)
class fixed_probability:
    """Make each possible edge with one probability, independently of all others.

    Parameters
    ----------
    p : float (1)
        From 0 to 1.
    autapses : bool
        Whether a neuron may connect to itself.

    Raises
    ------
    NetworkError
        If ``p`` is no probability.
    """

    p: float
    _: KW_ONLY
    autapses: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.p, Real) or not 0 <= self.p <= 1:
            raise NetworkError(
                f"fixed_probability: p is {describe(self.p)}; expected a number from 0 to 1. "
                "Give a fraction: 0.1 is ten per cent."
            )
        # One type for equal values, so that 1 and 1.0 make equal connectors with one description.
        object.__setattr__(self, "p", float(self.p))

    def count(self, n_source: int, n_target: int, *, recurrent: bool) -> EdgeCount:
        """Return the mean number of edges plus six standard deviations.

        Parameters are explained in `Connector.count`.
        """
        pairs = float(n_source) * n_target
        # Six deviations are exceeded once in a billion networks.
        deviation = math.sqrt(pairs * self.p * (1 - self.p))
        return EdgeCount(min(pairs, pairs * self.p + 6 * deviation), exact=False)

    def connect(
        self,
        stream: Stream,
        sources: IntArray,
        targets: IntArray,
        *,
        recurrent: bool,
    ) -> Edges:
        """Draw the edges.

        Parameters are explained in `Connector.connect`.
        """
        # Gaps between edges are computed from log(1 - p), which serves neither 0 nor 1.
        if self.p == 0:
            nothing = np.zeros(sources.size + 1, np.int64)
            return Edges(nothing, np.empty(0, index_type(targets.size)), trusted=True)
        if self.p == 1:
            everything = all_to_all(autapses=self.autapses)
            return everything.connect(stream, sources, targets, recurrent=recurrent)
        own = _find_own(sources, targets, refuse=recurrent and not self.autapses)
        pointer, target = sampling.bernoulli(stream, sources, own, trials=targets.size, p=self.p)
        return Edges(pointer, target, trusted=True)

    def show(self) -> str:
        """Return a short phrase for reports and messages."""
        return f"fixed probability {self.p:g}" + _without_autapses(self.autapses)


@dataclass(frozen=True)
class _FixedNumber:
    """A number of edges, for each neuron of one side or in total."""

    n: int
    _: KW_ONLY
    autapses: bool = True
    multapses: bool = False

    def __post_init__(self) -> None:
        number = self.n
        # Counts that were computed, such as 0.1 * 2000, are often whole floats; True is no count.
        whole = isinstance(number, Real) and abs(number) < 2**53 and float(number).is_integer()
        if not whole or isinstance(number, bool) or number < 0:
            raise NetworkError(
                f"{type(self).__name__}: n is {describe(number)}; "
                "expected a whole number of edges, 0 or more. Round it to an int."
            )
        # One type, so that 10 and 10.0 make equal connectors with one description.
        object.__setattr__(self, "n", int(number))

    def show(self) -> str:
        """Return a short phrase for reports and messages."""
        name = type(self).__name__.replace("_", " ")
        multapses = " with multapses" if self.multapses else ""
        return f"{name} {self.n}" + _without_autapses(self.autapses) + multapses

    def check(self, possible: int) -> None:
        """Refuse an `n` above the number of different edges that are possible."""
        # With multapses any number is possible, unless there is nobody to connect to.
        if self.n > possible and not (self.multapses and possible):
            remedy = (
                f"Use n={possible} or less, or multapses=True."
                if possible
                else "Use n=0, or join other neurons."
            )
            raise NetworkError(
                f"{self.show()}: {self.n} edges are asked for where only {possible} "
                f"different ones are possible. {remedy}"
            )

    def partners(
        self,
        stream: Stream,
        neurons: IntArray,
        partners: IntArray,
        *,
        recurrent: bool,
    ) -> IntArray:
        """Draw the positions of `n` partners for each neuron.

        Parameters
        ----------
        stream : Stream
        neurons : (R,) integers
            Indices of neurons, which are the rows of the stream.
        partners : (P,) integers
            Indices of the neurons to choose from.
        recurrent : bool
            Whether both are neurons of one population.

        Returns
        -------
        (R, n) integers
            Positions among the partners, ascending in each row.
        """
        own = _find_own(neurons, partners, refuse=recurrent and not self.autapses)
        possible = partners.size - (own < partners.size)
        # The neuron with the fewest partners decides; without neurons there is nothing to refuse.
        self.check(possible.min(initial=self.n if neurons.size == 0 else partners.size))
        return sampling.choices(
            stream, neurons, own, n=self.n, size=partners.size, multapses=self.multapses
        )


@dataclass(frozen=True)
class fixed_outdegree(_FixedNumber):
    """Give each source `n` targets, all choices being equally likely.

    Parameters
    ----------
    n : int
        Targets of each source.
    autapses : bool
        Whether a neuron may connect to itself.
    multapses : bool
        False: the targets of a source are different ones, the default of PyNN's
        FixedNumberPostConnector. True: they are drawn independently, as NEST's rules do.

    Raises
    ------
    NetworkError
        If ``n`` is no whole number of at least 0; when the network is prepared, if there are fewer
        than ``n`` different targets.
    """

    def count(self, n_source: int, n_target: int, *, recurrent: bool) -> EdgeCount:
        """Return the number of edges: ``n`` for each source.

        Parameters are explained in `Connector.count`.
        """
        return EdgeCount(self.n * n_source)

    def connect(
        self,
        stream: Stream,
        sources: IntArray,
        targets: IntArray,
        *,
        recurrent: bool,
    ) -> Edges:
        """Draw the edges.

        Parameters are explained in `Connector.connect`.

        Raises
        ------
        NetworkError
            If a source has fewer than ``n`` possible targets.
        """
        positions = self.partners(stream, sources, targets, recurrent=recurrent)
        pointer = np.arange(sources.size + 1, dtype=np.int64) * self.n
        return Edges(pointer, positions.ravel(), trusted=True)


@dataclass(frozen=True)
class fixed_indegree(_FixedNumber):
    """Give each target `n` sources, all choices being equally likely.

    Parameters and errors are those of `fixed_outdegree`, with sources and targets exchanged.
    """

    def count(self, n_source: int, n_target: int, *, recurrent: bool) -> EdgeCount:
        """Return the number of edges: ``n`` for each target.

        Parameters are explained in `Connector.count`.
        """
        return EdgeCount(self.n * n_target)

    def connect(
        self,
        stream: Stream,
        sources: IntArray,
        targets: IntArray,
        *,
        recurrent: bool,
    ) -> Edges:
        """Draw the edges.

        Parameters are explained in `Connector.connect`.

        Raises
        ------
        NetworkError
            If a target has fewer than ``n`` possible sources.
        """
        # The rows of the stream are targets, so that a target's sources do not depend on other
        # targets; edges are stored by source, hence the sort.
        partners = self.partners(stream, targets, sources, recurrent=recurrent)
        pointer, order = sampling.sort_keys(partners.ravel(), below=sources.size)
        # Freed before the targets are made, since it is as long as all edges.
        del partners
        order //= max(self.n, 1)  # edge e, in the order drawn, belongs to the target e // n
        target = order.astype(index_type(targets.size), copy=False)
        return Edges(pointer, target, trusted=True)


@dataclass(frozen=True)
class fixed_total_number(_FixedNumber):
    """Make `n` edges among all possible pairs, all choices being equally likely.

    Parameters and errors are those of `fixed_outdegree`, with ``n`` as the number of all edges.
    """

    def count(self, n_source: int, n_target: int, *, recurrent: bool) -> EdgeCount:
        """Return the number of edges, ``n``.

        Parameters are explained in `Connector.count`.
        """
        return EdgeCount(self.n)

    def connect(
        self,
        stream: Stream,
        sources: IntArray,
        targets: IntArray,
        *,
        recurrent: bool,
    ) -> Edges:
        """Draw the edges.

        Parameters are explained in `Connector.connect`.

        Raises
        ------
        NetworkError
            If there are fewer than ``n`` possible pairs.
        """
        own = _find_own(sources, targets, refuse=recurrent and not self.autapses)
        # Possible pairs are numbered source by source: those of source s begin at first[s].
        first = pointer_of(targets.size - (own < targets.size))
        self.check(int(first[-1]))
        pairs = sampling.numbers(stream, self.n, below=int(first[-1]), multapses=self.multapses)
        pointer = np.searchsorted(pairs, first)
        target = np.empty(self.n, index_type(targets.size))
        for block in blocks(self.n, width=1):
            source = np.searchsorted(first, pairs[block], side="right") - 1
            position = pairs[block] - first[source]
            # Numbers leave out the refused position: those after it move up by one.
            target[block] = position + (position >= own[source])
        return Edges(pointer, target, trusted=True)


def _without_autapses(autapses: bool) -> str:
    return "" if autapses else " without autapses"


def _find_own(sources: IntArray, targets: IntArray, *, refuse: bool) -> NDArray[np.int64]:
    """Return the position of each source among the targets, (S,), if autapses are refused.

    T, the number of targets: the source is no target, or may connect to itself.
    """
    if not refuse:
        return np.full(sources.size, targets.size, np.int64)
    # An array over neuron numbers answers for all sources at once, without sorting the targets.
    largest = max(sources.max(initial=-1), targets.max(initial=-1))
    positions = np.full(largest + 1, targets.size, np.int64)
    positions[targets] = np.arange(targets.size)
    return positions[sources]
