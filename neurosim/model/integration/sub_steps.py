"""The adaptive method: sub-steps within a step, whose lengths keep an error below a tolerance.

Source: Dormand & Prince 1980, table 2, RK5(4)7M; the fifth-order value is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from ...expr.tree import Assign, Binary, Call, Expr, Name, Number, names, substitute

NOW = Name("_now")
"""The time at the beginning of a sub-step."""

LENGTH = Name("_length")
"""The length of a sub-step."""

AWAKE = Name("_awake")
"""1 unless the neuron is refractory."""

BELOW = Name("_below")
"""1 until the spike condition has held at the end of a sub-step."""

SHORTEST = 2.0**-52
"""The shortest sub-step, in parts of dt: with it all positions within a step are exact."""

_NODES = (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
_STAGES: tuple[tuple[float, ...], ...] = (
    (),
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
# The difference of the solutions of fifth and of fourth order.
_ERRORS = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
# A sub-step twice as long has 32 times this error; the rest is a margin.
_GROWTH = 64.0


@dataclass(frozen=True)
class Tolerances:
    """The error that a sub-step may have, and how many of them a step may take.

    Parameters
    ----------
    relative : float
        In parts of the value.
    absolute : pairs (state, value)
        Added to the relative error; in engine units.
    most : int
        Trials of a neuron in one step.
    """

    relative: float
    absolute: tuple[tuple[str, float], ...]
    most: int


@dataclass(frozen=True)
class SubSteps:
    """A loop over the sub-steps of a step, the same for every engine.

    In parts of dt, a neuron has ``left = 1`` to go, in a sub-step of ``share = 1``. While anything
    is left, the trial computes ``_new_x`` of each state x at the end of a sub-step of the length
    ``share * dt`` that begins at ``t + (1 - left) * dt``. If it is accepted, the states are
    assigned, ``share`` is subtracted from ``left``, and ``share`` is doubled if the error was
    small enough and ``left`` is a multiple of the double. Else ``share`` is halved. So both are
    exact binary fractions, and no step remembers another. If ``most`` trials or the shortest
    sub-step do not suffice, all states become NaN, which ends the run.

    Attributes
    ----------
    states : names
    trial : tuple of Assign
        Over the names of a cell's statements, ``_now``, ``_length``, ``_awake`` and ``_below``.
    accepted, small : Expr
        Conditions after a trial: it counts, and one twice as long would have counted.
    spike : Expr or None
        The spike condition, if states that its reset moves keep their values once it holds.
    after : int
        Statements of phase 2 that run before the loop: the others follow it.
    tolerances : Tolerances
    """

    states: tuple[str, ...]
    trial: tuple[Assign, ...]
    accepted: Expr
    small: Expr
    spike: Expr | None
    after: int
    tolerances: Tolerances

    @property
    def trees(self) -> list[Expr]:
        """All expressions of a sub-step."""
        ends = [self.accepted, self.small] + ([] if self.spike is None else [self.spike])
        return [s.value for s in self.trial] + ends


def adaptive_trial(
    derivatives: Mapping[str, Expr],
    tolerances: Tolerances,
    *,
    frozen: Sequence[str],
    held: Sequence[str],
) -> list[Assign]:
    """Return the statements of a trial; ``_error_x`` and ``_bound_x`` decide about it.

    Parameters
    ----------
    derivatives : state -> tree
        With definitions inlined; the time is ``_now``.
    tolerances : Tolerances
    frozen : names
        States that do not move while a neuron is refractory.
    held : names
        States that do not move once the spike condition has held.
    """
    trial: list[Assign] = []
    reads_time = any("_now" in names(tree) for tree in derivatives.values())
    for stage, (node, factors) in enumerate(zip(_NODES, _STAGES, strict=True)):
        values: dict[str, Expr] = {}
        is_last = stage == len(_STAGES) - 1
        for s in derivatives if stage else ():
            # The factors of the last stage are those of the solution: its states are the new ones.
            target = f"_new_{s}" if is_last else f"_x{stage}_{s}"
            change = Binary("*", LENGTH, _weighted(s, factors))
            trial.append(Assign(target, "=", Binary("+", Name(s), change)))
            values[s] = Name(target)
        if stage and reads_time:
            values["_now"] = Name(f"_time{stage}")
            since = Binary("*", Number(node), LENGTH)
            time = Binary("+", NOW, since)
            trial.append(Assign(f"_time{stage}", "=", time))
        for s, tree in derivatives.items():
            slope = substitute(tree, values)
            conditions = [AWAKE] * (s in frozen) + [BELOW] * (s in held)
            if conditions:
                moves = reduce(lambda a, b: Binary("and", a, b), conditions)
                slope = Call("where", (moves, slope, Number(0.0)))
            trial.append(Assign(f"_slope{stage}_{s}", "=", slope))
    absolute = dict(tolerances.absolute)
    for s in derivatives:
        difference = Binary("*", LENGTH, _weighted(s, _ERRORS))
        error = Call("abs", (difference,))
        # Of both ends: the bound by one end alone would almost vanish where a state crosses 0.
        sizes = [Call("abs", (Name(name),)) for name in (s, f"_new_{s}")]
        relative = Binary("*", Number(tolerances.relative), Call("max", tuple(sizes)))
        bound = Binary("+", Number(absolute[s]), relative)
        trial.append(Assign(f"_error_{s}", "=", error))
        trial.append(Assign(f"_bound_{s}", "=", bound))
    return trial


def within_tolerance(states: Sequence[str], *, growth: bool) -> Expr:
    """Return the condition that all errors of a trial, or of one twice as long, are small."""
    factor = _GROWTH if growth else 1.0
    # Written so that a value that is not a number is never within.
    conditions: list[Expr] = []
    for s in states:
        scaled = Binary("*", Number(factor), Name(f"_error_{s}"))
        conditions.append(Binary("<=", scaled, Name(f"_bound_{s}")))
    return reduce(lambda a, b: Binary("and", a, b), conditions)


def _weighted(state: str, factors: Sequence[float]) -> Expr:
    """Return the weighted sum of the slopes of a state."""
    terms: list[Expr] = [
        Binary("*", Number(factor), Name(f"_slope{stage}_{state}"))
        for stage, factor in enumerate(factors)
        if factor != 0
    ]
    return reduce(lambda a, b: Binary("+", a, b), terms)
