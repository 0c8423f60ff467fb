"""Compiled texts over pairs: which pairs are joined, and values of edges, row by row.

The bits are those of `neurosim.network.wiring.pair_texts`, which walks the same trees with NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...compiled import cache
from ...compiled.cores import cores
from ...draws.compiled_edges import edge_blocks, even_blocks, run_blocks
from ...draws.sampling import index_type, pointer_of
from ...draws.streams import Stream
from ...expr.printing import Target, show
from ...expr.tree import Draw, Expr, Number, draws, names
from ..edges import IntArray
from .pairs import Pairs, Side, draw_stream, side_of

_HEADER = '''"""Texts over pairs of neurons."""

import numpy as np

from neurosim.compiled.cached import njit
from neurosim.compiled.functions import FUNCTIONS
from neurosim.draws.compiled_pairs import CHUNK, fill_uniforms, normal_of_pair, uniform_of_pair

'''
# Some targets at a time: loops without branches over them vectorise.
_SELECT = """
@njit
def select(sources, targets, pre, post, keys, out, counts, wrong):
    _repeat, _edges, _size = 0, 0, targets.size
    _holds, _chance, _uniform = np.empty(CHUNK), np.empty(CHUNK), np.zeros(CHUNK)
    for _row in range(sources.size):
        _source, _start = sources[_row], _edges
{at_source}
        for _first in range(0, _size, CHUNK):
            _chunk = targets[_first : _first + CHUNK]
            _post = post[:, _first : _first + CHUNK]
            _any = 0.0
            for _k in range(_chunk.size):
                _target = _chunk[_k]
{at_target}
                _holds[_k] = {condition}
                _chance[_k] = {p}
                _any += _holds[_k]
            if _any == 0.0:
                continue
            if {random}:
                fill_uniforms(_uniform, _chunk, _source, keys[0], keys[1])
            for _k in range(_chunk.size):
                if _holds[_k] != 0.0:
                    if not (_chance[_k] >= 0.0 and _chance[_k] <= 1.0):
                        wrong[0], wrong[1] = _row, _first + _k
                        return -1
                    if _uniform[_k] < _chance[_k]:
                        out[_edges] = _first + _k
                        _edges += 1
        counts[_row] = _edges - _start
    return _edges
"""
_EVALUATE = """
@njit
def evaluate(sources, pointer, targets, pre, post, keys, out):
    for _row in range(sources.size):
        _source, _repeat, _last = sources[_row], 0, -1
{at_source}
        for _edge in range(pointer[_row], pointer[_row + 1]):
            _target = targets[_edge]
            _repeat = _repeat + 1 if _target == _last else 0
            _last = _target
{at_target}
            out[_edge - pointer[0]] = {value}
"""


class WrongProbability(Exception):
    """The position of a pair whose probability does not lie between 0 and 1."""

    def __init__(self, row: int, column: int) -> None:
        super().__init__(row, column)
        self.row = row
        self.column = column


@dataclass(frozen=True, eq=False)
class _Texts:
    """Printed texts and the numbers that they read.

    Attributes
    ----------
    names : dict of lists of str
        Names of each side, by their row among its values.
    numbers : dict of draw -> int
        Position of each random draw among the keys.
    called : set of str
        Functions that the printed texts call.
    """

    pairs: Pairs
    trees: Sequence[Expr]
    names: dict[str, list[str]]
    numbers: dict[Draw, int]
    called: set[str] = field(default_factory=lambda: {"where"})

    @classmethod
    def of(cls, pairs: Pairs, trees: Sequence[Expr]) -> _Texts:
        read = set().union(*(names(tree) for tree in trees))
        # The distance is computed from positions, which the texts need not name.
        if "distance" in read:
            read |= names(pairs.distance)
        sides = {side: sorted(n for n in read if side_of(n) == side) for side in ("pre", "post")}
        drawn = set().union(*(draws(tree) for tree in trees))
        ordered = sorted(drawn, key=lambda draw: draw.key)
        # From 1: the first key is that of the stream itself, which decides about edges.
        numbers = {draw: number for number, draw in enumerate(ordered, 1)}
        return cls(pairs, trees, sides, numbers)

    def module(
        self,
        template: str,
        *,
        read: str,
        width: int,
        **lines: str,
    ) -> Any:
        """Return the module of a template with its texts, compiled or from the cache.

        Parameters
        ----------
        template : str
        read : str
            How a value of the target is read, with ``{}`` for its row.
        width : int
            Columns before the lines that do so.
        **lines : str
            Further texts of the template.
        """
        at_target = [f"{name} = {read.format(k)}" for k, name in enumerate(self.names["post"])]
        if any("distance" in names(tree) for tree in self.trees):
            at_target.append(f"distance = {self.print(self.pairs.distance)}")
        at_source = [f"{name} = pre[{k}, _source]" for k, name in enumerate(self.names["pre"])]
        text = template.format(
            at_source=_indent(at_source, 8), at_target=_indent(at_target, width), **lines
        )
        # Sorted, so that equal texts give equal source, which the cache recognises.
        functions = "".join(f'{name} = FUNCTIONS["{name}"]\n' for name in sorted(self.called))
        return cache.load("pairs", f"{_HEADER}{functions}\n{text}")

    def print(self, tree: Expr) -> str:
        """Return an expression whose conditions are 1.0 or 0.0."""
        target = Target(
            name=lambda name: name,
            number=lambda number: repr(float(number.value)),
            call=self._call,
            draw=self._draw,
            lookup=lambda table: table,
            expand_powers=True,
            condition=lambda text: f"where({text}, 1.0, 0.0)",
            true=lambda text: f"({text} != 0.0)",
        )
        return show(tree, target)

    def _call(self, function: str, arguments: list[str]) -> str:
        self.called.add(function)
        return f"{function}({', '.join(arguments)})"

    def _draw(self, draw: Draw) -> str:
        at = 2 * self.numbers[draw]
        keys = f"keys[{at}], keys[{at + 1}]"
        return f"{draw.kind}_of_pair(_target, _source, _repeat, {keys})"

    def values(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the values of sources (P, N) and of targets (Q, N)."""
        return self._values_of("pre"), self._values_of("post")

    def _values_of(self, side: Side) -> NDArray[np.float64]:
        size = self.pairs.view(side).population.size
        rows = [self.pairs.whole(name) for name in self.names[side]]
        # Without any name the array still needs two dimensions: compiled code reads them.
        return np.array(rows).reshape(len(rows), size)

    def keys(self, stream: Stream) -> NDArray[np.int64]:
        """Return the keys of the stream, then of each draw, two words each."""
        streams = [stream, *(draw_stream(stream, draw) for draw in self.numbers)]
        return np.array([s.key for s in streams], np.int64).ravel()


def select_pairs(
    pairs: Pairs,
    condition: Expr | None,
    p: Expr,
    stream: Stream,
    *,
    expected: int,
) -> tuple[NDArray[np.int64], IntArray]:
    """Return the pointer (S + 1,) and target positions (E,) of the pairs that are joined.

    Parameters
    ----------
    pairs : Pairs
    condition : Expr or None
        None: all pairs.
    p : Expr
        Probability of an edge where the condition holds.
    stream : Stream
    expected : int
        Pairs to reserve memory for; memory that is not written to is not taken.

    Raises
    ------
    WrongProbability
    """
    texts = _Texts.of(pairs, [p] if condition is None else [condition, p])
    select = texts.module(
        _SELECT,
        read="_post[{}, _k]",
        width=16,
        condition="1.0" if condition is None else texts.print(condition),
        p=texts.print(p),
        # Certain pairs are compared with zeros, which are below 1.
        random=str(not (isinstance(p, Number) and p.value in (0.0, 1.0))),
    ).select
    sources = pairs.source.indices
    targets = pairs.target.indices
    pre, post = texts.values()
    post = np.ascontiguousarray(post[:, targets])
    keys = texts.keys(stream)
    dtype = index_type(targets.size)
    counts = np.zeros(sources.size, np.int64)
    bounds = even_blocks(sources.size, targets.size)
    # Edges of a block are copied out of a buffer for all its pairs, which bounds the memory.
    blocks: dict[int, IntArray] = {}

    def work(first: int, stop: int) -> None:
        out = np.empty((stop - first) * targets.size, dtype)
        wrong = np.zeros(2, np.int64)
        edges = select(
            sources[first:stop], targets, pre, post, keys, out, counts[first:stop], wrong
        )
        if edges < 0:
            raise WrongProbability(first + int(wrong[0]), int(wrong[1]))
        blocks[first] = out[:edges].copy()

    joined, edges = np.empty(expected, dtype), 0
    # Some blocks at a time: those of all pairs would take as much memory as what they make up.
    width = 4 * cores()
    for start in range(0, bounds.size - 1, width):
        some = bounds[start : start + width + 1]
        run_blocks(work, some)
        for part in (blocks.pop(first) for first in some[:-1].tolist()):
            if edges + part.size > joined.size:
                joined.resize(edges + part.size + edges // 8, refcheck=False)
            joined[edges : edges + part.size] = part
            edges += part.size
    joined.resize(edges, refcheck=False)
    return pointer_of(counts), joined


def evaluate_edges(
    pairs: Pairs,
    tree: Expr,
    stream: Stream,
    *,
    sources: IntArray,
    pointer: NDArray[np.int64],
    targets: IntArray,
) -> NDArray[np.float64]:
    """Return the values of a text for edges, (E,); see `pair_texts.PairText.at`."""
    texts = _Texts.of(pairs, [tree])
    evaluate = texts.module(
        _EVALUATE, read="post[{}, _target]", width=12, value=texts.print(tree)
    ).evaluate
    pre, post = texts.values()
    keys = texts.keys(stream)
    values = np.empty(targets.size)

    def work(first: int, stop: int) -> None:
        evaluate(
            sources[first:stop],
            pointer[first : stop + 1],
            targets,
            pre,
            post,
            keys,
            values[pointer[first] : pointer[stop]],
        )

    run_blocks(work, edge_blocks(pointer))
    return values


def _indent(lines: list[str], width: int) -> str:
    return "\n".join(" " * width + line for line in lines)
