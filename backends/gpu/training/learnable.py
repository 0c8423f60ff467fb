"""The names that can learn: weights, parameters of populations, initial states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from neurosim.draws.values import Table
from neurosim.errors import NetworkError, describe, describe_unknown
from neurosim.expr.tree import Binary, Call, Expr, Name, Unary
from neurosim.ir.concrete import ConcreteNetwork, ConcretePopulation
from neurosim.ir.program import CellProgram, PopulationProgram, Program

from .gradients.conditions import distance
from .gradients.derivatives import STEPS

Sort = Literal["weight", "parameter", "initial"]


@dataclass(frozen=True)
class Learnable:
    """One name that can learn.

    Attributes
    ----------
    sort : Sort
    owner : str
        The projection or population.
    name : str
        The parameter or state; ``w`` of a projection.
    """

    sort: Sort
    owner: str
    name: str

    @property
    def label(self) -> str:
        """The name as users write it: ``layer``, ``hidden.tau``."""
        return self.owner if self.sort == "weight" else f"{self.owner}.{self.name}"

    @property
    def key(self) -> str:
        """The name as torch takes it, which allows no dots."""
        return self.label.replace(".", "/")


def learnables(
    program: Program,
    network: ConcreteNetwork,
    *,
    projections: Iterable[str],
    simulated: Iterable[str],
    driven: set[str],
) -> dict[str, Learnable]:
    """Return everything that can learn, by label.

    Parameters
    ----------
    program : Program
    network : ConcreteNetwork
    projections : names
        Those whose weights can learn.
    simulated : names of populations
        Those that are no input.
    driven : labels
        Parameters that are inputs of the Trainer.
    """
    populations = set(simulated)
    names_that_learn = [Learnable("weight", name, "w") for name in projections]
    for name in populations:
        population = program.populations[name]
        concrete = network.populations[name]
        read = smooth_names(population, concrete)
        names_that_learn += [
            Learnable("parameter", name, parameter)
            for parameter, value in concrete.parameters.items()
            if parameter in read
            and not isinstance(value, Table)
            and parameter not in concrete.derived.trees
            and parameter != population.refractory
            and f"{name}.{parameter}" not in driven
        ]
        states = [state for state in concrete.initial if state in read]
        names_that_learn += [Learnable("initial", name, state) for state in states]
    return {item.label: item for item in names_that_learn}


def smooth_names(population: PopulationProgram, concrete: ConcretePopulation) -> set[str]:
    """Return the parameters and states of which states and spikes are differentiable functions."""
    code = population.code
    trees = [statement.value for statement in (*code.integrate, *code.after)]
    if code.detect is not None:
        trees.append(distance(code.detect, where=f"population {population.name!r}"))
    read: set[str] = set().union(*map(_smooth_names, trees))
    # What the host computes is traced back to parameters, whose texts may read further ones.
    sources: dict[str, Expr] = {**concrete.derived.trees, **dict(code.hosted)}
    for name in reversed(list(sources)):
        if name in read:
            read |= _smooth_names(sources[name])
    if code.propagator is not None and read & set(code.propagator.names):
        read |= set().union(*map(_smooth_names, _entries(code)))
    for name in reversed(list(concrete.derived.trees)):
        if name in read:
            read |= _smooth_names(concrete.derived.trees[name])
    return read


def _smooth_names(tree: Expr) -> set[str]:
    """Return the names of which an expression has a derivative that is not 0 everywhere."""
    match tree:
        case Name(name=name):
            return {name}
        case Unary(op="-", operand=operand):
            return _smooth_names(operand)
        case Binary(op="+" | "-" | "*" | "/" | "**" | "%", left=left, right=right):
            return _smooth_names(left) | _smooth_names(right)
        case Call(function="where", arguments=arguments):
            return set().union(*map(_smooth_names, arguments[1:]))
        case Call(function=function, arguments=arguments) if function not in STEPS:
            return set().union(*map(_smooth_names, arguments))
    return set()


def _entries(code: CellProgram) -> list[Expr]:
    """Return the entries of the matrix behind a cell's propagators, row by row."""
    if code.propagator is None:
        return []
    return [entry for row in code.propagator.matrix for entry in row]


def divisors(code: CellProgram) -> set[str]:
    """Return the names by which equations divide: they must not reach 0."""
    trees = _entries(code)
    trees += [statement.value for statement in code.integrate]
    trees += [tree for _, tree in code.hosted]
    return set().union(*map(_divisors, trees))


def _divisors(tree: Expr) -> set[str]:
    match tree:
        case Unary(operand=operand):
            return _divisors(operand)
        case Binary(op=op, left=left, right=right):
            within = _divisors(left) | _divisors(right)
            return within | _factors(right) if op == "/" else within
        case Call(arguments=arguments):
            return set().union(*map(_divisors, arguments))
    return set()


def _factors(tree: Expr) -> set[str]:
    match tree:
        case Name(name=name):
            return {name}
        case Binary(op="*", left=left, right=right):
            return _factors(left) | _factors(right)
    return set()


def read_train(train: object, can_learn: dict[str, Learnable]) -> list[Learnable]:
    """Return what shall learn, in the user's order.

    Raises
    ------
    NetworkError
        If it is no list of names, one occurs twice, or one cannot learn.
    """
    if isinstance(train, str) or not isinstance(train, list | tuple):
        raise NetworkError(
            f"Trainer, train: found {describe(train)}, expected a list of names. Write it in "
            "brackets: train=['layer', 'hidden.tau']."
        )
    for name in train:
        if not isinstance(name, str) or name not in can_learn:
            raise NetworkError(
                "Trainer, train: "
                + describe_unknown("trainable name", name, can_learn)
                + " Inputs, tables, texts over other parameters, refractory times and rules "
                "do not learn; nor does a parameter that acts in jumps only."
            )
        if train.count(name) > 1:
            raise NetworkError(
                f"Trainer, train: found {name!r} twice, expected each name once. Remove one."
            )
    return [can_learn[name] for name in train]
