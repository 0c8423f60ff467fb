"""Refuses arguments that a call has not, or has twice, with what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import Concatenate, ParamSpec, TypeVar

from .errors import ModelError, NetworkError, describe_unknown

Owner = TypeVar("Owner")
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# Words of Brian 2, and others that people try.
_OURS = {
    "model": "equations, the first argument",
    "eqs": "equations, the first argument",
    "threshold": "spike='v > ...'",
    "reset": "after_spike='v = ...'",
    "namespace": "parameters={...}",
    "params": "parameters={...}",
    "ports": "receives={...}",
    "inputs": "receives={...}",
    "on_pre": "handlers=[('pre', ...)]",
    "on_post": "handlers=[('post', ...)]",
    "on_event": "handlers=[('signal', ...)]",
    "variables": "edge='...'",
    "equations": "edge='...'",
}


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


def refuse_unknown(
    noun: str,
) -> Callable[
    [Callable[Concatenate[Owner, Arguments], None]], Callable[Concatenate[Owner, Arguments], None]
]:
    """Return a decorator of a constructor that names what it lacks, and what to write.

    Parameters
    ----------
    noun : str
        The thing that is made, for messages.
    """

    def decorate(
        construct: Callable[Concatenate[Owner, Arguments], None],
    ) -> Callable[Concatenate[Owner, Arguments], None]:
        valid = list(signature(construct).parameters)[1:]

        @wraps(construct)
        def call(self: Owner, /, *args: Arguments.args, **named: Arguments.kwargs) -> None:
            for name in named:
                if name not in valid:
                    remedy = f" Write {_OURS[name]}." if name in _OURS else ""
                    unknown = describe_unknown("argument", name, valid, owner=noun)
                    raise ModelError(unknown + remedy)
            construct(self, *args, **named)

        return call

    return decorate
