"""Parameters and definitions that read each other: their order, their units and their size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ..errors import ModelError, describe_circle
from ..expr.dimensions import dimension, expect, resolve_units
from ..expr.printing import show
from ..expr.tree import DEEPEST, LARGEST, Draw, Expr, Lookup, Name, extent, names, walk
from ..units import NUMBER, Exponents, of
from .declarations import Constant, Definition
from .parsing import UNKNOWN


def resolve_parameters(
    parameters: tuple[Constant, ...], owner: str, words: Mapping[str, Exponents]
) -> tuple[Constant, ...]:
    """Return parameters so that each comes after those that it reads.

    Names of units become numbers. Text over others gets its unit, unless one is declared.

    Parameters
    ----------
    parameters
        Each may be read by the others.
    owner : str
        Begins messages.
    words : name -> exponents
        Further names that may be read.
    """
    constants = {p.name: p for p in parameters}
    trees = {p.name: p.value for p in parameters if isinstance(p.value, Expr)}
    # Numbers come first: text can read every one of them.
    resolved = {p.name: p for p in parameters if p.name not in trees}

    def circle(left: list[str]) -> str:
        return f"{owner}: {describe_circle(left, 'parameter')}"

    for name in _order(trees, circle):
        known = {**words, **{n: p.unit.exponents for n, p in resolved.items()}}
        where = f"{owner}, parameter {name!r}"
        resolved[name] = _resolve_parameter(constants[name], trees[name], known, where)
    return tuple(resolved.values())


def _resolve_parameter(
    parameter: Constant,
    tree: Expr,
    known: Mapping[str, Exponents],
    where: str,
) -> Constant:
    require_constant(tree, where)
    tree = resolve_units(tree, known, where=where)
    if parameter.unit != UNKNOWN:
        expect(tree, known, parameter.unit.exponents, where=where)
        return replace(parameter, value=tree)
    # Text over others needs no declared unit: it follows from theirs.
    exponents = dimension(tree, known, where=where)
    return replace(parameter, value=tree, unit=of(NUMBER if exponents is None else exponents))


def require_constant(tree: Expr, where: str, *, draws: bool = False) -> None:
    """Refuse a tree that has no value before a run: it reads time, a table or, unless allowed, a
    random draw.
    """
    for node in walk(tree):
        if isinstance(node, Draw):
            if draws:
                continue
            cause = "a random draw"
            remedy = "Give a draw such as ns.uniform(0, 1), or write it in the network"
        elif isinstance(node, Lookup):
            cause = "time"
            remedy = (
                "Give the table itself, ns.table(values, every=...), or write it in an equation"
            )
        # dt, too: values of a model must not change with the step.
        elif isinstance(node, Name) and node.name in ("t", "dt"):
            cause = "time"
            remedy = "Write it in an equation"
        else:
            continue
        raise ModelError(
            f"{where}: {show(tree)!r} depends on {cause} ({show(node)}), expected a value for the "
            f"whole run. {remedy}."
        )


def require_definitions(
    definitions: tuple[Definition, ...], readers: Iterable[Expr], owner: str
) -> None:
    """Refuse definitions that need themselves, and expressions that are too large with them.

    Parameters
    ----------
    definitions
    readers : trees
        Every tree that may read the definitions.
    owner : str
        Begins messages.
    """
    trees = {d.name: d.tree for d in definitions}
    extents: dict[str, tuple[int, int]] = {}

    def circle(left: list[str]) -> str:
        needs = "equation of {}: it needs itself"
        if len(left) > 1:
            needs = "equations of {}: they need each other"
        return (
            f"{owner}, {needs.format(', '.join(left))}, expected a definition over other names. "
            "Make one of the names a state."
        )

    for name in _order(trees, circle):
        extents[name] = _require_extent(trees[name], extents, owner)
    # A reader can be larger than each of the definitions that it reads.
    for tree in readers:
        _require_extent(tree, extents, owner)


def _require_extent(
    tree: Expr, extents: Mapping[str, tuple[int, int]], owner: str
) -> tuple[int, int]:
    # Engines write definitions out, and walk the result by recursion.
    depth, size = extent(tree, extents)
    if depth > DEEPEST or size > LARGEST:
        raise ModelError(
            f"{owner}: {show(tree)[:80]!r} with its definitions written out has {size} operations, "
            f"{depth} deep; expected at most {LARGEST}, {DEEPEST} deep. "
            "Make one of the definitions a state, or write it in several statements."
        )
    return depth, size


def _order(trees: Mapping[str, Expr], message: Callable[[list[str]], str]) -> list[str]:
    """Return names so that each comes after those that it reads."""
    left = {name: names(tree) & trees.keys() for name, tree in trees.items()}
    # A dictionary, because sets have no order.
    order: dict[str, set[str]] = {}
    while left:
        # Rounds keep the user's order among names that are independent of each other.
        ready = [name for name, read in left.items() if read <= order.keys()]
        if not ready:
            raise ModelError(message(sorted(left)))
        for name in ready:
            order[name] = left.pop(name)
    return list(order)
