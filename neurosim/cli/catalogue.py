"""The catalogue of published models: what a model offers to the command line, and how it is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

from ..errors import NetworkError, describe_unknown
from ..network.network import Network

Judgement = tuple[Any, bool]


@dataclass(frozen=True)
class Check:
    """One acceptance check of a model.

    Attributes
    ----------
    id, expected : str
        As in the model's specification.
    needs : names of the model's experiments whose results it judges
    judge : results by experiment -> (measured, passed)
        ``measured`` is JSON data.
    """

    id: str
    expected: str
    needs: tuple[str, ...]
    judge: Callable[[Mapping[str, Any]], Judgement]


@dataclass(frozen=True)
class Model:
    """A published model.

    Attributes
    ----------
    name, summary : str
    settings : name -> default
        What ``--set name=value`` may change.
    network : (seed=, **settings) -> Network
    demonstrate : (seed=, backend=, out=, progress=, **settings) -> rows
        Runs the model, leaves pictures and ``results.json`` in the folder ``out``, returns rows
        {quantity, measured, expected, pass}.
        ``backend`` is a name, or a backend that carries options; ``str(backend)`` names both.
    experiments : name -> (backend) -> result
        Module-level functions (or partials of them), run side by side in processes; results are
        plain data.
    checks : the acceptance checks, judged from results of experiments
    """

    name: str
    summary: str
    settings: Mapping[str, Any]
    network: Callable[..., Network]
    demonstrate: Callable[..., list[dict[str, Any]]]
    experiments: Mapping[str, Callable[[str], Any]] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()


def names() -> list[str]:
    """Return the names of the models on this machine."""
    return sorted(entry.name for entry in entry_points(group="neurosim.models"))


def find(name: str) -> Model:
    """Return a model by name."""
    for entry in entry_points(group="neurosim.models"):
        if entry.name == name:
            return entry.load()
    raise NetworkError(describe_unknown("model", name, names()))
