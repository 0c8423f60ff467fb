"""One-line faults that can be planted in a source: their places and the texts put there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

SWAPPED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Add: (r"\+", "-"),
    ast.Sub: (r"-", "+"),
    ast.Mult: (r"\*", "/"),
    ast.Div: (r"/", "*"),
    ast.FloorDiv: (r"//", "/"),
    ast.Mod: (r"%", "*"),
    ast.Pow: (r"\*\*", "*"),
    ast.LShift: (r"<<", ">>"),
    ast.RShift: (r">>", "<<"),
    ast.BitAnd: (r"&", "|"),
    ast.BitOr: (r"\|", "&"),
    ast.BitXor: (r"\^", "&"),
    ast.Lt: (r"<", "<="),
    ast.LtE: (r"<=", "<"),
    ast.Gt: (r">", ">="),
    ast.GtE: (r">=", ">"),
    ast.Eq: (r"==", "!="),
    ast.NotEq: (r"!=", "=="),
    ast.Is: (r"\bis\b", "is not"),
    ast.IsNot: (r"\bis\s+not\b", "is"),
    ast.In: (r"\bin\b", "not in"),
    ast.NotIn: (r"\bnot\s+in\b", "in"),
    ast.And: (r"\band\b", "or"),
    ast.Or: (r"\bor\b", "and"),
}
# Texts for people, types and decorators: a fault there changes no behaviour, or no number.
SPARED = {"annotation", "returns", "decorator_list", "type_params", "bases"}

# Calls that fail by themselves, at once, when their arguments are swapped.
CHECKED_CALLS = {"isinstance", "issubclass", "getattr", "hasattr", "setattr", "range"}

# Calls that give the same in any order of their arguments.
SYMMETRIC_CALLS = {"max", "min", "np.maximum", "np.minimum"}


@dataclass(frozen=True)
class Mutation:
    """A replacement of bytes of a source.

    Attributes
    ----------
    kind : str
        "operator", "comparison", "constant", "condition", "statement" or "arguments".
    line : int
        From 1.
    start, end : int
        Range of bytes.
    text : str
        In their place.
    """

    kind: str
    line: int
    start: int
    end: int
    text: str

    def plant(self, source: str) -> str:
        """Return the source with the fault."""
        data = source.encode()
        return (data[: self.start] + self.text.encode() + data[self.end :]).decode()


class _Source:
    """A source by bytes, as the positions of its tree count."""

    def __init__(self, text: str) -> None:
        self.data = text.encode()
        self._lines = [0]
        for line in self.data.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def start(self, node: ast.expr | ast.stmt) -> int:
        return self._lines[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self._lines[node.end_lineno - 1] + node.end_col_offset

    def text(self, node: ast.expr | ast.stmt) -> str:
        return self.data[self.start(node) : self.end(node)].decode()

    def line(self, position: int) -> int:
        return self.data.count(b"\n", 0, position) + 1


def mutations(text: str) -> list[Mutation]:
    """Return all faults that can be planted in a source, in its order, each on one line."""
    source = _Source(text)
    distinct = {
        mutation
        for node in _nodes(ast.parse(text))
        for mutation in _of_node(source, node)
        if "\n" not in source.data[mutation.start : mutation.end].decode()
    }
    return sorted(distinct, key=lambda m: (m.start, m.end, m.text))


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run, without texts for people, annotations and decorators."""
    for name, value in ast.iter_fields(node):
        if name in SPARED:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_spared(child):
                yield child
                yield from _nodes(child)


def _is_spared(node: ast.AST) -> bool:
    if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.annotation) == "TypeAlias"
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def _of_node(source: _Source, node: ast.AST) -> Iterator[Mutation]:
    match node:
        case ast.BinOp():
            yield from _swapped(source, "operator", node.op, node.left, node.right)
        case ast.BoolOp():
            for left, right in pairwise(node.values):
                yield from _swapped(source, "operator", node.op, left, right)
        case ast.Compare():
            operands = [node.left, *node.comparators]
            for op, (left, right) in zip(node.ops, pairwise(operands), strict=True):
                yield from _swapped(source, "comparison", op, left, right)
        case ast.Constant():
            yield from _constant(source, node)
        case ast.If() | ast.While() | ast.IfExp():
            yield _replaced(source, "condition", node.test, f"not ({source.text(node.test)})")
        case ast.Call():
            yield from _arguments(source, node)
        case ast.stmt():
            yield from _statement(source, node)


def _swapped(
    source: _Source, kind: str, op: ast.AST, left: ast.expr, right: ast.expr
) -> Iterator[Mutation]:
    """Yield another operator between two operands, around which there may be brackets."""
    pattern, text = SWAPPED.get(type(op), ("", ""))
    gap = source.end(left)
    operator = re.search(pattern.encode(), source.data[gap : source.start(right)])
    if text and operator:
        start = gap + operator.start()
        yield Mutation(kind, source.line(start), start, gap + operator.end(), text)


def _constant(source: _Source, node: ast.Constant) -> Iterator[Mutation]:
    """Yield another truth value, or a number greater by one."""
    if isinstance(node.value, bool):
        yield _replaced(source, "constant", node, str(not node.value))
    elif isinstance(node.value, int | float):
        yield _replaced(source, "constant", node, repr(node.value + 1))


def _arguments(source: _Source, node: ast.Call) -> Iterator[Mutation]:
    """Yield the first two positional arguments in the other order."""
    if len(node.args) < 2 or ast.unparse(node.func) in CHECKED_CALLS | SYMMETRIC_CALLS:
        return
    first, second = node.args[:2]
    if isinstance(first, ast.Starred) or isinstance(second, ast.Starred):
        return
    start, end = source.start(first), source.end(second)
    gap = source.data[source.end(first) : source.start(second)].decode()
    if source.text(first) != source.text(second):
        text = source.text(second) + gap + source.text(first)
        yield Mutation("arguments", first.lineno, start, end, text)


def _statement(source: _Source, node: ast.stmt) -> Iterator[Mutation]:
    """Yield nothing in place of a call or an assignment, and another sign of an addition."""
    if isinstance(node, ast.AugAssign):
        yield from _swapped(source, "operator", node.op, node.target, node.value)
    stored = isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name | ast.Tuple)
    called = isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
    if stored or called or isinstance(node, ast.AugAssign | ast.Delete):
        yield _replaced(source, "statement", node, "pass")


def _replaced(source: _Source, kind: str, node: ast.expr | ast.stmt, text: str) -> Mutation:
    return Mutation(kind, node.lineno, source.start(node), source.end(node), text)
