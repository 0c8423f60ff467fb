"""The catalogue of published models: what each offers, and its discovery by entry point."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from typing import Any

from ..errors import NetworkError, describe_unknown
from ..network.network import Network

Judgement = tuple[Any, bool]
Experiments = Mapping[str, Callable[[str], Any]]


@dataclass(frozen=True)
class Check:
    """One acceptance check of a model.

    Parameters
    ----------
    id, expected : str
        As in the model's specification.
    needs : tuple of str
        Experiments of the model whose results are judged.
    judge : function (results by experiment) -> (measured, passed)
        ``measured`` is JSON data.
    """

    id: str
    expected: str
    needs: tuple[str, ...]
    judge: Callable[[Mapping[str, Any]], Judgement]


@dataclass(frozen=True)
class Model:
    """A published model.

    Parameters
    ----------
    name, summary : str
    settings : mapping of str to default
        Values that ``--set name=value`` may change.
    network : function (seed=, **settings) -> Network
    demonstrate : function (seed=, backend=, out=, progress=, **settings) -> rows
        Runs the model, leaves pictures and ``results.json`` in the folder ``out``, returns rows
        {quantity, measured, expected, pass}.
        ``backend`` is a name, or a backend that carries options; ``str(backend)`` names both.
    experiments : mapping of str to function (backend) -> result
        Module-level functions (or partials of them), run side by side in processes; results are
        plain data.
    checks : tuple of Check
        Acceptance checks, judged from results of experiments.
    over : function (seeds) -> (experiments, checks), optional
        The same over other seeds, for ``neurosim verify --seeds``.
    """

    name: str
    summary: str
    settings: Mapping[str, Any]
    network: Callable[..., Network]
    demonstrate: Callable[..., list[dict[str, Any]]]
    experiments: Experiments = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    over: Callable[[Sequence[int]], tuple[Experiments, tuple[Check, ...]]] | None = None

    def over_seeds(self, seeds: Sequence[int]) -> Model:
        """Return the model with experiments and checks over other seeds.

        Parameters
        ----------
        seeds : sequence of int

        Raises
        ------
        NetworkError
            If its checks have no seeds.
        """
        if self.over is None:
            raise NetworkError(
                f"model {self.name!r}, seeds: found seeds of your own, expected none: its checks "
                "have fixed ones. Leave them out."
            )
        experiments, checks = self.over(seeds)
        return replace(self, experiments=experiments, checks=checks)


def names() -> list[str]:
    """Return the names of the models on this machine."""
    return sorted(entry.name for entry in entry_points(group="neurosim.models"))


def find(name: str) -> Model:
    """Return a model by name.

    Raises
    ------
    NetworkError
        If there is no model of this name.
    """
    # Only this one is loaded: a broken model must not hinder the others.
    for entry in entry_points(group="neurosim.models"):
        if entry.name == name:
            return entry.load()
    raise NetworkError(describe_unknown("model", name, names()))


def read_seeds(text: str) -> tuple[int, ...]:
    """Return seeds written as ``1,2`` or ``100-109``.

    Raises
    ------
    NetworkError
        If the text is no list of these.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        last = last or first
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
            raise NetworkError(
                f"verify: found --seeds {text}, expected whole numbers of at least 0. "
                "Write such as 1,2,3 or 100-109."
            )
        seeds += range(int(first), int(last) + 1)
    return tuple(dict.fromkeys(seeds))
