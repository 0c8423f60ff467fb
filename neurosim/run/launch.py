"""What a user does with a network: check, prepare, simulate; export and map, where it goes to another simulator or machine."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from ..backend.protocol import Backend, Report, Simulator, find
from ..errors import NetworkError, describe, describe_unknown
from ..ir.concrete import concretise
from ..ir.discretise import discretise
from ..ir.memory_estimate import demand_memory
from ..network.network import Network
from ..network.validation import duration
from ..recording.recording import Recording
from .run import Run, steps_of


def check(network: Network, *, backend: str | Backend = "cpu", **options: Any) -> Report:
    """Say what a backend will run exactly, approximate or refuse, under options as of `prepare`.

    Nothing is run; other simulators make the network's draws for it, since what becomes of a weight or delay depends on its value.
    """
    return _backend(backend).check(_network(network), **options)


def prepare(
    network: Network, *, backend: str | Backend = "cpu", stream: Any = None, **options: Any
) -> Run:
    """Return a run held open; on other simulators one that runs once, and has ``run``, ``result``, ``time`` and ``source``.

    Parameters
    ----------
    backend : str
    stream : path, optional
        A new or empty folder, to which recordings are written during the run, so that memory stays bounded, and at least every half minute.
        Of the result, a population or projection is read from there when it is first asked for; that one must fit into memory.
    **options
        Of the backend, such as ``threads`` of ``cpu``.

    Raises
    ------
    LoweringError
        If the backend cannot run the network; it carries the report.
    NetworkError
        If the network does not fit into memory (before anything is drawn), or a draw turns out invalid.
    """
    found = _backend(backend)
    report = found.check(_network(network), **options)
    report.demand()
    demand_memory(network, rounded=options.get("precision") == "float32")
    concrete = concretise(network)
    if hasattr(found, "open"):
        if stream is not None:
            raise NetworkError(
                f"prepare: found stream={stream!r}, and backend {found.name!r} cannot stream. Leave it out."
            )
        return found.open(concrete, report, **options)
    program = discretise(concrete)
    return Run(
        program,
        concrete,
        found.prepare(program, concrete, **options),
        report,
        owners=network.owners(),
        options={**getattr(found, "options", {}), **options},
        stream=stream,
    )


def simulate(
    network: Network,
    time: Any,
    *,
    backend: str | Backend = "cpu",
    stream: Any = None,
    progress: bool = True,
    **options: Any,
) -> Recording:
    """Run a network for some time and return what was recorded.

    Ctrl-C ends the run; what was recorded until then is returned, and its header says ``finished: False``.

    Parameters
    ----------
    time : quantity
        A multiple of dt.
    backend, stream, **options
        As of `prepare`.
    progress : bool
        Show a progress bar where a run takes more than two seconds.

    Raises
    ------
    SimulationError
        If a value stops being finite; its ``recording`` holds what was recorded.
    """
    steps_of(time, _network(network).dt)
    run = prepare(network, backend=backend, stream=stream, **options)
    try:
        run.run(time, progress=progress)
    except KeyboardInterrupt:
        print(
            f"interrupted at {run.time:g} ms; what was recorded until then is returned",
            file=sys.stderr,
        )
    return run.result()


def export(
    network: Network, folder: Any, *, backend: str | Simulator, time: Any = "1 s", **options: Any
) -> Path:
    """Write a network as a folder that another simulator runs without neurosim: a script, its arrays, a README and the report.

    Parameters
    ----------
    folder : path
        New or empty.
    time : quantity
        What the script runs.
    **options
        Of the backend's export; those of this package have none.

    Raises
    ------
    LoweringError
        If the backend cannot run the network.
    NetworkError
        If the backend has nothing to export to or no such option, or the folder holds other files.
    """
    found, place, length = (
        _able(backend, "export", options),
        Path(folder),
        duration(time, where="export: time"),
    )
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise NetworkError(
            f"export: {place} holds other files, expected a new or empty folder. Choose another one."
        )
    report = found.check(_network(network))
    report.demand()
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NetworkError(
            f"export: {place} cannot be made ({error.strerror}), expected a new or empty folder. "
            "Choose another one."
        ) from error
    return found.export(concretise(network), report, place, time=length, **options)


def map(network: Network, *, backend: str | Simulator = "spinnaker", **options: Any) -> Any:
    """Lay a network out on a machine without running it: cores, chips, memory, and the weights and delays that it would use.

    Raises
    ------
    LoweringError
        If the backend cannot run the network.
    NetworkError
        If the backend has no machine to map to, or no such option.
    """
    found = _able(backend, "map", options)
    report = found.check(_network(network))
    report.demand()
    return found.map(concretise(network), report, **options)


def _able(backend: str | Backend | Simulator, verb: str, options: Mapping[str, Any]) -> Any:
    """Return a backend that has a verb with these options: found out before any draw is made."""
    found = _backend(backend)
    if not hasattr(found, verb):
        raise NetworkError(
            f"{verb}: backend {found.name!r} cannot {verb} a network, expected one that can, such as 'spinnaker'. Name that."
        )
    taken = signature(getattr(found, verb)).parameters.values()
    if not any(each.kind is Parameter.VAR_KEYWORD for each in taken):
        valid = ["time", *(each.name for each in taken if each.kind is Parameter.KEYWORD_ONLY)]
        for option in options.keys() - set(valid):
            known = describe_unknown("option", option, valid, owner=f"backend {found.name!r}")
            raise NetworkError(f"{verb}: {known} Leave it out, or name one of these.")
    return found


def _network(network: Any) -> Network:
    if not isinstance(network, Network):
        raise NetworkError(
            f"network: found {describe(network)}, expected a Network. Make one with ns.Network(name, dt=...)."
        )
    return network


def _backend(backend: Any) -> Any:
    if not isinstance(backend, str) and not (
        hasattr(backend, "check") and (hasattr(backend, "prepare") or hasattr(backend, "open"))
    ):
        raise NetworkError(
            f"backend: found {describe(backend)}, expected the name of a backend, such as 'cpu'. Give one of these names."
        )
    return find(backend)
