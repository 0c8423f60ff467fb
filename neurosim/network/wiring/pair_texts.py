"""Texts over pairs of neurons: read, checked for units, and evaluated for pairs and edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ...draws import streams
from ...draws.sampling import blocks
from ...draws.streams import Stream
from ...errors import ModelError, NetworkError
from ...expr.dimensions import WORDS, dimension
from ...expr.evaluate import evaluate
from ...expr.parse import Parser
from ...expr.printing import show
from ...expr.tree import ARITHMETIC, Binary, Draw, Expr, Number, Unary, draws, names
from ...units import NUMBER, Unit, of, read
from ..edges import IntArray
from .pairs import Pairs, Side, draw_stream, side_of

# Edges from which on a text is compiled, which takes about two seconds, once on a machine.
MANY = 1 << 22
_ARRAYS = 8  # that are needed at a time while a text is walked


@dataclass(frozen=True, eq=False)
class PairText:
    """An expression over the names of a pair, in engine units.

    Attributes
    ----------
    tree : Expr
        With units resolved.
    pairs : Pairs
    where : str
        Begins messages.
    least : float
        The smallest value that is allowed.
    """

    tree: Expr
    pairs: Pairs
    where: str
    least: float = -np.inf

    def __repr__(self) -> str:
        return repr(show(self.tree))

    @property
    def differs(self) -> bool:
        """Whether edges can have different values."""
        return bool(names(self.tree) or draws(self.tree))

    def number(self) -> float:
        """Return the value of a text that is the same for all edges."""
        return float(evaluate(self.tree, {}.__getitem__))

    def at(
        self,
        stream: Stream,
        *,
        sources: IntArray,
        pointer: NDArray[np.int64],
        targets: IntArray,
    ) -> NDArray[np.float64]:
        """Return the values of edges.

        Parameters
        ----------
        stream : Stream
            Of random draws in the text, which belong to a pair and, of several edges of one pair,
            to their number.
        sources : (R,) integers
            Neuron of each row.
        pointer : (R + 1,) int64
            Edges ``pointer[r]`` to ``pointer[r + 1]`` lie in row r.
        targets : (E,) integers
            Neuron of each edge, ascending within a row.

        Returns
        -------
        (E,) in engine units

        Raises
        ------
        NetworkError
            If a value is not finite, or below the smallest one.
        """
        if targets.size >= MANY:
            # Imported here, since Numba takes long to load and small networks never need it.
            from .pair_code import evaluate_edges

            values = evaluate_edges(
                self.pairs, self.tree, stream, sources=sources, pointer=pointer, targets=targets
            )
        else:
            values = self._walk(stream, sources, pointer, targets)
        # In blocks: the masks of all edges at once would take as much memory as their values.
        for block in blocks(values.size, width=1):
            part = values[block]
            # Written so that NaN is wrong, too.
            allowed = np.isfinite(part) & (part >= self.least)
            wrong = np.flatnonzero(~allowed)
            if wrong.size:
                edge = block.start + int(wrong[0])
                row = int(np.searchsorted(pointer, edge, side="right")) - 1
                source = sources[row]
                raise NetworkError(
                    f"{self.where}: {show(self.tree)!r} is {values[edge]:g} for i = {source}, "
                    f"j = {targets[edge]}, expected {self._expected}. Correct it."
                )
        return values

    @property
    def _expected(self) -> str:
        if self.least == -np.inf:
            return "finite numbers"
        return f"finite numbers from {self.least:g} on"

    def _walk(
        self,
        stream: Stream,
        sources: IntArray,
        pointer: NDArray[np.int64],
        targets: IntArray,
    ) -> NDArray[np.float64]:
        values = np.empty(targets.size)
        for block in blocks(targets.size, width=_ARRAYS):
            edges = np.arange(block.start, block.stop)
            row = np.searchsorted(pointer, edges, side="right") - 1
            # Edges of one pair differ by their draws alone.
            repeat = _repeats(edges, pointer[row], targets) if draws(self.tree) else 0
            value_of = PairValues(
                self.pairs,
                stream,
                source=sources[row],
                target=targets[block],
                repeat=repeat,
            )
            values[block] = value_of(self.tree)
        return values


class PairValues:
    """Values of expressions at some pairs, with NumPy.

    Parameters
    ----------
    pairs : Pairs
    stream : Stream
        Of random draws.
    source, target : integers that broadcast
        The neurons of each pair.
    repeat : integers that broadcast
        Number of an edge among those of its pair.
    """

    def __init__(
        self,
        pairs: Pairs,
        stream: Stream,
        *,
        source: IntArray,
        target: IntArray,
        repeat: IntArray | int = 0,
    ) -> None:
        self._pairs = pairs
        self._stream = stream
        self._repeat = repeat
        self._ends = {"pre": source, "post": target}
        self._known: dict[str, Any] = {}

    def __call__(self, tree: Expr) -> Any:
        """Return the values of an expression, which broadcast with the pairs."""
        return evaluate(tree, self._value, self._draw)

    def _value(self, name: str) -> Any:
        if name not in self._known:
            side = side_of(name)
            # The distance is read several times, and takes several operations.
            self._known[name] = (
                evaluate(self._pairs.distance, self._value)
                if side is None
                else self._pairs.whole(name)[self._ends[side]]
            )
        return self._known[name]

    def _draw(self, draw: Draw) -> Any:
        sample = streams.normal if draw.kind == "normal" else streams.uniform
        key = draw_stream(self._stream, draw).key
        # Counted by neurons, not by edges: other edges do not change the draw of a pair.
        return sample(key, self._ends["post"], self._ends["pre"], replica=self._repeat)


def read_pair_text(
    text: str,
    declared: Unit,
    pairs: Pairs,
    *,
    parser: Parser,
    part: str,
    least: float = -np.inf,
) -> PairText:
    """Return a text over pairs whose value has the dimension of a unit.

    Parameters
    ----------
    text : str
    declared : Unit
        Plain numbers count in it.
    pairs : Pairs
    parser : Parser
        Its owner begins messages; it numbers the random draws.
    part : str
        The value that the text is, for messages.
    least : float
        The smallest value that is allowed, in engine units.

    Raises
    ------
    ModelError
        An unknown name, a wrong unit, a text that cannot be read.
    """
    where = f"{parser.owner}, {part}"
    tree = pairs.resolve(parser.expression(text, part=part), where=where)
    exponents = dimension(tree, pairs.words, where=where)
    if exponents not in (None, NUMBER, declared.exponents):
        raise ModelError(
            f"{where}: {text!r} is {of(exponents)}, but {declared} is expected. "
            "Multiply or divide it by what is missing."
        )
    # Plain numbers are in the declared unit; engine units may be another size of it.
    if exponents == NUMBER != declared.exponents and declared.size != 1.0:
        tree = Binary("*", Number(declared.size), tree)
    return PairText(tree, pairs, where, least)


def read_side_text(
    text: str,
    declared: Unit,
    pairs: Pairs,
    *,
    side: Side,
    parser: Parser,
    part: str,
) -> NDArray[np.float64]:
    """Return the values of a text over the neurons of one side of pairs, one for each of its view.

    Parameters
    ----------
    text : str
    declared : Unit
        Plain numbers count in it.
    pairs : Pairs
    side : {"pre", "post"}
    parser : Parser
        Its owner begins messages.
    part : str
        The value that the text is, for messages.

    Raises
    ------
    ModelError
        As of `read_pair_text`; a name of the other side, or a random draw.
    NetworkError
        If a value is not finite.
    """
    pair_text = read_pair_text(text, declared, pairs, parser=parser, part=part)
    tree = pair_text.tree
    neuron = "source" if side == "pre" else "target"
    # The sizes of both populations are numbers, which belong to no side.
    others = sorted(n for n in names(tree) if not n.startswith("N_") and side_of(n) != side)
    if others or draws(tree):
        reason = f"reads {others[0]!r}" if others else "has a random draw"
        raise ModelError(
            f"{pair_text.where}: {text!r} {reason}, expected names of the {neuron} neuron, since "
            f"there is one value per {neuron}. Write 'i_{side}', or give a draw such as "
            "ns.uniform(0, 1)."
        )
    neurons = pairs.view(side).indices
    # Texts with draws were refused above, so the stream is never used.
    unused = Stream(pairs.seed, "none")
    value_of = PairValues(pairs, unused, source=neurons, target=neurons)
    values = np.array(np.broadcast_to(value_of(tree), neurons.size), np.float64)
    is_finite = np.isfinite(values)
    if not is_finite.all():
        neuron_index = neurons[int(np.argmin(is_finite))]
        raise NetworkError(
            f"{pair_text.where}: {text!r} is not finite for neuron {neuron_index}, expected finite "
            "numbers. Correct it."
        )
    return values


def is_pair_text(value: object, pairs: Pairs) -> TypeGuard[str]:
    """Return whether a value is text over pairs, and no quantity such as ``"20 pA"``."""
    if not isinstance(value, str):
        return False
    try:
        return read(value, reserved={*pairs.words, *WORDS}) is None
    except ModelError:  # a number of an unknown unit, which reading the quantity will refuse
        return False


def read_condition(text: str, pairs: Pairs, *, parser: Parser) -> Expr:
    """Return a condition over pairs; arguments and errors as of `read_pair_text`."""
    where = f"{parser.owner}, condition"
    tree = pairs.resolve(parser.expression(text, part="condition"), where=where)
    exponents = dimension(tree, pairs.words, where=where)
    if not _is_condition(tree):
        raise ModelError(
            f"{where}: {text!r} is {of(exponents or NUMBER)}, expected a condition. "
            "Compare it, such as 'abs(i - j) < 4'; a probability is given as p=..."
        )
    return tree


def _is_condition(tree: Expr) -> bool:
    match tree:
        case Binary(op=op):
            return op not in ARITHMETIC
        case Unary(op=op):
            return op == "not"
    return False


def _repeats(edges: IntArray, starts: IntArray, targets: IntArray) -> NDArray[np.int64]:
    """Return how many edges of the same pair come before each edge."""
    same = np.zeros(edges.size, np.int64)
    # Targets ascend within a row, so edges of a pair are neighbours: one step back in each round.
    waiting = np.arange(edges.size)
    distance = 1
    while waiting.size:
        earlier = edges[waiting] - distance
        waiting = waiting[earlier >= starts[waiting]]
        earlier = edges[waiting] - distance
        waiting = waiting[targets[earlier] == targets[edges[waiting]]]
        same[waiting] += 1
        distance += 1
    return same
