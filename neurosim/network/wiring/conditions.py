"""The connector whose pairs are chosen by a condition and a probability, written as text."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...draws import streams
from ...draws.ranges import NOT_NEGATIVE, require_range
from ...draws.sampling import blocks, index_type, pointer_of
from ...draws.streams import Stream
from ...draws.values import PLAIN, Distribution
from ...errors import NetworkError, describe
from ...expr.parse import Parser
from ...expr.printing import show
from ...expr.tree import Expr, Number, draws
from ..edges import EdgeCount, Edges, IntArray
from .pair_texts import MANY, PairText, PairValues, read_condition, read_pair_text
from .pairs import Pairs

SAMPLE = 1 << 20  # pairs that are looked at to foretell the number of edges
DRAWN = 1 << 13  # pairs whose numbers of edges are drawn at a time
_ARRAYS = 4  # that are needed at a time while pairs are chosen
Count: TypeAlias = int | str | Distribution
"""The edges of a pair: a number, text over the pair, or a draw."""


@dataclass(frozen=True)
class where:
    """Join the pairs for which a condition holds, each with a probability.

    Texts read ``i`` and ``j``, the indices of source and target within their populations; with
    ``positions=`` of both also ``distance``, ``x_pre``, ``y_pre``, ``z_pre``, ``x_post``, and so
    on; parameters and initial states of both cells, such as ``tau_pre``; ``N_pre`` and ``N_post``;
    and ``uniform()`` and ``normal()``, a number for each pair. ``box=`` of `Network.project` makes
    distances periodic.

    Parameters
    ----------
    condition : str, optional
        All pairs unless given.
    p : float or text (1)
        Probability of an edge where the condition holds, 0 to 1. Every pair has a draw of its own.
    n : int, text or draw (1)
        Edges of each pair that is joined.

    Raises
    ------
    NetworkError
        If ``p`` is no probability, or ``n`` no whole number from 0 on; when the projection is
        added or the network prepared, if a text gives one.

    Examples
    --------
    >>> ns.where("abs(i - j) < 4 and i != j", p="exp(-distance / (200 * um))")
    """

    condition: str | None = None
    p: float | str = 1.0
    n: Count = 1

    def __post_init__(self) -> None:
        if self.condition is not None and not isinstance(self.condition, str):
            raise NetworkError(
                f"where: found the condition {describe(self.condition)}, expected text such as "
                "'abs(i - j) < 4'. Put it between quotes; edges that are known go into "
                "ns.from_arrays."
            )
        if not isinstance(self.p, str) and not 0 <= _number(self.p) <= 1:
            raise NetworkError(
                f"where: p is {describe(self.p)}; expected a number from 0 to 1, or text. "
                "Give a fraction: 0.1 is ten per cent."
            )
        if isinstance(self.n, str | Distribution):
            return
        number = _number(self.n)
        if not number.is_integer() or number < 0:
            raise NetworkError(
                f"where: n is {describe(self.n)}; expected a whole number of edges, 0 or more, "
                "text or a draw. Round it to an int."
            )

    def between(self, pairs: Pairs) -> BoundCondition:
        """Return the connector of two views.

        Parameters
        ----------
        pairs : Pairs

        Raises
        ------
        ModelError, NetworkError
            An unknown name, a unit, a text that is no condition, a draw that is no whole number.
        """
        # One parser for all texts, so that each of their random draws has a number of its own.
        parser = Parser("where")
        condition = None
        if self.condition is not None:
            condition = read_condition(self.condition, pairs, parser=parser)
        p = Number(float(self.p)) if not isinstance(self.p, str) else None
        if p is None:
            p = read_pair_text(str(self.p), PLAIN, pairs, parser=parser, part="p").tree
        number = self.n
        if isinstance(number, str):
            number = read_pair_text(number, PLAIN, pairs, parser=parser, part="n")
        if isinstance(number, Distribution):
            number.check(PLAIN, where="where, n")
            require_range(number, NOT_NEGATIVE, where="where, n", declared=PLAIN)
            if not number.is_whole:
                raise NetworkError(
                    f"where, n: found {number}, expected a draw of whole numbers. "
                    "Use ns.integers or ns.binomial."
                )
        return BoundCondition(self.show(), pairs, condition, p, number)

    def show(self) -> str:
        """Return a short phrase for reports and messages."""
        condition = "" if self.condition is None else f" {self.condition}"
        p = "" if self.p == 1 else f", p = {self.p}"
        n = "" if self.n == 1 else f", n = {self.n}"
        return f"where{condition}{p}{n}"


@dataclass(frozen=True, eq=False)
class BoundCondition:
    """The connector that `where` becomes between two views.

    Attributes
    ----------
    phrase : str
        See `show`.
    pairs : Pairs
    condition : Expr or None
        None: it holds for all pairs.
    p : Expr
    n : int, PairText or Distribution
    """

    phrase: str
    pairs: Pairs
    condition: Expr | None
    p: Expr
    n: int | PairText | Distribution

    def show(self) -> str:
        """Return a short phrase for reports and messages."""
        return self.phrase

    def count(self, n_source: int, n_target: int, *, recurrent: bool) -> EdgeCount:
        """Return the number of edges, foretold from some rows if pairs are many.

        Parameters are explained in `Connector.count`.

        Raises
        ------
        NetworkError
            If a probability lies outside of 0 to 1.
        """
        return self._counts[1]

    @cached_property
    def _counts(self) -> tuple[EdgeCount, EdgeCount]:
        """The number of pairs that are joined, and that of their edges."""
        sources = self.pairs.source.indices
        every = max(1, math.ceil(self.pairs.count / SAMPLE))
        rows = np.arange(every // 2 if every < sources.size else 0, sources.size, every)
        # Chance has its own name here: an estimate must not depend on that of the projection.
        stream = Stream(self.pairs.seed, "where/count")
        means = np.zeros((2, rows.size))
        variances = np.zeros((2, rows.size))
        for block in blocks(rows.size, width=len(self.pairs.target)):
            p = self._chances(stream, rows[block])
            n, spread = self._numbers(stream, rows[block])
            means[:, block] = p.sum(axis=1), (p * n).sum(axis=1)
            chance = p * (1.0 - p)
            variances[0, block] = chance.sum(axis=1)
            variances[1, block] = (chance * n * n + p * spread).sum(axis=1)
        exact = every == 1 and not variances.any() and not self._is_random
        scale = sources.size / rows.size
        between_rows = np.var(means, axis=1) * sources.size * scale if every > 1 else np.zeros(2)
        mean = means.sum(axis=1) * scale
        most = mean + 6 * np.sqrt(variances.sum(axis=1) * scale + between_rows)
        pairs = float(mean[0] if exact else min(most[0], self.pairs.count))
        if isinstance(self.n, PairText | Distribution):
            return EdgeCount(pairs, exact=exact), EdgeCount(float(most[1]), exact=False)
        return EdgeCount(pairs, exact=exact), EdgeCount(pairs * float(self.n), exact=exact)

    def _numbers(self, stream: Stream, rows: IntArray) -> tuple[float | NDArray[np.float64], float]:
        """Return the edges of each pair of some rows, if it is joined; the variance of a draw."""
        if isinstance(self.n, PairText):
            sources = self.pairs.source.indices[rows]
            targets = self.pairs.target.indices
            values = PairValues(self.pairs, stream, source=sources[:, None], target=targets)
            numbers = np.asarray(values(self.n.tree))
            # Wrong numbers are refused when edges are drawn.
            return np.where((numbers > 0.0) & np.isfinite(numbers), numbers, 0.0), 0.0
        if isinstance(self.n, Distribution):
            some = self.n.sample(stream, np.arange(1000), unit=PLAIN, where="where, n")
            return float(some.mean()), float(some.var())
        return float(self.n), 0.0

    @property
    def edges_per_pair(self) -> float:
        """Edges of a pair that is joined, or their expected mean."""
        pairs, edges = self._counts
        return edges.most / pairs.most if pairs.most else 1.0

    @property
    def _is_random(self) -> bool:
        trees = [self.p] if self.condition is None else [self.p, self.condition]
        return any(draws(tree) for tree in trees)

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
            If a probability lies outside of 0 to 1, or a number of edges is not whole.
        """
        if self.pairs.count >= MANY:
            pointer, target = self._select_compiled(stream)
        else:
            pointer, target = self._select(stream)
        return self._repeat(stream, pointer, target)

    def _select(self, stream: Stream) -> tuple[NDArray[np.int64], IntArray]:
        """Return pointer and targets of the pairs that are joined."""
        sources = self.pairs.source.indices
        targets = self.pairs.target.indices
        counts = np.zeros(sources.size, np.int64)
        # Memory that is not written to is not taken; parts to be joined would take it twice.
        target = np.empty(int(self._counts[0].most), index_type(targets.size))
        edges = 0
        for block in blocks(sources.size, width=_ARRAYS * targets.size):
            rows = np.arange(block.start, block.stop)
            p = self._chances(stream, rows)
            # Certain pairs need no draw, and uncertain ones no other draw for it.
            if not ((p > 0.0) & (p < 1.0)).any():
                joined = p == 1.0
            else:
                joined = streams.uniform(stream.key, targets, sources[rows, None]) < p
            counts[block] = joined.sum(axis=1)
            edges = _append(target, edges, np.nonzero(joined)[1])
        target.resize(edges, refcheck=False)
        return pointer_of(counts), target

    def _chances(self, stream: Stream, rows: IntArray) -> NDArray[np.float64]:
        """Return the probability of each pair of some rows, (R, T); 0 without the condition."""
        sources = self.pairs.source.indices[rows]
        targets = self.pairs.target.indices
        values = PairValues(self.pairs, stream, source=sources[:, None], target=targets)
        shape = sources.size, targets.size
        p = np.broadcast_to(values(self.p), shape)
        holds = np.ones(shape, bool)
        if self.condition is not None:
            holds = np.broadcast_to(np.asarray(values(self.condition)) != 0.0, shape)
        # Written so that NaN is wrong, too.
        wrong = np.argwhere(holds & ~((p >= 0.0) & (p <= 1.0)))
        if wrong.size:
            row, column = wrong[0]
            raise self._wrong_probability(int(rows[row]), int(column), stream)
        return np.where(holds, p, 0.0)

    def _select_compiled(self, stream: Stream) -> tuple[NDArray[np.int64], IntArray]:
        # Imported here, since Numba takes long to load and small networks never need it.
        from .pair_code import WrongProbability, select_pairs

        expected = int(self._counts[0].most)
        try:
            return select_pairs(self.pairs, self.condition, self.p, stream, expected=expected)
        except WrongProbability as wrong:
            raise self._wrong_probability(wrong.row, wrong.column, stream) from None

    def _wrong_probability(self, row: int, column: int, stream: Stream) -> NetworkError:
        source = self.pairs.source.indices[row]
        target = self.pairs.target.indices[column]
        values = PairValues(self.pairs, stream, source=np.array([source]), target=target)
        p = float(np.asarray(values(self.p)).ravel()[0])
        return NetworkError(
            f"where, p: {show(self.p)!r} is {p:g} for i = {source}, j = {target}, expected a "
            "probability from 0 to 1. Write clip(..., 0, 1), or change the condition."
        )

    def _repeat(self, stream: Stream, pointer: NDArray[np.int64], target: IntArray) -> Edges:
        """Return the edges of pairs that have several, or none."""
        if self.n == 1:
            return Edges(pointer, target, trusted=True)
        if not isinstance(self.n, PairText | Distribution):
            n = int(self.n)
            return Edges(pointer * n, np.repeat(target, n), trusted=True)
        child = stream.child("n")
        ends = np.zeros(pointer.size, np.int64)
        repeated = np.empty(int(self._counts[1].most), target.dtype)
        # Some rows at a time: a draw takes many times the memory of an edge.
        inner = np.searchsorted(pointer, np.arange(DRAWN, pointer[-1], DRAWN))
        bounds = np.unique([0, *inner, pointer.size - 1]).tolist()
        for first, stop in itertools.pairwise(bounds):
            part = pointer[first : stop + 1]
            joined = target[part[0] : part[-1]]
            numbers = self._edges_of_pairs(child, first, part - part[0], joined)
            multiplicity = numbers.astype(np.int64)
            ends[first : stop + 1] = ends[first] + pointer_of(multiplicity)[part - part[0]]
            _append(repeated, int(ends[first]), np.repeat(joined, multiplicity))
        repeated.resize(int(ends[-1]), refcheck=False)
        return Edges(ends, repeated, trusted=True)

    def _edges_of_pairs(
        self,
        stream: Stream,
        first: int,
        pointer: NDArray[np.int64],
        target: IntArray,
    ) -> NDArray[np.float64]:
        """Return how many edges each pair has, of the rows from ``first`` on."""
        sources = self.pairs.source.indices[first : first + pointer.size - 1]
        targets = self.pairs.target.indices[target]
        if isinstance(self.n, PairText):
            numbers = self.n.at(stream, sources=sources, pointer=pointer, targets=targets)
            self._require_counts(numbers, pointer, sources=sources, targets=targets)
            return numbers
        assert isinstance(self.n, Distribution)  # a number needs no draw
        source = np.repeat(sources, np.diff(pointer))
        return self.n.sample(stream, targets, row=source, unit=PLAIN, where="where, n")

    def _require_counts(
        self,
        numbers: NDArray[np.float64],
        pointer: NDArray[np.int64],
        *,
        sources: IntArray,
        targets: IntArray,
    ) -> None:
        wrong = np.flatnonzero((numbers < 0) | (numbers != np.floor(numbers)))
        if wrong.size:
            edge = wrong[0]
            row = int(np.searchsorted(pointer, edge, side="right")) - 1
            raise NetworkError(
                f"where, n: {self.n!r} is {numbers[edge]:g} for i = {sources[row]}, "
                f"j = {targets[edge]}, expected a whole number of edges, 0 or more. "
                "Write floor(...)."
            )


def _append(array: IntArray, first: int, values: IntArray) -> int:
    """Write values into an array from an index on, and return the end; the array may grow."""
    after = first + values.size
    if after > array.size:
        array.resize(after + after // 8, refcheck=False)
    array[first:after] = values
    return after


def _number(value: object) -> float:
    """Return a number as a float; NaN if it is none."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan
