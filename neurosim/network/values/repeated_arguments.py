"""Refuses an argument that is given by position and by name, which may be meant for a cell."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import Concatenate, ParamSpec, TypeVar

from ...errors import NetworkError

Owner = TypeVar("Owner")
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def refuse_repeated(
    method: Callable[Concatenate[Owner, Arguments], Result],
) -> Callable[Concatenate[Owner, Arguments], Result]:
    """Return a method that refuses what Python would refuse with a TypeError alone.

    Values of a cell or rule are arguments by name, and one of them may have the name of an argument
    of the method.

    Parameters
    ----------
    method : callable
        Its last argument takes values by name.
    """
    positional = [
        parameter.name
        for parameter in signature(method).parameters.values()
        if parameter.kind is Parameter.POSITIONAL_OR_KEYWORD
    ]

    @wraps(method)
    def call(self: Owner, /, *args: Arguments.args, **named: Arguments.kwargs) -> Result:
        for name in positional[: len(args)]:
            if name in named:
                raise NetworkError(
                    f"{method.__name__}: found {name}=, which was given by position already, "
                    "expected it once. Leave it out; if it is a name of the cell or rule, rename "
                    "it there: arguments of this call have one meaning."
                )
        return method(self, *args, **named)

    return call
