"""The verbs for a network: check, prepare, simulate, export and map."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, overload

from ..backend.discovery import find
from ..backend.lowering import Backend, Lowered, Stepped, Translated
from ..backend.memory_estimate import demand_memory, explaining_memory
from ..backend.report import Report
from ..backend.report_rows import Place, Row
from ..errors import NetworkError, describe, describe_unknown
from ..ir.concretise import concretise
from ..ir.discretise import discretise
from ..network.network import Network
from ..network.validation import read_duration
from ..recording.files import read_path
from ..recording.recording import Recording
from .batch import Batch
from .run import Run, steps_of

# Of the script that is only loaded for its network; empty outside of that.
_LOADED_SCRIPT: ContextVar[str] = ContextVar("loaded_script", default="")


@contextmanager
def forbidding_runs(script: str) -> Iterator[None]:
    """Let `prepare`, `simulate`, `export` and `map` raise while a script is loaded.

    Parameters
    ----------
    script : str
        Name, for the message.
    """
    token = _LOADED_SCRIPT.set(script)
    try:
        yield
    finally:
        _LOADED_SCRIPT.reset(token)


def require_no_loading(verb: str) -> None:
    """Raise NetworkError while a script is loaded for its network.

    Parameters
    ----------
    verb : str
        Of the call, for the message.
    """
    script = _LOADED_SCRIPT.get()
    if script:
        raise NetworkError(
            f"script {script}: found ns.{verb} while it is loaded for its network, expected that "
            'it only builds one. Move the run under if __name__ == "__main__":, or name a '
            "function that only builds."
        )


def check(network: Network, *, backend: str | Backend = "cpu", **options: Any) -> Report:
    """Report what a backend runs exactly, approximates or refuses; nothing is run.

    Parameters
    ----------
    network : Network
    backend : str or Backend
        Other simulators need the network's draws for the report: whether a weight or delay can be
        represented depends on its value.
    **options
        Of the backend, as of `prepare`.

    Returns
    -------
    Report

    Raises
    ------
    NetworkError
        If the backend is unknown or not installed, or an option is wrong.
    """
    lowered = _lower(network, backend, options)
    artefact = lowered.artefact
    if not isinstance(artefact, Stepped):
        return lowered.report  # other simulators have a row for it, because they need the draws
    try:
        demand_memory(network, rounded=artefact.single_precision, samples=artefact.samples)
    except NetworkError as error:
        row = Row(Place("network", network.name), "impossible", str(error))
        return replace(lowered.report, rows=(*lowered.report.rows, row))
    return lowered.report


@overload
def prepare(
    network: Network,
    *,
    backend: str | Backend = "cpu",
    stream: str | Path | None = None,
    batch: None = None,
    **options: Any,
) -> Run: ...


@overload
def prepare(
    network: Network,
    *,
    backend: str | Backend = "cpu",
    stream: str | Path | None = None,
    batch: int,
    **options: Any,
) -> Batch: ...


def prepare(
    network: Network,
    *,
    backend: str | Backend = "cpu",
    stream: str | Path | None = None,
    batch: int | None = None,
    **options: Any,
) -> Run | Batch:
    """Return a run held open; on other simulators one that runs once.

    The latter has ``run``, ``result``, ``time`` and ``source``.

    Parameters
    ----------
    network : Network
        Later changes of it do not affect the run.
    backend : str or Backend
    stream : path, optional
        New or empty folder, to which recordings are written during the run, at least every half
        minute, so that memory stays bounded. Of the result, a population or projection is read
        from there when it is first asked for; it must fit into memory. Of a batch, with a folder
        for each sample.
    batch : int, optional
        So many samples side by side, on a backend that can.
    **options
        Of the backend, such as ``threads`` of ``cpu``.

    Returns
    -------
    Run, or Batch of a batch

    Raises
    ------
    LoweringError
        If the backend cannot run the network; it carries the report.
    NetworkError
        If the network does not fit into memory (before anything is drawn), or a draw is invalid.
    """
    require_no_loading("prepare")
    if batch is not None:
        options["batch"] = batch
    backend = find(backend)
    with explaining_memory(_require_network(network)):
        return _prepare(network, backend, stream=stream, options=options)


def _prepare(
    network: Network,
    backend: Backend,
    *,
    stream: str | Path | None,
    options: Mapping[str, Any],
) -> Run | Batch:
    lowered = _lower(network, backend, options)
    lowered.report.demand()
    artefact = lowered.artefact
    if isinstance(artefact, Stepped):
        if artefact.batch is not None and "batch" not in options:
            # Whoever calls this expects one run, and knows nothing of the backend's options.
            raise NetworkError(
                f"prepare: found batch={artefact.samples} among the options of a backend, expected "
                "it in the call, since samples are no single run. Leave it out, or write "
                "ns.prepare(network, batch=...)."
            )
        # Before the draws, which may take minutes and are what does not fit into memory.
        demand_memory(network, rounded=artefact.single_precision, samples=artefact.samples)
        concrete = concretise(network)
        program = discretise(concrete)
        # Options of a configured backend go into the header of recordings like any others.
        options = {**getattr(backend, "options", {}), **options}
        parts = partial(
            Run, program, concrete, report=lowered.report, owners=dict(network.owners())
        )
        if artefact.batch is None:
            engine = artefact.build(program, concrete)
            return parts(engine=engine, options=options, stream=stream)
        side_by_side = artefact.batch(program, concrete)
        first = options.get("replica", 0)
        runs = [
            parts(
                engine=engine,
                options={**options, "replica": first + sample},
                stream=None if stream is None else Path(stream) / str(sample),
                is_sample=True,
            )
            for sample, engine in enumerate(side_by_side.engines)
        ]
        return Batch(runs, side_by_side, lowered.report)
    if stream is not None:
        raise NetworkError(
            f"prepare: found stream={stream!r}, and backend {backend.name!r} cannot stream. "
            "Leave it out."
        )
    return _translated(lowered).open(lowered.report)


@overload
def simulate(
    network: Network,
    time: Any,
    *,
    backend: str | Backend = "cpu",
    stream: str | Path | None = None,
    progress: bool = True,
    batch: None = None,
    **options: Any,
) -> Recording: ...


@overload
def simulate(
    network: Network,
    time: Any,
    *,
    backend: str | Backend = "cpu",
    stream: str | Path | None = None,
    progress: bool = True,
    batch: int,
    **options: Any,
) -> list[Recording]: ...


def simulate(
    network: Network,
    time: Any,
    *,
    backend: str | Backend = "cpu",
    stream: str | Path | None = None,
    progress: bool = True,
    batch: int | None = None,
    **options: Any,
) -> Recording | list[Recording]:
    """Run a network for some time and return everything recorded.

    Ctrl-C ends the run; everything recorded so far is returned, and its header says
    ``finished: False``.

    Parameters
    ----------
    network : Network
    time : quantity
        A multiple of dt; a plain number is in ms.
    backend, stream, batch, **options
        As of `prepare`.
    progress : bool
        Show a progress bar if the run takes more than two seconds.

    Returns
    -------
    Recording, or one for each sample of a batch

    Raises
    ------
    LoweringError, NetworkError
        As of `prepare`.
    SimulationError
        If a value stops being finite; its ``recording`` holds everything recorded.
    """
    require_no_loading("simulate")
    # A wrong time is refused before the network is drawn and code is compiled.
    steps_of(time, _require_network(network).dt)
    run: Run | Batch
    if batch is None:
        run = prepare(network, backend=backend, stream=stream, **options)
    else:
        run = prepare(network, backend=backend, stream=stream, batch=batch, **options)
    try:
        run.run(time, progress=progress)
    # The recording so far is worth more than the exception: who waited for it wants it.
    except KeyboardInterrupt:
        print(
            f"interrupted at {run.time:.12g} ms; what was recorded until then is returned",
            file=sys.stderr,
        )
    return run.result()


def export(
    network: Network,
    folder: str | Path,
    *,
    backend: str | Backend,
    time: Any = "1 s",
    **options: Any,
) -> Path:
    """Write a network as a folder that another simulator runs without neurosim.

    The folder holds a script, its arrays, a README and the report. The backend ``nir`` writes one
    file instead, a graph that other frameworks and chips read.

    Parameters
    ----------
    network : Network
    folder : path
        New or empty; of ``nir`` a new file, such as ``"net.nir"``.
    backend : str or Backend
    time : quantity
        Duration that the script runs; a plain number is in ms.
    **options
        Of the backend's export; those of this package have none.

    Returns
    -------
    Path of the script.

    Raises
    ------
    LoweringError
        If the backend cannot run the network.
    NetworkError
        If the backend has nothing to export to or no such option, or the folder holds other files.
    """
    return export_with_report(network, folder, backend=backend, time=time, **options)[0]


def export_with_report(
    network: Network,
    folder: str | Path,
    *,
    backend: str | Backend,
    time: Any = "1 s",
    **options: Any,
) -> tuple[Path, Report]:
    """Write a network as `export` does; return the path of the script and the report.

    Parameters
    ----------
    network, folder, backend, time, **options
        As of `export`.
    """
    require_no_loading("export")
    # Everything that can be refused without the draws is refused before them.
    backend = _require_verb(find(backend), "export", options)
    path = read_path(folder, where="export")
    length = read_duration(time, where="export: time")
    suffix = getattr(backend, "export_suffix", "")
    if suffix:
        _require_new_file(path, suffix)
    elif path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise NetworkError(
            f"export: {path} holds other files, expected a new or empty folder. Choose another one."
        )
    lowered = _lower(network, backend, {})
    lowered.report.demand()
    try:
        # Only now: a network that is refused leaves no folder behind.
        (path.parent if suffix else path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NetworkError(
            f"export: {path} cannot be made ({error.strerror}), expected a new or empty folder. "
            "Choose another one."
        ) from error
    script = _translated(lowered).export(lowered.report, path, time=length, **options)
    return script, lowered.report


def _require_new_file(path: Path, suffix: str) -> None:
    if path.suffix != suffix:
        raise NetworkError(
            f"export: found {path}, expected a file whose name ends in {suffix}. "
            f"Name it such as {path.stem or 'network'}{suffix}."
        )
    if path.exists():
        raise NetworkError(f"export: {path} exists, expected a new file. Choose another name.")


def from_nir(path: str | Path, *, dt: Any = "1 ms", name: str = "") -> Network:
    """Return the network of a file of NIR, which other frameworks write.

    Its inputs are spike sources without spikes (``run.set(name, steps=...)`` gives them), outputs
    are recorded. Equations are stepped forward as readers do: Euler, the input of a spike held for
    one step; spikes act within their step unless they run in a loop or a Delay node holds them.

    Parameters
    ----------
    path : path
    dt : quantity
        Time step, which a file does not hold.
    name : str
        Of the network; that of the file unless given.

    Raises
    ------
    NetworkError
        If the package nir is missing, the file is malformed, or its graph has no counterpart.
    """
    backend: Any = find("nir")
    file = read_path(path, where="from_nir")
    return backend.read(file, dt=dt, name=name or file.stem)


def map(network: Network, *, backend: str | Backend = "spinnaker", **options: Any) -> Any:
    """Lay a network out on a machine without running it.

    Parameters
    ----------
    network : Network
    backend : str or Backend
    **options
        Of the backend's map, such as ``time`` and ``version`` of ``spinnaker``.

    Returns
    -------
    Cores, chips, memory, and the weights and delays that the machine would use.

    Raises
    ------
    LoweringError
        If the backend cannot run the network.
    NetworkError
        If the backend has no machine to map to, or no such option.
    """
    require_no_loading("map")
    backend = _require_verb(find(backend), "map", options)
    lowered = _lower(network, backend, {})
    lowered.report.demand()
    return _translated(lowered).map(lowered.report, **options)


def _lower(network: Any, backend: str | Backend, options: Mapping[str, Any]) -> Lowered:
    with explaining_memory(_require_network(network)):
        return find(backend).lower(network, **options)


def _translated(lowered: Lowered) -> Translated:
    artefact = lowered.artefact
    if artefact is None or isinstance(artefact, Stepped):
        # A mistake of the backend, not of the user: a report without impossible rows needs an
        # artefact.
        raise TypeError(f"backend {lowered.report.backend!r}: its report promises an artefact")
    return artefact


def _require_verb(backend: Backend, verb: str, options: Mapping[str, Any]) -> Backend:
    """Return a backend that has a verb with these options; before any draw is made."""
    if verb not in backend.verbs:
        raise NetworkError(
            f"{verb}: backend {backend.name!r} cannot {verb} a network, "
            "expected one that can, such as 'spinnaker'. Name that."
        )
    # `time` is an argument of the verb for all backends.
    valid = ["time", *(option for option in backend.verbs[verb] if option != "time")]
    for option in options.keys() - set(valid):
        unknown = describe_unknown("option", option, valid, owner=f"backend {backend.name!r}")
        raise NetworkError(f"{verb}: {unknown} Leave it out, or name one of these.")
    return backend


def _require_network(network: Any) -> Network:
    if not isinstance(network, Network):
        raise NetworkError(
            f"network: found {describe(network)}, expected a Network. "
            "Make one with ns.Network(name, dt=...)."
        )
    return network
