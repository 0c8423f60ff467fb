"""Integration methods: which one each state gets, and the statements that carry it over one step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..errors import ModelError
from ..expr.linear import ZERO, affine
from ..expr.tree import (
    Assign,
    Binary,
    Call,
    Draw,
    Expr,
    Name,
    Number,
    draws,
    names,
    rewrite,
    substitute,
)

DT = Name("dt")


@dataclass(frozen=True)
class Propagator:
    """The exact step of a linear group: x' = P x + Q b with [P Q] from the matrix exponential of A dt.

    ``matrix[i][j]`` is the coefficient of state j in the derivative of state i; ``reach`` holds the (i, j) where P and Q are not zero.
    """

    states: tuple[str, ...]
    matrix: tuple[tuple[Expr, ...], ...]
    reach: frozenset[tuple[int, int]]

    def name(self, part: str, i: int, j: int) -> str:
        """Return the name of an entry of P or Q; the numbers keep states apart whose joined names are alike."""
        return f"_{part}{i}_{j}_{self.states[i]}_{self.states[j]}"

    @property
    def names(self) -> list[str]:
        """Names of all entries that are not zero."""
        return [self.name(part, i, j) for i, j in sorted(self.reach) for part in "PQ"]


def choose(
    derivatives: Mapping[str, Expr], method: str | None, constants: set[str], *, where: str
) -> dict[str, str]:
    """Return the method of each state: exact where linear with constant coefficients, else exponential Euler, else Euler; or the named one.

    Raises
    ------
    ModelError
        If the named method cannot take an equation.
    """
    noisy = {s for s, tree in derivatives.items() if any(d.kind == "xi" for d in draws(tree))}
    exact = linear_group(
        {s: t for s, t in derivatives.items() if s not in noisy}, derivatives.keys(), constants
    )
    conditional = {
        s for s, tree in derivatives.items() if s not in noisy and affine(tree, {s}) is not None
    }
    for s in noisy:
        _noise_split(s, derivatives[s], where=where)
    if method is None:
        return {
            s: "exact" if s in exact else "exponential_euler" if s in conditional else "euler"
            for s in derivatives
        }
    smooth = derivatives.keys() - noisy
    able = {
        "exact": exact,
        "exponential_euler": conditional,
        "euler": derivatives.keys(),
        "heun": smooth,
        "rk4": smooth,
    }
    for s in derivatives:
        if s not in able[method]:
            reason = (
                "it contains noise"
                if s in noisy
                else {"exact": "it is not linear with constant coefficients"}.get(
                    method, f"it is not linear in {s}"
                )
            )
            raise ModelError(
                f"{where}, equation of {s}: method {method!r} cannot take it, because {reason}. Use method='euler', or leave the method out."
            )
    return dict.fromkeys(derivatives, method)


def linear_group(
    candidates: Mapping[str, Expr], changing: Iterable[str], constants: set[str]
) -> set[str]:
    """Return the states that form closed linear equations with constant coefficients."""
    group = set(candidates)
    while True:
        for s in sorted(group):
            split = affine(candidates[s], group)
            others = set(changing) - group
            if (
                split is None
                or any(names(c) - constants or draws(c) for c in split[0].values())
                or names(split[1]) & others
            ):
                group.discard(s)
                break
        else:
            return group


def statements(
    derivatives: Mapping[str, Expr], methods: Mapping[str, str], *, where: str
) -> tuple[list[Assign], Propagator | None]:
    """Return the statements of one step, all new values computed before any is assigned, and the propagator of the exact group."""
    order = [s for s in derivatives]
    made: list[Assign] = []
    propagator = None
    exact = [s for s in order if methods[s] == "exact"]
    if exact:
        propagator, exact_statements = _exact(exact, derivatives)
        made += exact_statements
    for s in order:
        if methods[s] == "exponential_euler":
            slope = affine(derivatives[s], {s})[0].get(s, ZERO)
            factor = Binary("*", DT, Call("expm1_ratio", (Binary("*", slope, DT),)))
            made.append(_new(s, Binary("+", Name(s), Binary("*", factor, derivatives[s]))))
        elif methods[s] == "euler":
            made.append(_new(s, _euler(s, derivatives[s], where)))
    staged = [s for s in order if methods[s] in ("heun", "rk4")]
    if staged:
        made += _runge_kutta(staged, derivatives, TABLEAUS[methods[staged[0]]])
    return made + [Assign(s, "=", Name(f"_new_{s}")) for s in order], propagator


def _new(state: str, value: Expr) -> Assign:
    return Assign(f"_new_{state}", "=", value)


def _exact(group: list[str], derivatives: Mapping[str, Expr]) -> tuple[Propagator, list[Assign]]:
    splits = [affine(derivatives[s], set(group)) for s in group]
    matrix = tuple(tuple(coefficients.get(s, ZERO) for s in group) for coefficients, _ in splits)
    reach = {
        (i, j) for i, row in enumerate(matrix) for j, c in enumerate(row) if c != ZERO or i == j
    }
    while grown := {(i, k) for i, j in reach for j2, k in reach if j == j2} - reach:
        reach |= grown
    propagator = Propagator(tuple(group), matrix, frozenset(reach))
    made, inputs = [], {}
    for j, (_, rest) in enumerate(splits):
        if rest != ZERO:
            inputs[j] = Name(f"_input_{group[j]}")
            made.append(Assign(inputs[j].name, "=", rest))
    for i, s in enumerate(group):
        terms = [
            Binary("*", Name(propagator.name("P", i, j)), Name(group[j]))
            for j in range(len(group))
            if (i, j) in reach
        ]
        terms += [
            Binary("*", Name(propagator.name("Q", i, j)), inputs[j])
            for j in inputs
            if (i, j) in reach
        ]
        total = terms[0]
        for term in terms[1:]:
            total = Binary("+", total, term)
        made.append(_new(s, total))
    return propagator, made


def _noise_split(s: str, tree: Expr, *, where: str) -> tuple[list[tuple[Draw, Expr]], Expr]:
    found = sorted((d for d in draws(tree) if d.kind == "xi"), key=lambda d: d.key)
    split = affine(
        rewrite(
            tree, lambda n: Name(f"_xi_{n.key}") if isinstance(n, Draw) and n.kind == "xi" else n
        ),
        {f"_xi_{d.key}" for d in found},
    )
    if split is None:
        raise ModelError(
            f"{where}, equation of {s}: xi appears other than as 'expression * xi'. Write noise as an added term, such as 'sigma * xi'."
        )
    return [(d, split[0][f"_xi_{d.key}"]) for d in found], split[1]


def _euler(s: str, tree: Expr, where: str) -> Expr:
    """Euler, and Euler-Maruyama for the noise: x + dt f + sqrt(dt) g N(0, 1)."""
    noise, drift = _noise_split(s, tree, where=where)
    total = Binary("+", Name(s), Binary("*", DT, drift))
    for draw, amplitude in noise:
        kick = Binary("*", Binary("*", Call("sqrt", (DT,)), amplitude), Draw("normal", draw.key))
        total = Binary("+", total, kick)
    return total


# (nodes: weight of the previous slope, weights of the sum, divisor). Heun; classical Runge-Kutta of order 4.
TABLEAUS: dict[str, tuple[tuple[float, ...], tuple[float, ...], float]] = {
    "heun": ((0.0, 1.0), (1.0, 1.0), 2.0),
    "rk4": ((0.0, 0.5, 0.5, 1.0), (1.0, 2.0, 2.0, 1.0), 6.0),
}


def _runge_kutta(states: list[str], derivatives: Mapping[str, Expr], tableau) -> list[Assign]:
    nodes, weights, divisor = tableau
    made: list[Assign] = []
    for stage, node in enumerate(nodes):
        at = {s: Name(f"_x{stage}_{s}") for s in states} if stage else {}
        for s in states if stage else ():
            step = Binary("*", Binary("*", Number(node), DT), Name(f"_k{stage - 1}_{s}"))
            made.append(Assign(f"_x{stage}_{s}", "=", Binary("+", Name(s), step)))
        for s in states:
            made.append(Assign(f"_k{stage}_{s}", "=", substitute(derivatives[s], at)))
    for s in states:
        total: Expr | None = None
        for stage, weight in enumerate(weights):
            term = Binary("*", Number(weight), Name(f"_k{stage}_{s}"))
            total = term if total is None else Binary("+", total, term)
        made.append(
            _new(s, Binary("+", Name(s), Binary("*", Binary("/", DT, Number(divisor)), total)))
        )
    return made
