"""Trees become source over tensors; its words are loaded from here."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import CodeType
from typing import Any

import torch
from torch import Tensor

from neurosim.expr.evaluate import evaluate
from neurosim.expr.printing import Target, show
from neurosim.expr.tree import (
    Binary,
    Call,
    Draw,
    Expr,
    Number,
    Unary,
    children,
    whole_power,
)

from .functions import FUNCTIONS, functions_of

# Words of printed source. A user may call a parameter so; words with an underscore in front cannot
# clash, since no name of a user begins with one.
RESERVED = FUNCTIONS.keys() | {"truth", "spread", "values", "inf", "nan"}


def words(dtype: torch.dtype = torch.float64) -> dict[str, Any]:
    """Return the names that printed source calls: the language's functions and three more.

    Parameters
    ----------
    dtype : torch.float64 or torch.float32
        Of all numbers.
    """

    def truth(condition: Any) -> Tensor:
        """Return a condition as 1.0 or 0.0."""
        return torch.as_tensor(condition).to(dtype)

    return {
        **functions_of(dtype),
        "truth": truth,
        "spread": spread,
        "inf": float("inf"),
        "nan": float("nan"),
    }


def spread(value: Any, like: Tensor) -> Tensor:
    """Return a value with the shape and type of another one, of which it may be an element."""
    if not isinstance(value, Tensor):
        return torch.full_like(like, value)
    if value.shape == like.shape and value.dtype == like.dtype:
        return value
    value = value.to(like.dtype)
    # A value may have samples where the state has none yet.
    return value if value.dim() > like.dim() else value.expand(like.shape)


def local(name: str) -> str:
    """Return a user's name as it stands in printed source: changed if the source needs the word."""
    return f"_user_{name}" if name in RESERVED else name


def draw_name(draw: Draw) -> str:
    """Return the name of a random number in printed source."""
    return f"_draw{draw.key}"


def line(tree: Expr) -> str:
    """Print one expression: every value is a number, conditions are 1.0 or 0.0."""
    return show(fold(tree), _TARGET)


def fold(tree: Expr) -> Expr:
    """Replace parts without names and draws by their values.

    Two numbers of Python must not meet in printed source: there a division by 0 raises.
    """
    if isinstance(tree, Binary) and tree.op == "**":
        if whole_power(tree) is None:
            return fold(Call("pow", (tree.left, tree.right)))
        tree = replace(tree, left=fold(tree.left))  # the exponent says how often it is written
    else:
        tree = _with_children(tree, tuple(fold(child) for child in children(tree)))
    parts = children(tree)
    if not parts or not all(isinstance(part, Number) for part in parts):
        return tree
    return Number(float(evaluate(tree, _no_name)))


def _with_children(tree: Expr, parts: tuple[Expr, ...]) -> Expr:
    match tree:
        case Unary():
            return replace(tree, operand=parts[0])
        case Binary():
            return replace(tree, left=parts[0], right=parts[1])
        case Call():
            return replace(tree, arguments=parts)
    return tree


def _no_name(name: str) -> Any:
    raise LookupError(name)


_TARGET = Target(
    name=local,
    number=lambda n: repr(float(n.value)),
    call=lambda function, arguments: f"{function}({', '.join(arguments)})",
    draw=draw_name,
    lookup=local,
    expand_powers=True,
    condition=lambda text: f"truth({text})",
    true=lambda text: f"({text} != 0.0)",
    negation="~",
)


def load(source: str, names: Mapping[str, Any], *, title: str) -> dict[str, Callable[..., Any]]:
    """Return the functions of printed source.

    Parameters
    ----------
    source : str
    names : word -> meaning
        See `words`; whoever differentiates gives functions with derivatives.
    title : str
        Stands in tracebacks in place of a file.
    """
    path = f"<neurosim {title} {hash(source):x}>"
    # So that tracebacks, debuggers and the compiler of torch find the lines.
    linecache.cache[path] = len(source), None, source.splitlines(keepends=True), path
    code: CodeType = compile(source, path, "exec")
    namespace = dict(names)
    exec(code, namespace)
    return {
        name: value
        for name, value in namespace.items()
        if name not in names and callable(value) and not name.startswith("_")
    }
