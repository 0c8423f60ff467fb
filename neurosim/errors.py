"""The error types; messages name the place, the finding, the expectation and the remedy."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

_LONG = 80  # characters of a value in a message
_DEEPEST = 4  # lists within lists that a message writes out


class NeurosimError(Exception):
    """Any error that neurosim raises on purpose."""


class ModelError(NeurosimError, ValueError):
    """An equation: syntax, unknown name, units."""


class NetworkError(NeurosimError, ValueError):
    """Wiring and values: shapes, ports, names, delays, seeds, durations."""


class DataError(NeurosimError, ValueError):
    """A data set: unknown, missing or damaged."""


class LoweringError(NeurosimError):
    """A backend cannot run this network.

    Parameters
    ----------
    message : str
    report : Report, optional
        Names the parts, the reasons and the remedies.
    """

    def __init__(self, message: str, report: object = None) -> None:
        super().__init__(message)
        self.report = report


class SignWarning(UserWarning):
    """Negative weights into a port that a cell subtracts, or into a conductance."""


class SimulationError(NeurosimError):
    """During a run: a value that is not finite; ``recording`` holds all data until then.

    Parameters
    ----------
    message : str
    population : str
        Population or projection that holds the value; empty: unknown.
    index : int
        Neuron or edge within it; -1: unknown.
    variable : str
        Name of the state or variable.
    time : float, ms
        End of the step after which the value was read; NaN: unknown.

    Attributes
    ----------
    recording : Recording or None
    """

    def __init__(
        self,
        message: str,
        *,
        population: str = "",
        index: int = -1,
        variable: str = "",
        time: float = float("nan"),
    ) -> None:
        super().__init__(message)
        self.population = population
        self.index = index
        self.variable = variable
        self.time = time
        # Attached by the run: only there are the data of all populations at hand.
        self.recording: object = None


def describe_unknown(
    noun: str,
    name: Any,
    valid: Iterable[str],
    *,
    owner: str = "",
) -> str:
    """Return a sentence for a name that does not exist: the nearest valid names first, then all.

    Parameters
    ----------
    noun : str
        The thing that has the name, such as ``port``.
    name : object
        The unknown name; not always text.
    valid : names
    owner : str
        The thing that lacks it, such as ``cell 'lif'``; empty: "there is no ...".
    """
    # Sorted: a message must not depend on the order of a set.
    names = sorted(set(valid))
    where = f"{owner} has no" if owner else "there is no"
    wrong = name if isinstance(name, str) else describe(name)
    near = get_close_matches(wrong, names, n=3, cutoff=0.6)
    hint = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
    nouns = plural(noun)
    listed = f" The {nouns} are: {', '.join(names)}." if names else f" It has no {nouns} at all."
    return f"{where} {noun} {describe(name)}.{hint}{listed}"


def plural(noun: str) -> str:
    """Return the plural of a noun: of each in "state, row or unit", of the first in "row of a".

    Parameters
    ----------
    noun : str
    """
    first, separator, last = noun.rpartition(" or ")
    if separator:
        return f"{', '.join(map(plural, first.split(', ')))} or {plural(last)}"
    for preposition in (" of ", " at "):
        head, separator, rest = noun.partition(preposition)
        if separator:
            return plural(head) + separator + rest
    if noun.endswith("axis"):
        return f"{noun[:-2]}es"
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def is_one_of(value: Any, names: Container[str]) -> bool:
    """Return whether a value is one of some names; arrays and hostile objects are none."""
    return isinstance(value, str) and value in names


def describe_circle(names: Sequence[str], noun: str = "") -> str:
    """Return sentences about expressions that need their own values.

    Parameters
    ----------
    names : (1 or more) of the expressions
    noun : str
        The thing that has the name, such as ``parameter``.
    """
    listed = ", ".join(names)
    if len(names) == 1:
        name = f"{noun} {listed}".strip()
        return f"{name} reads itself, expected a value or other names. Give {listed} a value."
    listed = f"{noun}s {listed}" if noun else listed
    return f"{listed} are written in a circle, expected one with a value. Give one of them a value."


def describe(value: Any) -> str:
    """Return a value as messages name it: on one line, and at most some 80 characters long.

    An array is named by its shape; a value without a readable text is named by its class.
    """
    return _describe(value, 0)


def _describe(value: Any, depth: int) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    text = _text(value, depth)
    # An address differs in every process, so the same error would read differently.
    readable = "\n" not in text and " at 0x" not in text and "array(" not in text
    if readable and len(text) <= _LONG:
        return text
    if readable and isinstance(value, str | list | tuple | set | dict):
        return f"{text[:_LONG]}..."
    class_name = type(value).__name__
    article = "an" if class_name[0] in "AEIOUaeiou" else "a"
    return f"{article} {class_name}"


def _text(value: Any, depth: int) -> str:
    """Return the text of a value; that of a class whose values have none is like an address."""
    if isinstance(value, list | tuple):
        listed: list[str] = []
        for item in value:
            # More is cut off anyway: a list of a million is not walked, nor one within itself.
            if depth == _DEEPEST or sum(map(len, listed)) > _LONG:
                listed.append("...")
                break
            listed.append(_describe(item, depth + 1))
        text = ", ".join(listed)
        return f"[{text}]" if isinstance(value, list) else f"({text})"
    try:
        # NumPy's own text of a number names its type: np.float64(0.1).
        return repr(value.item() if isinstance(value, np.generic) else value)
    except Exception:  # the class of a value may be anybody's, and raise anything
        return " at 0x"


def _show(value: object) -> str:
    """Return the text of a value; of one that has none, a text that is not readable."""
    try:
        return repr(value)
    except Exception:  # the code of a user, which must not hide the fault that is described
        return object.__repr__(value)
