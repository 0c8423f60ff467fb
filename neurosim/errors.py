"""The four error types. Every message says where, what was found, what was expected and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import numpy as np

_LONG = 80  # characters of a value in a message


class NeurosimError(Exception):
    """Any error that neurosim raises on purpose."""


class ModelError(NeurosimError, ValueError):
    """An equation: syntax, unknown name, units."""


class NetworkError(NeurosimError, ValueError):
    """Wiring and values: shapes, ports, names, delays, seeds, durations."""


class LoweringError(NeurosimError):
    """A backend cannot run this network; ``report`` says which parts, why, and what to do."""

    def __init__(self, message: str, report: object = None) -> None:
        super().__init__(message)
        self.report = report


class SimulationError(NeurosimError):
    """During a run: a value that is not finite. ``recording`` holds what was recorded until then."""

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
        self.population, self.index, self.variable, self.time = population, index, variable, time
        self.recording: object = None


def unknown(kind: str, name: Any, valid: Iterable[str], *, owner: str = "") -> str:
    """Return a sentence for a name that does not exist: the nearest valid names first, then all of them."""
    names = sorted(set(valid))
    where = f"{owner} has no" if owner else "there is no"
    near = get_close_matches(str(name), names, n=3, cutoff=0.6)
    hint = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
    listed = f" The {kind}s are: {', '.join(names)}." if names else f" It has no {kind}s at all."
    return f"{where} {kind} {shown(name)}.{hint}{listed}"


def shown(value: Any) -> str:
    """Return a value as messages show it: on one line, of some length; arrays by their shape, and what says nothing readable by its kind."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, list | tuple):
        listed = ", ".join(shown(each) for each in value[:_LONG])
        text = f"[{listed}]" if isinstance(value, list) else f"({listed})"
    else:
        text = repr(value.item() if isinstance(value, np.generic) else value)
    readable = "\n" not in text and " at 0x" not in text and "array(" not in text
    if readable and len(text) <= _LONG:
        return text
    if readable and isinstance(value, str | list | tuple | set | dict):
        return f"{text[:_LONG]}..."
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'AEIOUaeiou' else 'a'} {kind}"
