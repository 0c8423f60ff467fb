"""The catalogue of models and networks: what each offers, and its discovery by entry point."""

from __future__ import annotations

import inspect
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
class NetworkSource:
    """Whatever builds a network: a model, a function of the library or of a script.

    Parameters
    ----------
    name : str
    settings : mapping of str to default
        Values that ``--set name=value`` may change.
    build : function (seed=, **settings) -> Network
    takes_seed : bool
        Whether ``build`` has a ``seed``.
    """

    name: str
    settings: Mapping[str, Any]
    build: Callable[..., Network]
    takes_seed: bool = True


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
    full : function () -> (experiments, checks), optional
        Those of full size, which take hours, for ``neurosim verify --full``.
    episode : function (seed=, **settings) -> Network, optional
        The network with the input of an experiment, which is what other simulators and machines
        can run. None: ``network`` has its input.
    """

    name: str
    summary: str
    settings: Mapping[str, Any]
    network: Callable[..., Network]
    demonstrate: Callable[..., list[dict[str, Any]]]
    experiments: Experiments = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    over: Callable[[Sequence[int]], tuple[Experiments, tuple[Check, ...]]] | None = None
    full: Callable[[], tuple[Experiments, tuple[Check, ...]]] | None = None
    episode: Callable[..., Network] | None = None

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

    def in_full(self) -> Model:
        """Return the model with its checks of full size as well.

        Raises
        ------
        NetworkError
            If it has none.
        """
        if self.full is None:
            raise NetworkError(
                f"model {self.name!r}, full: found no checks of full size, expected some: its "
                "checks have their full size already. Leave --full out."
            )
        experiments, checks = self.full()
        return replace(
            self, experiments={**experiments, **self.experiments}, checks=(*self.checks, *checks)
        )


def names() -> list[str]:
    """Return the names of the models and networks on this machine."""
    return sorted(entry.name for entry in entry_points(group="neurosim.models"))


def find(name: str) -> Model:
    """Return a model by name.

    Raises
    ------
    NetworkError
        If there is no model of this name, or it is a network without experiments.
    """
    loaded = _load(name)
    if loaded is None:
        raise NetworkError(describe_unknown("model", name, names()))
    if not isinstance(loaded, Model):
        raise NetworkError(
            f"{name!r}: found a network without experiments of its own, expected a model with "
            f"some. Use neurosim check, export or map, or simulate what {loaded.__module__}."
            f"{loaded.__name__} returns."
        )
    return loaded


def source_of(name: str) -> NetworkSource:
    """Return the source of a model's network, with the input of an experiment, or of a network.

    Raises
    ------
    NetworkError
        If there is neither a model nor a network of this name.
    """
    loaded = _load(name)
    if loaded is not None and not isinstance(loaded, Model):
        return source_of_function(name, loaded)
    return source_of_model(find(name))


def _load(name: str) -> Any:
    """Return the model, or the function that builds a network; None if there is none."""
    # Only this one is loaded: a broken model must not hinder the others.
    for entry in entry_points(group="neurosim.models"):
        if entry.name == name:
            return entry.load()
    return None


def source_of_model(model: Model) -> NetworkSource:
    """Return the source of a model's network."""
    return NetworkSource(model.name, model.settings, model.episode or model.network)


def source_of_function(name: str, function: Callable[..., Network]) -> NetworkSource:
    """Return the source whose settings are the arguments of a function, by their defaults.

    Parameters
    ----------
    name : str
        For messages.
    function : function (seed=, **settings) -> Network
        ``seed`` may be missing.

    Raises
    ------
    NetworkError
        If an argument has no default.
    """
    defaults = {}
    for argument in inspect.signature(function).parameters.values():
        if argument.kind not in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            defaults[argument.name] = argument.default
    takes_seed = "seed" in defaults
    defaults.pop("seed", None)
    required = [key for key, default in defaults.items() if default is inspect.Parameter.empty]
    if required:
        raise NetworkError(
            f"{name}: found arguments without a default ({', '.join(required)}), expected a "
            "function that builds its network from defaults. Give each a default, or name a "
            "function without arguments that calls this one."
        )
    return NetworkSource(name, defaults, function, takes_seed=takes_seed)


def read_seeds(text: str, command: str = "verify") -> tuple[int, ...]:
    """Return seeds written as ``1,2`` or ``100-109``.

    Parameters
    ----------
    text : str
    command : str
        Begins the message of an error.

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
                f"{command}: found --seeds {text}, expected whole numbers of at least 0. "
                "Write such as 1,2,3 or 100-109."
            )
        seeds += range(int(first), int(last) + 1)
    return tuple(dict.fromkeys(seeds))
