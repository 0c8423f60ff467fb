"""Declarations of the parameters of library cells and rules: each is explained once, in words."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, TypeAlias, TypeVar

from neurosim.draws.ranges import Limits, require_range
from neurosim.errors import ModelError, describe_unknown
from neurosim.expr.tree import Name
from neurosim.model.cell import Cell
from neurosim.model.declarations import Parameter, Value
from neurosim.model.rule import Rule

ParameterValue: TypeAlias = Value | Parameter
"""A value of a parameter, or a declaration that names a unit and, in rules, owners of values."""

Arguments = ParamSpec("Arguments")
Model = TypeVar("Model", Cell, Rule)


@dataclass(frozen=True)
class Declared:
    """A parameter of a cell or rule.

    Parameters
    ----------
    unit : str
        Of plain numbers, and in the documentation.
    meaning : str
        A sentence.
    limits : Limits, optional
        Checked if the value is a plain constant.
    """

    unit: str
    meaning: str
    limits: Limits | None = None


@dataclass(frozen=True)
class Option:
    """An argument that is no parameter: it chooses between equations or methods.

    Parameters
    ----------
    type, meaning : str
        As the documentation shows them.
    """

    type: str
    meaning: str


Declarations = Mapping[str, Declared | Option]


def library(
    noun: str, declarations: Declarations
) -> Callable[[Callable[Arguments, Model]], Callable[Arguments, Model]]:
    """Return a decorator for a function of the library, all of whose arguments are declared.

    The function gets a Parameters section, answers wrong arguments with a `ModelError` that names
    the right ones, and refuses constants outside their limits.

    Parameters
    ----------
    noun : {"cell", "rule"}
        For messages.
    declarations : mapping of str to Declared or Option
        By argument; it may hold more than the function has, so that functions share one.
    """

    # The signature stays written out at the function, so that editors, `help` and notebooks show
    # and complete names and defaults. Everything else about a parameter is said in `declarations`.
    def decorate(function: Callable[Arguments, Model]) -> Callable[Arguments, Model]:
        signature = inspect.signature(function)
        owner = f"{noun} {function.__name__!r}"

        # The wrapper keeps name and signature, so that `help` and editors show those of the
        # function.
        @wraps(function)
        def build(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Model:
            _require_names(owner, signature, args, kwargs, declarations=declarations)
            # Names are checked before the call, since Python's own TypeError names no valid ones;
            # values after it, since only then text, quantities and defaults have become numbers.
            model = function(*args, **kwargs)
            _require_limits(owner, model, declarations)
            return model

        build.__doc__ = _documentation(function.__doc__ or "", signature, declarations)
        return build

    return decorate


def parameters(declarations: Declarations, **values: ParameterValue) -> dict[str, Parameter]:
    """Return parameters with their declared units; options are left out.

    A value that is a `Parameter` keeps its own unit.
    """
    result: dict[str, Parameter] = {}
    for name, value in values.items():
        declared = declarations[name]
        if isinstance(declared, Declared):
            # A `Parameter` of the user names its own unit, and may hold one value per edge.
            if not isinstance(value, Parameter):
                value = Parameter(declared.unit, value)
            result[name] = value
    return result


def _require_names(
    owner: str,
    signature: inspect.Signature,
    args: tuple[object, ...],
    names: Mapping[str, object],
    *,
    declarations: Declarations,
) -> None:
    """Refuse arguments without a name, with a wrong one, and missing ones."""
    valid = signature.parameters
    if args:
        raise ModelError(
            f"{owner}: found {len(args)} argument(s) without a name, expected all by name. "
            f"Write them such as {next(iter(valid))}=..."
        )
    for name in names:
        if name not in valid:
            raise ModelError(describe_unknown("parameter", name, valid, owner=owner))
    for name, parameter in valid.items():
        if parameter.default is parameter.empty and name not in names:
            declared = declarations[name]
            needed = (
                declared.type if isinstance(declared, Option) else f"a value in {declared.unit}"
            )
            raise ModelError(
                f"{owner}: found no {name!r}, expected one. Add {name}=..., {needed}: "
                f"{declared.meaning}"
            )


def _require_limits(owner: str, model: Cell | Rule, declarations: Declarations) -> None:
    values = {p.name: p.value for p in model.parameters}
    for p in model.parameters:
        declared = declarations[p.name]
        if not isinstance(declared, Declared) or declared.limits is None:
            continue
        # Text that is the name of another parameter has that one's value.
        value = values.get(p.value.name) if isinstance(p.value, Name) else p.value
        require_range(
            value,
            declared.limits,
            where=f"{owner}, parameter {p.name!r}",
            unit=p.unit,
            error=ModelError,
        )


def _documentation(text: str, signature: inspect.Signature, declarations: Declarations) -> str:
    # The section in the source names the declarations, for whoever reads the code; here it gets
    # their text.
    summary = inspect.cleandoc(text).partition("\n\nParameters\n")[0]
    lines = [summary, "", "Parameters", "----------"]
    for name, parameter in signature.parameters.items():
        declared = declarations[name]
        is_parameter = isinstance(declared, Declared)
        lines.append(f"{name} : {declared.unit if is_parameter else declared.type}")
        sentences = [declared.meaning]
        if is_parameter and declared.limits is not None:
            sentences.append(f"Must be {declared.limits.phrase()}.")
        # None has a meaning of its own for each parameter, which its declaration explains.
        if parameter.default not in (parameter.empty, None):
            sentences.append(f"Default: {parameter.default}.")
        lines.append(f"    {' '.join(sentences)}")
    return "\n".join(lines)
