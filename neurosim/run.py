"""check, prepare and simulate; and Run, a prepared network held open."""

from __future__ import annotations

import platform
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import files
from .backend import Backend, Chunk, Engine, Report, find
from .checks import duration, whole_steps
from .errors import NetworkError, SimulationError, unknown
from .ir.concrete import ConcreteNetwork, concretise
from .ir.discretise import discretise
from .ir.program import Program
from .ir.size import demand_memory
from .network import Network
from .owners import Owner, assignments, declared
from .population import Drive, Population, Projection, View
from .recording import Recording, RecordingWriter
from .samples import PopulationRecording, ProjectionRecording, Spikes, Trace

_STRETCH = 0.1  # seconds of computing between two looks at the progress bar and at Ctrl-C
_PART = 1 << 25  # bytes of a part of a streamed recording


def check(network: Network, *, backend: str | Backend = "cpu") -> Report:
    """Say what a backend will run exactly, approximate or refuse; nothing is drawn and nothing is run."""
    return _backend(backend).check(_network(network))


def prepare(network: Network, *, backend: str | Backend = "cpu", stream: Any = None, **options: Any) -> Run:
    """Return a run held open.

    Parameters
    ----------
    backend : str
    stream : path, optional
        A new or empty folder, to which recordings are written during the run, so that memory stays bounded.
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
    report = found.check(_network(network))
    report.demand()
    demand_memory(network)
    concrete = concretise(network)
    program = discretise(concrete)
    return Run(program, concrete, found.prepare(program, concrete, **options), report, owners=network.owners(), stream=stream)


def simulate(network: Network, time: Any, *, backend: str | Backend = "cpu", stream: Any = None, progress: bool = True, **options: Any) -> Recording:
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
        print(f"interrupted at {run.time:g} ms; what was recorded until then is returned", file=sys.stderr)
    return run.result()


def _network(network: Any) -> Network:
    if not isinstance(network, Network):
        raise NetworkError(f"network: found {network!r}, expected a Network. Make one with ns.Network(name, dt=...).")
    return network


def _backend(backend: Any) -> Backend:
    if not isinstance(backend, str) and not (hasattr(backend, "check") and hasattr(backend, "prepare")):
        raise NetworkError(f"backend: found {backend!r}, expected the name of a backend, such as 'cpu'. Give one of these names.")
    return find(backend)


def steps_of(time: Any, dt: float) -> int:
    """Return a duration in whole steps."""
    return int(whole_steps(duration(time, where="run: duration", zero=True), dt, where="run: duration"))


class Run:
    """A prepared network held open: run, set, get, emit, reset, snapshot, save. Made by `prepare`."""

    def __init__(self, program: Program, network: ConcreteNetwork, engine: Engine, report: Report, *, owners: dict[str, Owner], stream: Any = None) -> None:
        self.owners = owners
        self.program, self.network, self.engine, self.report = program, network, engine, report
        self.memory = engine.memory
        self.step = 0
        self.interrupted = False
        self._chunks: list[tuple[int, Chunk]] = []
        self._first = 0
        self._hash = network.hash()
        self._initial = [None if p.variable == "spikes" else self._sample(p) for p in program.probes]
        self._writer = None if stream is None else RecordingWriter(stream, self._header(0, 0))

    @property
    def time(self) -> float:
        """Model time in ms."""
        return self.step * self.program.dt

    @property
    def source(self) -> str:
        """The source that the backend generated, as it runs."""
        return self.engine.source()

    def run(self, time: Any, *, progress: bool = True) -> None:
        """Run for a time, a multiple of dt.

        Raises
        ------
        SimulationError
            If a value stops being finite; its ``recording`` holds what was recorded.
        KeyboardInterrupt
            After Ctrl-C, between two steps: the run is whole, may be read and may go on.
        """
        steps = steps_of(time, self.program.dt)
        end, stretch = self.step + steps, 64
        with _interrupts() as interrupted, _bar(steps, self.program, progress) as bar:
            while self.step < end and not interrupted:
                began = _now()
                chunk = self.engine.advance(self.step, min(stretch, end - self.step))
                elapsed = _now() - began
                self._keep(chunk)
                bar(chunk.steps)
                if not chunk.finite:
                    raise self._not_finite()
                self._check_rules()
                stretch = int(min(max(stretch * min(4.0, _STRETCH / max(elapsed, 1e-6)), 1), 1 << 20))
        if interrupted:
            self.interrupted = True
            raise KeyboardInterrupt
        self.interrupted = False

    def get(self, owner: Owner | str, name: str) -> Any:
        """Return a state, parameter or variable as it is now: a number, or an array over the neurons (edges) of ``owner``; rates in Hz."""
        owner = self._owner(owner)
        name = "w" if isinstance(owner, Projection) and name == "weight" else name
        plain = declared(owner, name).plain
        view = owner.view if isinstance(owner, Population) else owner
        values = self.memory.now(owner.name, name, self.step - 1)
        if values.size == 1 and not (isinstance(view, View) and name in self._states(view)):
            return float(values[0]) / plain
        at = self.memory.locate(view, name)[0] if not isinstance(owner, Drive) else slice(None)
        return values[at] / plain

    def set(self, owner: Owner | str, **values: Any) -> None:
        """Change states, parameters, tables, weights or given spikes by name; on a view, for its neurons alone.

        A table begins with its first row at the next step. One value per neuron where there was one for all prepares the cell again.
        All values are checked before the first is changed.
        """
        owner = self._owner(owner)
        made = assignments(self, owner, values)
        for assign in made:
            assign()
        if owner.name in self.program.populations or owner.name in self.program.projections:
            self.memory.compute_constants(owner.name)
        self.engine.refresh()

    def emit(self, name: str) -> None:
        """Run the handlers of a signal now, projections in creation order."""
        valid = {s for p in self.network.projections.values() if p.rule is not None for s in p.rule.signals}
        if name not in valid:
            raise NetworkError(f"emit: {unknown('signal', name, valid)} A rule listens to a signal with a handler of its name.")
        self.engine.emit(name, self.step - 1)

    def reset(self, owner: Owner | str | None = None, *names: str) -> None:
        """Put things back to where they were when the run was prepared.

        Without names: of a population its states, refractoriness and ports; of a projection its pre and post variables and its spikes
        in flight; without owner, all of these. Edge variables only by name; parameters and the clock never.
        """
        if owner is None:
            for each in (*self.program.populations, *self.program.projections):
                self.memory.reset(each, self.step)
        else:
            found = self._owner(owner)
            if isinstance(found, View) and not found.whole:
                raise NetworkError(f"reset: found {found!r}, expected a whole population. Use run.set for some of its neurons.")
            for name in names:
                if (found.name, name) not in self.memory.initial:
                    valid = [n for o, n in self.memory.initial if o == found.name]
                    raise NetworkError(f"reset: {unknown('state or variable', name, valid, owner=repr(found.name))}")
            for name in names:
                self.memory.reset_name(found.name, name, self.step)
            if not names:
                self.memory.reset(found.name, self.step)
        self.engine.refresh()

    def snapshot(self) -> Snapshot:
        """Return a copy of everything that the run's future depends on."""
        return Snapshot(self.memory.copy(), self.step, self._hash)

    def restore(self, snapshot: Snapshot, *, clock: bool = False) -> None:
        """Go back to a snapshot; the clock (and with it the random numbers) stays where it is unless asked."""
        if not isinstance(snapshot, Snapshot):
            raise NetworkError(f"restore: found {snapshot!r}, expected a snapshot. Take it with run.snapshot().")
        if snapshot.hash != self._hash:
            raise NetworkError("restore: the snapshot is of another network (or seed), expected one of this run. Take it with run.snapshot().")
        if clock:
            self._forget(snapshot.step)
        self.memory.restore(snapshot.arrays, self.step - snapshot.step)
        self.engine.refresh()

    def save(self, path: Any) -> None:
        """Write everything to a file, recordings included, so that `load` continues to the last bit."""
        arrays = {f"memory/{owner}/{name}": array for (owner, name), array in self.memory.portable().items()}
        recorded = self.result()
        for i, probe in enumerate(self.program.probes):
            if probe.variable == "spikes":
                spikes = recorded[probe.owner.name].spikes
                keep = np.isin(spikes.index, probe.owner.indices)
                arrays |= {f"probe/{i}/index": spikes.index[keep], f"probe/{i}/step": spikes.step[keep]}
            else:
                trace = recorded[probe.owner.name].trace(probe.variable)
                arrays |= {f"probe/{i}/values": trace.values, f"probe/{i}/initial": trace.initial}
        header = {"step": self.step, "first": self._first, "hash": self._hash, "network": self.program.name, "interrupted": self.interrupted,
                  "probes": self._probes()}
        files.write(path, header, kind="state", arrays=arrays)

    def load(self, path: Any) -> None:
        """Continue from a file of `save`; the run must be of the same network, seed included; any number of threads."""
        header, arrays = files.read(path, kind="state")
        if header["hash"] != self._hash:
            raise NetworkError(f"load: {path} holds a state of network {header['network']!r} that differs from this one (equations, values or seed). "
                               "Prepare the same network, with the same seed.")
        if header["probes"] != self._probes():
            raise NetworkError(f"load: {path} was recorded with {header['probes']}, expected {self._probes()}. Record the same in both runs.")
        self.memory.take_portable({tuple(key.split("/", 1)[1].rsplit("/", 1)): array for key, array in arrays.items() if key.startswith("memory/")})
        self.step, self._first, self.interrupted = header["step"], header["first"], header["interrupted"]
        chunk = Chunk(self.step - self._first)
        for i, probe in enumerate(self.program.probes):
            if probe.variable == "spikes":
                chunk.spikes[i] = (arrays[f"probe/{i}/index"], arrays[f"probe/{i}/step"])
            else:
                chunk.traces[i] = arrays[f"probe/{i}/values"]
                self._initial[i] = arrays[f"probe/{i}/initial"]
        self._chunks = [(self._first, chunk)]
        self.engine.refresh()

    def _probes(self) -> list[str]:
        """Name what is recorded, for files of states."""
        return [f"{p.owner.name}.{p.variable} of {self._members(p)[0].size} every {p.every}" if p.variable != "spikes"
                else f"{p.owner.name}.spikes of {len(p.owner)}" for p in self.program.probes]

    def result(self) -> Recording:
        """Return what was recorded until now."""
        if self._writer is not None:
            self._flush()
            self._writer.close(self._header(0, self.step))
            return Recording.load(self._writer.folder)
        return self._recording(self._first, self.step)

    # ---- recording

    def _keep(self, chunk: Chunk) -> None:
        self._chunks.append((self.step, chunk))
        self.step += chunk.steps
        if self._writer is not None:
            size = sum(a.nbytes for _, c in self._chunks for a in (*c.traces.values(), *(x for pair in c.spikes.values() for x in pair)))
            if size > _PART:
                self._flush()

    def _forget(self, step: int) -> None:
        """Set the clock back and drop what was recorded since."""
        if step < self._first:
            raise NetworkError(f"restore: recordings since {self._first * self.program.dt:g} ms are on disk already and cannot be taken back. "
                               "Restore without clock=True.")
        kept = []
        for start, chunk in self._chunks:
            end = min(start + chunk.steps, step)
            if end > start:
                rows = {i: (end // p.every) - (start // p.every) for i, p in enumerate(self.program.probes)}
                kept.append((start, Chunk(end - start, True, {i: (n[k < end], k[k < end]) for i, (n, k) in chunk.spikes.items()},
                                          {i: values[:rows[i]] for i, values in chunk.traces.items()})))
        self._chunks, self.step = kept, step

    def _flush(self) -> None:
        if self.step > self._first:
            self._writer.append(self._recording(self._first, self.step))
        self._chunks, self._first = [], self.step

    def _recording(self, first: int, end: int) -> Recording:
        populations: dict[str, PopulationRecording] = {}
        projections: dict[str, ProjectionRecording] = {}
        spikes: dict[str, Spikes] = {}
        traces: dict[str, dict[str, Trace]] = {}
        for i, probe in enumerate(self.program.probes):
            name = probe.owner.name
            if probe.variable == "spikes":
                index = np.concatenate([np.zeros(0, np.int32), *(c.spikes[i][0] for _, c in self._chunks)])
                step = np.concatenate([np.zeros(0, np.int64), *(c.spikes[i][1] for _, c in self._chunks)])
                spikes[name] = Spikes(index, step, size=self.program.populations[name].size, dt=self.program.dt, steps=end - first, first=first)
            else:
                traces.setdefault(name, {})[probe.variable] = self._trace(i, first)
        for name in dict.fromkeys(p.owner.name for p in self.program.probes):
            if name in self.program.populations:
                populations[name] = PopulationRecording(name, self.program.populations[name].size, spikes.get(name), traces.get(name))
            else:
                p = self.network.projections[name]
                shape = (self.program.populations[p.source].size, self.program.populations[p.target].size)
                projections[name] = ProjectionRecording(name, p.source, target_name=p.target, source=p.sources, target=p.targets, shape=shape,
                                                        traces=traces[name])
        return Recording(self._header(first, end - first), populations, projections)

    def _trace(self, i: int, first: int) -> Trace:
        probe = self.program.probes[i]
        members, per = self._members(probe)
        values = np.concatenate([np.zeros((0, members.size)), *(c.traces[i].reshape(len(c.traces[i]), members.size) for _, c in self._chunks)])
        sampled = (first + 1 + probe.every - 1) // probe.every * probe.every - 1  # first step k of the stretch with (k + 1) a multiple of every
        return Trace(values / probe.unit.plain, every=probe.every, first=sampled, members=members, initial=self._initial[i] / probe.unit.plain,
                     dt=self.program.dt, unit=probe.unit.text, per=per)

    def _members(self, probe: Any) -> tuple[np.ndarray, str]:
        _, members = self.memory.locate(probe.owner, probe.variable)
        members = members if probe.edges is None else members[probe.edges]
        per = "member"
        if isinstance(probe.owner, Projection) and probe.owner.rule is not None and members.size and probe.edges is None:
            side = probe.owner.bound.symbols[probe.variable].side
            program = self.program.projections[probe.owner.name]
            slots = {"pre": program.pre_slots, "post": program.post_slots}.get(side)
            per = {"pre": "source", "post": "target"}[side] if slots is not None and slots.uniform else "member"
        return members, per

    def _sample(self, probe: Any) -> np.ndarray:
        at, _ = self.memory.locate(probe.owner, probe.variable)
        at = at if probe.edges is None else at[probe.edges]
        return self.memory.now(probe.owner.name, probe.variable, self.step - 1)[at].copy()

    def _header(self, first: int, steps: int) -> dict[str, Any]:
        from importlib.metadata import version  # slow to import, and not needed before the first run

        packages = {name: version(name) for name in ("neurosim", "numpy", "numba")}
        return {"network": self.program.name, "dt": self.program.dt, "seed": self.program.seed, "first": first, "steps": steps,
                "backend": self.report.backend, "versions": packages | {"python": platform.python_version()}, "hash": self._hash,
                "report": [vars(row) for row in self.report.of("approximated")], "finished": not self.interrupted}

    # ---- names and checks

    def _owner(self, owner: Owner | str) -> Owner:
        name = owner if isinstance(owner, str) else getattr(owner, "name", None)
        if name not in self.owners or not isinstance(owner, str | Population | View | Projection | Drive):
            raise NetworkError(unknown("population, projection or drive", str(name or owner), self.owners, owner=f"run of {self.program.name!r}"))
        known = self.owners[name]
        if not isinstance(owner, str) and (owner.population if isinstance(owner, View) else owner) is not known:
            raise NetworkError(f"run of {self.program.name!r}: {owner!r} belongs to another network, expected {known!r}. Give it or its name.")
        return known if isinstance(owner, str) else owner

    def _states(self, view: View) -> tuple[str, ...]:
        return self.program.populations[view.name].code.states

    def _not_finite(self) -> SimulationError:
        for p in self.program.populations.values():
            for state in p.code.states:
                wrong = np.flatnonzero(~np.isfinite(self.memory[p.name, state]))
                if wrong.size:
                    return self._stopped(p.name, int(wrong[0]), state, float(self.memory[p.name, state][wrong[0]]), "population", "neuron")
        raise AssertionError("an engine reported a value that is not finite, but there is none")

    def _stopped(self, owner: str, index: int, variable: str, value: float, kind: str, member: str) -> SimulationError:
        error = SimulationError(f"{kind} {owner!r}, {member} {index}: {variable} is {value} at {self.time:g} ms, expected a finite value. The run has ended; "
                                "what was recorded until then is in the error's .recording. Try a smaller dt, another method, or bounded inputs.",
                                population=owner, index=index, variable=variable, time=self.time)
        self.interrupted = True
        error.recording = self.result()
        return error

    def _check_rules(self) -> None:
        for p in self.program.projections.values():
            for name, symbol in p.code.symbols if p.code is not None else ():
                if symbol.kind == "variable":
                    values = self.memory[p.name, name]
                    if not np.isfinite(values.sum()):
                        wrong = np.flatnonzero(~np.isfinite(values))
                        if wrong.size:
                            member = "edge" if symbol.side == "edge" else "neuron"
                            raise self._stopped(p.name, int(wrong[0]), name, float(values[wrong[0]]), "projection", member)


class Snapshot:
    """All arrays of a run at one step, in memory."""

    def __init__(self, arrays: dict, step: int, digest: str) -> None:
        self.arrays, self.step, self.hash = arrays, step, digest


def _now() -> float:
    return time.perf_counter()


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Collect Ctrl-C instead of stopping in the middle of a step."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
    try:
        yield caught
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _bar(steps: int, program: Program, wanted: bool) -> Iterator[Any]:
    """Show a progress bar in model time where a run takes more than two seconds."""
    bar = None
    began = _now()
    done = 0

    def advance(by: int) -> None:
        nonlocal bar, done
        done += by
        if bar is None and wanted and _now() - began > 2.0 and done < steps:
            from tqdm.auto import tqdm

            bar = tqdm(total=steps * program.dt, initial=0, unit="ms", desc=program.name, disable=None, leave=False,
                       bar_format="{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} ms [{elapsed}<{remaining}]")
            if not bar.disable:
                bar.start_t -= 2.0
        if bar is not None:
            bar.update(done * program.dt - bar.n)

    try:
        yield advance
    finally:
        if bar is not None:
            bar.close()
