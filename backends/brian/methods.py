"""The method by which Brian 2 integrates a cell, and the equations that it cannot take."""

from __future__ import annotations

from neurosim.expr.linear import affine
from neurosim.expr.tree import Draw, Expr, Name, draws, names, rewrite
from neurosim.ir.discretise import expand
from neurosim.model.cell import Cell
from neurosim.model.integration.methods import choose
from neurosim.model.names import Method


def plain(cell: Cell) -> dict[str, Expr]:
    """Return the derivatives of a cell, definitions written out."""
    written = expand(cell)
    return {s.name: written(s.derivative) for s in cell.states if s.derivative is not None}


def ours(cell: Cell) -> dict[str, Method]:
    """Return our method of each state."""
    return choose(
        plain(cell), cell.method, {p.name for p in cell.parameters}, where=f"cell {cell.name!r}"
    )


def scheme(cell: Cell) -> str:
    """Return in words how Brian 2's scheme for a cell differs from that of our engines."""
    method = method_of(cell)
    our_methods = set(ours(cell).values())
    if cell.step is not None:
        return "its step statements are left out, so the scheme is another"
    if method == "exact":
        return (
            "the same up to rounding; where time constants are equal, or a state has none, "
            "by its 'rk4'"
        )
    alone = all(
        names(tree) & {s.name for s in cell.states} <= {state}
        for state, tree in plain(cell).items()
        if ours(cell)[state] == "exact"
    )
    # Exponential Euler is exact for a linear equation that reads no other state.
    same = our_methods == {method} or (
        method == "exponential_euler" and our_methods == {"exact", "exponential_euler"} and alone
    )
    limit = (
        "; not finite where the coefficient of a state in its own equation is 0"
        if method == "exponential_euler"
        else ""
    )
    return ("the same up to rounding" if same else "another scheme than ours") + limit


def method_of(cell: Cell) -> str:
    """Return Brian 2's method for a cell.

    Unless the cell names one that it has, too: exact, exponential Euler or rk2 (Euler if there are
    draws), the first that can take all its equations.
    """
    derivatives = plain(cell)
    if cell.method == "milstein":
        return (
            "euler"  # Brian 2's "milstein" is one of Stratonovich; noise that is left is additive
        )
    if cell.method == "heun":
        return "rk2"  # Brian 2's "heun" is Euler's method if there is no noise
    if cell.method == "adaptive":
        return "rk4"  # the most accurate of those that need no other library
    if cell.method not in (None, "midpoint") or not derivatives:
        return cell.method or "euler"
    our_methods = set(ours(cell).values())
    # Brian 2 has one method for all equations of a group, so the least demanding state decides.
    if "euler" in our_methods:
        return "euler"
    if "midpoint" in our_methods and any(affine(t, {s}) is None for s, t in derivatives.items()):
        return "euler" if any(draws(tree) for tree in derivatives.values()) else "rk2"
    # Its exact method refuses equations that change with time.
    by_time = any("t" in names(tree) or draws(tree) for tree in derivatives.values())
    is_exact = our_methods == {"exact"} and not by_time
    return "exact" if is_exact else "exponential_euler"


def reason_against(cell: Cell) -> str | None:
    """Return why Brian 2 cannot integrate a cell by itself; None if it can."""
    bare = {s.name for s in cell.states if s.derivative is None} & {
        s.target for s in cell.step or ()
    }
    if bare:
        return (
            "it is stepped by statements, and no derivatives stand beside them for "
            f"{', '.join(sorted(bare))}."
        )
    for state, tree in plain(cell).items():
        # Noise becomes a name, so that its coefficients can be read off as those of any variable.
        noise = {f"_xi_{d.key}" for d in draws(tree) if d.kind == "xi"}
        split = affine(
            rewrite(
                tree,
                lambda n: Name(f"_xi_{n.key}") if isinstance(n, Draw) and n.kind == "xi" else n,
            ),
            noise,
        )
        if (
            split is not None
            and noise
            and any(names(c) & {"t", *(s.name for s in cell.states)} for c in split[0].values())
        ):
            return (
                f"the noise of {state} depends on a state or on time, which Brian 2's method "
                "'euler' refuses."
            )
    return None
