"""Integration methods: the choice for each state, and the statements of one step."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...errors import ModelError
from ...expr.linear import ZERO, affine
from ...expr.tree import (
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
from ..names import Method

DT = Name("dt")


@dataclass(frozen=True)
class Propagator:
    """The exact step of a linear group: x' = P x + Q b.

    [P Q] comes from the matrix exponential of A dt, where A is ``matrix`` and b the inputs.

    Parameters
    ----------
    states : names
    matrix : (S, S) trees
        ``matrix[i][j]`` is the coefficient of state j in the derivative of state i.
    reach : pairs (i, j)
        The entries of P and Q that are not zero.
    """

    states: tuple[str, ...]
    matrix: tuple[tuple[Expr, ...], ...]
    reach: frozenset[tuple[int, int]]

    def name(self, part: str, i: int, j: int) -> str:
        """Return the name of an entry of P or Q.

        The numbers keep states apart whose joined names are alike.

        Parameters
        ----------
        part : str
            ``"P"`` or ``"Q"``.
        i, j : int
            Row and column: the state that is computed, and the one that acts on it.
        """
        return f"_{part}{i}_{j}_{self.states[i]}_{self.states[j]}"

    @property
    def names(self) -> list[str]:
        """Names of all entries that are not zero."""
        # Sorted: the names are part of generated code, whose cache is found by its text.
        return [self.name(part, i, j) for i, j in sorted(self.reach) for part in "PQ"]


def choose(
    derivatives: Mapping[str, Expr],
    method: Method | None,
    constants: set[str],
    *,
    where: str,
) -> dict[str, Method]:
    """Return the method of each state: the named one, or the best that its equation allows.

    That is exact if the equation is linear with constant coefficients, else the midpoint method.
    Beside noise, which leaves no method its order, it is exponential Euler if the equation is
    linear in the state, else Euler.

    Parameters
    ----------
    derivatives : state -> tree
        With definitions inlined.
    method : str, optional
    constants : names
        Parameters, which do not change within a step.
    where : str
        Begins messages.

    Raises
    ------
    ModelError
        If the named method cannot take an equation.
    """
    noisy = {s for s, tree in derivatives.items() if _has_noise(tree)}
    smooth = {s: tree for s, tree in derivatives.items() if s not in noisy}
    exact = linear_group(smooth, derivatives.keys(), constants)
    conditional = {s for s, tree in smooth.items() if affine(tree, {s}) is not None}
    for s in noisy:
        # Called for its error about noise that is not an added term.
        _noise_split(s, derivatives[s], where=where)
    if method is None:
        # One state with noise decides for all: no method keeps its order beside noise.
        linear: Method = "exponential_euler" if noisy else "midpoint"
        other: Method = "euler" if noisy else "midpoint"
        best: dict[str, Method] = {s: linear if s in conditional else other for s in derivatives}
        solved: dict[str, Method] = dict.fromkeys(exact, "exact")
        return best | solved
    # These methods evaluate the slope several times: noise would have to be the same in each, and
    # their order would be lost.
    able: dict[Method, Collection[str]] = {
        "exact": exact,
        "midpoint": smooth.keys(),
        "exponential_euler": conditional,
        "euler": derivatives.keys(),
        "milstein": {s for s in derivatives if _is_own_noise(s, derivatives[s], noisy, where)},
        "heun": smooth.keys(),
        "rk4": smooth.keys(),
        "adaptive": smooth.keys(),
    }
    for s in derivatives:
        if s in able[method]:
            continue
        if method == "milstein":
            reason = f"the amplitude of its noise reads a state with noise other than {s!r}"
        elif s in noisy:
            reason = "it contains noise"
        elif method == "exact":
            reason = "it is not linear with constant coefficients"
        else:
            reason = f"it is not linear in {s}"
        raise ModelError(
            f"{where}, equation of {s}: method {method!r} cannot take it, because {reason}. "
            "Use method='euler', or leave the method out."
        )
    return dict.fromkeys(derivatives, method)


def _has_noise(tree: Expr) -> bool:
    return any(draw.kind == "xi" for draw in draws(tree))


def _is_own_noise(
    s: str,
    tree: Expr,
    noisy: Collection[str],
    where: str,
) -> bool:
    """Return whether noise is additive, or one xi times what reads no other state with noise."""
    noise, _ = _noise_split(s, tree, where=where)
    read = set().union(*(names(amplitude) for _, amplitude in noise))
    noisy_read = read & set(noisy)
    if not noisy_read:
        return True
    # The scheme has one support value: with two xi their products would need terms of their own.
    return len(noise) == 1 and noisy_read == {s}


def linear_group(
    candidates: Mapping[str, Expr], changing: Iterable[str], constants: set[str]
) -> set[str]:
    """Return the states that form closed linear equations with constant coefficients.

    Parameters
    ----------
    candidates : state -> tree
    changing : names
        All states that change, candidates or not.
    constants : names
        Parameters.
    """
    group = set(candidates)
    while True:
        # One at a time: without an unfit state, those that read it are unfit, too.
        unfit = next(
            (s for s in sorted(group) if not _is_linear(candidates[s], group, changing, constants)),
            None,
        )
        if unfit is None:
            return group
        group.discard(unfit)


def _is_linear(
    tree: Expr,
    group: set[str],
    changing: Iterable[str],
    constants: set[str],
) -> bool:
    """Return whether a derivative is linear over a group, with constant coefficients."""
    split = affine(tree, group)
    if split is None:
        return False
    coefficients, rest = split
    # Matrix exponentials are computed between steps, from parameters alone.
    if any(names(c) - constants or draws(c) for c in coefficients.values()):
        return False
    # The rest has to be constant within a step, as ports and tables are and other states are not.
    outside = set(changing) - group
    return not names(rest) & outside


def statements(
    derivatives: Mapping[str, Expr], methods: Mapping[str, Method], *, where: str
) -> tuple[list[Assign], Propagator | None]:
    """Return the statements of one step, and the propagator of the exact group.

    All new values are computed before any is assigned.

    Parameters
    ----------
    derivatives : state -> tree
    methods : state -> method
        As `choose` returned them.
    where : str
        Begins messages.
    """
    order = list(derivatives)
    new_values: list[Assign] = []
    propagator = None
    exact = [s for s in order if methods[s] == "exact"]
    if exact:
        propagator, exact_statements = _exact(exact, derivatives)
        new_values += exact_statements
    # After the exact group, whose new values enter the means that midpoint slopes read.
    middle = {s: derivatives[s] for s in order if methods[s] == "midpoint"}
    new_values += _midpoint(middle, derivatives, propagator)
    for s in order:
        tree = derivatives[s]
        if methods[s] == "exponential_euler":
            new_values.append(_assign_new(s, _exponential_euler(s, tree)))
        elif methods[s] == "euler":
            new_values.append(_assign_new(s, _euler(s, tree, where)))
        elif methods[s] == "milstein":
            new_values += _milstein(s, tree, where)
    staged = [s for s in order if methods[s] in TABLEAUS]
    if staged:
        # These methods are never chosen for one state alone: a named method holds for all.
        tableau = TABLEAUS[methods[staged[0]]]
        new_values += _runge_kutta(staged, derivatives, tableau)
    assigned = [Assign(s, "=", Name(f"_new_{s}")) for s in order]
    return new_values + assigned, propagator


def _assign_new(state: str, value: Expr) -> Assign:
    return Assign(f"_new_{state}", "=", value)


def _linear_split(tree: Expr, variables: set[str]) -> tuple[dict[str, Expr], Expr]:
    """Return the affine split of a tree that `choose` found to be linear."""
    split = affine(tree, variables)
    if split is None:
        raise TypeError(f"not linear in {sorted(variables)}: {tree}")
    return split


def _exact(group: list[str], derivatives: Mapping[str, Expr]) -> tuple[Propagator, list[Assign]]:
    members = set(group)
    splits = [_linear_split(derivatives[s], members) for s in group]
    rows = []
    for coefficients, _ in splits:
        rows.append(tuple(coefficients.get(s, ZERO) for s in group))
    matrix = tuple(rows)
    # The diagonal always: the exponential of a zero matrix is 1 there.
    reach = {(i, i) for i in range(len(group))}
    for i, row in enumerate(matrix):
        reach |= {(i, j) for j, c in enumerate(row) if c != ZERO}
    # A state acts on another through any chain of states between them.
    while grown := {(i, k) for i, j in reach for j2, k in reach if j == j2} - reach:
        reach |= grown
    propagator = Propagator(tuple(group), matrix, frozenset(reach))
    assignments: list[Assign] = []
    inputs: dict[int, Name] = {}
    for j, (_, rest) in enumerate(splits):
        if rest != ZERO:
            # Named, since an input enters the equations of every state that it reaches.
            inputs[j] = Name(f"_input_{group[j]}")
            assignments.append(Assign(inputs[j].name, "=", rest))
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
        assignments.append(_assign_new(s, _sum(terms)))
    return propagator, assignments


def _sum(terms: Sequence[Expr]) -> Expr:
    """Return the sum of terms, from the left."""
    total, *rest = terms
    for term in rest:
        total = Binary("+", total, term)
    return total


def _exponential_euler(s: str, tree: Expr) -> Expr:
    """Return x + dt (exp(a dt) - 1) / (a dt) f: exact for f = a x + b, constant within the step."""
    return Binary("+", Name(s), _exponential_step(s, tree, DT))


def _exponential_step(s: str, tree: Expr, time: Expr) -> Expr:
    """Return the change of a state over a time by its exponential."""
    coefficients, _ = _linear_split(tree, {s})
    slope = coefficients.get(s, ZERO)
    exponent = Binary("*", slope, time)
    # One function for (exp(z) - 1) / z: the quotient would lose its digits for a small step.
    ratio = Call("expm1_ratio", (exponent,))
    factor = Binary("*", time, ratio)
    return Binary("*", factor, tree)


def _midpoint(
    middle: Mapping[str, Expr], derivatives: Mapping[str, Expr], propagator: Propagator | None
) -> list[Assign]:
    """Return the statements of the midpoint method.

    Slopes are those of the middle of the step. There, states of the exact group have their means
    over the step, and others the value after half a step of exponential Euler (of Euler, if the
    equation is not linear in the state). With these, a state that is linear in itself takes one
    step of exponential Euler, which is stable for fast states; others add dt times the slope.
    """
    read: set[str] = set().union(*(names(tree) for tree in middle.values()))
    means = _means(propagator, derivatives, read)
    known: dict[str, Expr] = {s: Name(a.target) for s, a in means.items()}
    linear = {s for s, tree in middle.items() if affine(tree, {s}) is not None}
    moved = [
        s
        for s in middle
        if s not in linear or any(s in names(tree) for r, tree in middle.items() if r != s)
    ]
    half = Binary("*", Number(0.5), DT)
    statements = list(means.values())
    for s in moved:
        tree = middle[s]
        step = _exponential_step(s, tree, half) if s in linear else Binary("*", half, tree)
        statements.append(Assign(f"_half_{s}", "=", Binary("+", Name(s), step)))
    # The states themselves move to the middle, so that one that is frozen stays.
    for s in moved:
        statements += [Assign(f"_old_{s}", "=", Name(s)), Assign(s, "=", Name(f"_half_{s}"))]
    for s, tree in middle.items():
        tree = substitute(tree, known)
        old = Name(f"_old_{s}" if s in moved else s)
        step = Binary("*", DT, tree)
        if s in linear:
            step = substitute(_exponential_step(s, tree, DT), {s: old})
        statements.append(_assign_new(s, Binary("+", old, step)))
    return statements


def _means(
    propagator: Propagator | None, derivatives: Mapping[str, Expr], read: set[str]
) -> dict[str, Assign]:
    """Return the statements that compute the means over a step of states of the exact group.

    Without inputs the mean is Q x / dt; else the mean of both ends, which is as good in order.
    """
    if propagator is None:
        return {}
    group = propagator.states
    rests = [_linear_split(derivatives[s], set(group))[1] for s in group]
    has_input = [rest != ZERO for rest in rests]
    means: dict[str, Assign] = {}
    for i, s in enumerate(group):
        if s not in read:
            continue
        reached = [j for j in range(len(group)) if (i, j) in propagator.reach]
        if any(has_input[j] for j in reached):
            ends = Binary("+", Name(s), Name(f"_new_{s}"))
            mean = Binary("*", Number(0.5), ends)
        else:
            terms = []
            for j in reached:
                entry = Name(propagator.name("Q", i, j))
                # Q / dt first: it reads constants alone, so that the host computes it once.
                factor = Binary("/", entry, DT)
                terms.append(Binary("*", factor, Name(group[j])))
            mean = _sum(terms)
        means[s] = Assign(f"_mean_{s}", "=", mean)
    return means


def _noise_split(s: str, tree: Expr, *, where: str) -> tuple[list[tuple[Draw, Expr]], Expr]:
    """Return each xi of a derivative with its amplitude, and the rest of the derivative."""
    # By key: the order of their sum must not depend on how the equation is walked.
    noises = sorted((d for d in draws(tree) if d.kind == "xi"), key=lambda d: d.key)

    def as_name(node: Expr) -> Expr:
        if isinstance(node, Draw) and node.kind == "xi":
            return Name(f"_xi_{node.key}")
        return node

    # With draws as names, noise is one more variable in which the equation must be linear.
    split = affine(rewrite(tree, as_name), {f"_xi_{d.key}" for d in noises})
    if split is None:
        raise ModelError(
            f"{where}, equation of {s}: xi appears other than as 'expression * xi'. "
            "Write noise as an added term, such as 'sigma * xi'."
        )
    amplitudes, rest = split
    return [(d, amplitudes[f"_xi_{d.key}"]) for d in noises], rest


def _euler(s: str, tree: Expr, where: str) -> Expr:
    """Euler, and Euler-Maruyama for the noise: x + dt f + sqrt(dt) g N(0, 1)."""
    noise, drift = _noise_split(s, tree, where=where)
    step = Binary("*", DT, drift)
    total = Binary("+", Name(s), step)
    root = Call("sqrt", (DT,))
    for draw, amplitude in noise:
        # Grouped so that sqrt(dt) * sigma is a constant, which the host computes once.
        deviation = Binary("*", root, amplitude)
        kick = Binary("*", deviation, Draw("normal", draw.key))
        total = Binary("+", total, kick)
    return total


def _milstein(s: str, tree: Expr, where: str) -> list[Assign]:
    """Euler-Maruyama, and the change of the amplitude g within the step, in the sense of Ito.

    With ``y = x + dt f + sqrt(dt) g(x)``, the term is ``(g(y) - g(x)) (N^2 - 1) sqrt(dt) / 2``.

    Source: Kloeden & Platen 1992, equation 11.1.3, without derivatives.
    """
    noise, drift = _noise_split(s, tree, where=where)
    value = _euler(s, tree, where)
    if not any(s in names(amplitude) for _, amplitude in noise):
        return [_assign_new(s, value)]
    ((draw, amplitude),) = noise
    root = Call("sqrt", (DT,))
    step = Binary("*", DT, drift)
    deviation = Binary("*", root, amplitude)
    shift = Binary("+", step, deviation)
    # A difference in place of the derivative of g, which need not exist.
    support = Assign(f"_support_{s}", "=", Binary("+", Name(s), shift))
    shifted = substitute(amplitude, {s: Name(support.target)})
    change = Binary("-", shifted, amplitude)
    # The key of the xi itself: both terms must read the same number N.
    number = Draw("normal", draw.key)
    square = Binary("-", Binary("*", number, number), Number(1.0))
    half = Binary("*", Number(0.5), root)
    term = Binary("*", Binary("*", half, change), square)
    return [support, _assign_new(s, Binary("+", value, term))]


@dataclass(frozen=True)
class Tableau:
    """A Runge-Kutta method whose stages each use the slope of the stage before.

    Parameters
    ----------
    nodes : factors of dt
        Length of the step with the previous slope, for each stage.
    weights : numbers
        Of the slopes in the sum.
    divisor : float
        Of the sum.
    """

    nodes: tuple[float, ...]
    weights: tuple[float, ...]
    divisor: float


# Whole weights over one divisor, since 1/6 has no exact float.
TABLEAUS: dict[Method, Tableau] = {
    "heun": Tableau((0.0, 1.0), (1.0, 1.0), 2.0),
    "rk4": Tableau((0.0, 0.5, 0.5, 1.0), (1.0, 2.0, 2.0, 1.0), 6.0),  # the classical one
}


def _runge_kutta(
    states: list[str], derivatives: Mapping[str, Expr], tableau: Tableau
) -> list[Assign]:
    assignments: list[Assign] = []
    for stage, node in enumerate(tableau.nodes):
        if stage:
            time = Binary("*", Number(node), DT)
            for s in states:
                slope_before = Name(f"_k{stage - 1}_{s}")
                step = Binary("*", time, slope_before)
                moved = Binary("+", Name(s), step)
                assignments.append(Assign(f"_x{stage}_{s}", "=", moved))
        # The first stage reads the states themselves.
        values: dict[str, Expr] = {}
        if stage:
            values = {s: Name(f"_x{stage}_{s}") for s in states}
        for s in states:
            slope = substitute(derivatives[s], values)
            assignments.append(Assign(f"_k{stage}_{s}", "=", slope))
    for s in states:
        slopes: list[Expr] = []
        for stage, weight in enumerate(tableau.weights):
            slopes.append(Binary("*", Number(weight), Name(f"_k{stage}_{s}")))
        total = _sum(slopes)
        part = Binary("/", DT, Number(tableau.divisor))
        change = Binary("*", part, total)
        assignments.append(_assign_new(s, Binary("+", Name(s), change)))
    return assignments
