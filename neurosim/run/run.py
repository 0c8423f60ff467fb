"""Run: a prepared network held open; and its snapshots."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ..backend.engine import Engine
from ..backend.report import Report
from ..distribution import DISTRIBUTION
from ..errors import NetworkError, SimulationError, describe, describe_unknown
from ..ir.concrete import ConcreteNetwork
from ..ir.program import Program
from ..network.populations import Population, View
from ..network.projections import Drive, Projection
from ..network.validation import read_duration, to_steps
from ..recording import files
from ..recording.recording import Recording
from .assignments import Owner, assignments, declared
from .finite import Watch
from .progress import bar, interrupts
from .recorder import Recorder

_STRETCH = 0.1  # seconds of computing between two looks at the progress bar and at Ctrl-C


def steps_of(time: Any, dt: float) -> int:
    """Return a duration in whole steps."""
    return int(
        to_steps(read_duration(time, where="run: duration", zero=True), dt, where="run: duration")
    )


class Run:
    """A prepared network held open: run, set, get, emit, reset, snapshot, save.

    `neurosim.prepare` returns one.

    Attributes
    ----------
    step : int
        Number of steps run.
    interrupted : bool
        Whether the last `run` ended before its time.
    report : Report
        Of the backend.
    """

    def __init__(
        self,
        program: Program,
        network: ConcreteNetwork,
        engine: Engine,
        report: Report,
        *,
        owners: dict[str, Owner],
        options: Mapping[str, Any],
        stream: Any = None,
    ) -> None:
        self.owners = owners
        self._replica = int(options.get("replica", 0))
        self._options = {name: _data(value) for name, value in options.items() if name != "replica"}
        self.program, self.network, self.engine, self.report = (
            program,
            network.outline(),
            engine,
            report,
        )
        self.memory = engine.memory
        self.step = 0
        self.interrupted = False
        self._stretch = 64  # steps between two such looks
        self._hash = network.hash()
        self._watch = Watch(program, self.memory)
        self._recorder = Recorder(
            program, self.network, self.memory, header=self._header(), stream=stream
        )

    @property
    def time(self) -> float:
        """Model time in ms."""
        return self.step * self.program.dt

    @property
    def generated_code(self) -> str:
        """The code that the backend generated, as it runs."""
        return self.engine.source()

    @property
    def source(self) -> str:
        """Another name of `generated_code`."""
        return self.generated_code

    def run(self, time: Any, *, progress: bool = True) -> None:
        """Run for a time.

        Parameters
        ----------
        time : quantity
            A multiple of dt; a plain number is in ms.
        progress : bool
            Show a progress bar if the run takes more than two seconds.

        Raises
        ------
        SimulationError
            If a value stops being finite; its ``recording`` holds everything recorded. Variables
            of rules are not checked after every very short run; `result`, `snapshot` and `save`
            always check them.
        NetworkError
            If the traces that will be recorded do not fit into memory; nothing was run.
        KeyboardInterrupt
            After Ctrl-C, between two steps: the run is whole, and may be read and continued.
        """
        steps = steps_of(time, self.program.dt)
        end = self.step + steps
        self._recorder.demand(self.step, steps)
        self._recorder.begin(self.step)
        self.interrupted = True  # until the end is reached
        with (
            interrupts() as interrupted,
            bar(steps, dt=self.program.dt, name=self.program.name, wanted=progress) as advance,
        ):
            try:
                while self.step < end and not interrupted:
                    self._advance(end, advance)
            finally:
                if self.step < end:  # nothing more follows: deferred work is done now
                    self.engine.advance(self.step, 0)
        if interrupted:
            raise KeyboardInterrupt
        self.interrupted = False

    def _advance(self, end: int, advance: Callable[[int], None]) -> None:
        """Run until the next look at Ctrl-C, at most to the step ``end``."""
        began, first = perf_counter(), self.step
        count = min(self._stretch, end - first)
        chunk = self.engine.advance(first, count, more=first + count < end)
        elapsed = perf_counter() - began
        self.step += chunk.steps  # before anything may fail: memory is there
        self._recorder.keep(first, chunk)
        advance(chunk.steps)
        if not chunk.finite:
            raise self._not_finite()
        if self._watch.due(elapsed, more=self.step < end):
            self._look()
        self._stretch = int(
            min(max(_STRETCH * chunk.steps / max(elapsed, 1e-6), 1), 4 * self._stretch, 1 << 20)
        )

    def get(self, owner: Owner | str, name: str) -> Any:
        """Return a state, parameter or variable as it is now.

        Parameters
        ----------
        owner : Population, View, Projection, Drive or str
        name : str

        Returns
        -------
        float, or float64 array over the neurons or edges of the owner
            In engine units; rates in Hz. Edges are sorted by source, then target, both counted in
            their whole populations, in whatever order they were created.

        Raises
        ------
        NetworkError
            If the owner or the name is unknown.
        """
        owner = self._owner(owner)
        name = (
            "w"
            if isinstance(owner, Projection) and isinstance(name, str) and name == "weight"
            else name
        )
        plain = declared(owner, name).plain * (
            owner.n if isinstance(owner, Drive) and name == "rate" else 1
        )
        view = owner.view if isinstance(owner, Population) else owner
        values = self.memory.now(owner.name, name, self.step - 1)
        if values.size == 1 and not (isinstance(view, View) and name in self._states(view)):
            return float(values[0]) / plain
        at = self.memory.locate(view, name)[0] if not isinstance(owner, Drive) else slice(None)
        return np.divide(values[at], plain, dtype=np.float64)

    def set(self, owner: Owner | str, **values: Any) -> None:
        """Change states, parameters, tables, weights or given spikes by name.

        All values are checked before the first is changed. Parameters written as text over others
        follow these, until they are set themselves. One value per neuron in place of one for all
        prepares the cell again.

        Parameters
        ----------
        owner : Population, View, Projection, Drive or str
            Of a view, its neurons alone are changed.
        **values : quantity, array, draw or table
            Arrays over edges are in the order of `get`. A table begins with its first row at the
            next step; a value for some neurons replaces their columns of a table, and the other
            columns continue. ``times`` of given spikes are model time, as of `time`, and
            ``steps`` count from the start of the run: none may be past.

        Raises
        ------
        NetworkError
            If a name is unknown, or a value has a wrong unit, shape or range.
        """
        owner = self._owner(owner)
        made = assignments(self, owner, values)
        for assign in made:
            assign()
        if owner.name in self.program.populations or owner.name in self.program.projections:
            self.memory.compute_constants(owner.name)
        self.engine.refresh()

    def emit(self, name: str) -> None:
        """Run the handlers of a signal now, projections in creation order.

        Parameters
        ----------
        name : str

        Raises
        ------
        NetworkError
            If no rule listens to the signal.
        """
        valid = {
            s
            for p in self.network.projections.values()
            if p.rule is not None
            for s in p.rule.signals
        }
        if not isinstance(name, str) or name not in valid:
            raise NetworkError(
                f"emit: {describe_unknown('signal', name, valid)} A rule listens to a signal with "
                "a handler of its name."
            )
        self.engine.emit(name, self.step - 1)

    def reset(self, owner: Owner | str | None = None, *names: str) -> None:
        """Return variables to their values of the moment when the run was prepared.

        Parameters and the clock are never reset.

        Parameters
        ----------
        owner : Population, Projection, Drive or str, optional
            All populations and projections unless given.
        *names : str
            Unless given: of a population its states, refractoriness and ports; of a projection
            its pre and post variables and its spikes in flight. Edge variables only by name.

        Raises
        ------
        NetworkError
            If the owner is a part of a population, or a name is unknown.
        """
        if owner is None:
            for name in (*self.program.populations, *self.program.projections):
                self.memory.reset(name, self.step)
        else:
            self._reset_owner(self._owner(owner), names)
        self.engine.refresh()

    def _reset_owner(self, owner: Owner, names: tuple[str, ...]) -> None:
        if isinstance(owner, View) and not owner.whole:
            raise NetworkError(
                f"reset: found {owner!r}, expected a whole population. "
                "Use run.set for some of its neurons."
            )
        for name in names:
            if not isinstance(name, str) or (owner.name, name) not in self.memory.initial:
                valid = [n for o, n in self.memory.initial if o == owner.name]
                unknown = describe_unknown("state or variable", name, valid, owner=repr(owner.name))
                raise NetworkError(f"reset: {unknown}")
        for name in names:
            self.memory.reset_name(owner.name, name, self.step)
        if not names:
            self.memory.reset(owner.name, self.step)

    def snapshot(self) -> Snapshot:
        """Return a copy of everything that the run's future depends on.

        It fits any run of the same network, whatever its engine and threads.
        """
        self._look()
        return Snapshot(self.memory.portable(), self.step, self._hash, self.memory.dtype.name)

    def restore(self, snapshot: Snapshot, *, clock: bool = False) -> None:
        """Return to a snapshot.

        Parameters
        ----------
        snapshot : Snapshot
        clock : bool
            Also set the clock back, and with it the random numbers. Recordings from the
            snapshot's time on are then dropped; a run without recordings records from there on.

        Raises
        ------
        NetworkError
            If the snapshot is of another network, seed or precision, or a gap in the recording
            would be left.
        """
        if not isinstance(snapshot, Snapshot):
            raise NetworkError(
                f"restore: found {describe(snapshot)}, expected a snapshot. "
                "Take it with run.snapshot()."
            )
        if snapshot.hash != self._hash:
            raise NetworkError(
                "restore: the snapshot is of another network (or seed), expected one of this run. "
                "Take it with run.snapshot()."
            )
        self._same_precision(snapshot.precision, "restore: the snapshot")
        if clock:
            self._recorder.forget(snapshot.step)
            self.step = snapshot.step
        self.memory.restore(snapshot.arrays, self.step - snapshot.step)
        self._watch.seen = self.step
        self.engine.refresh()

    def save(self, path: str | Path) -> None:
        """Write everything to a file, recordings included: `load` continues to the last bit.

        Parameters
        ----------
        path : path
            Overwritten if it exists.

        Raises
        ------
        NetworkError
            If the file cannot be written.
        SimulationError
            If a variable of a rule is not finite.
        """
        self._look()
        arrays = {
            f"memory/{owner}/{name}": array
            for (owner, name), array in self.memory.portable().items()
        }
        for name, array in self._recorder.arrays(self.step).items():
            arrays[f"probe/{name}"] = array
        header = {
            "step": self.step,
            "first": self._recorder.first,
            "hash": self._hash,
            "network": self.program.name,
            "interrupted": self.interrupted,
            "probes": self._recorder.probes(),
            "members": self._recorder.members(),
            "precision": self.memory.dtype.name,
            "replica": self._replica,
        }
        files.write(path, header, kind="state", arrays=arrays)

    def load(self, path: str | Path) -> None:
        """Continue from a file of `save`.

        Parameters
        ----------
        path : path
            Of a run of the same network, seed, replica and precision that records the same; the
            engine and the number of threads may differ.

        Raises
        ------
        NetworkError
            If the file is damaged or of another run; nothing is changed.
        FileNotFoundError
            If it does not exist.
        """
        header, arrays = files.read(path, kind="state")
        self._require_same_run(header, path)
        recorded, memory = {}, {}
        for key, array in arrays.items():
            kind, _, name = key.partition("/")
            if kind == "probe":
                recorded[name] = array
            elif kind == "memory":
                owner, _, variable = name.rpartition("/")
                memory[owner, variable] = array
        self._recorder.take(recorded, first=header["first"], end=header["step"])
        self.memory.restore(memory, 0)
        self.step, self.interrupted = header["step"], header["interrupted"]
        self._watch.seen = self.step
        self.engine.refresh()

    def _require_same_run(self, header: Mapping[str, Any], path: str | Path) -> None:
        """Raise if a file holds the state of a run that differs from this one."""
        if header["hash"] != self._hash:
            raise NetworkError(
                f"load: {path} holds a state of network {header['network']!r} that differs from "
                "this one (equations, values or seed). Prepare the same network, with the same "
                "seed."
            )
        self._same_precision(header.get("precision", "float64"), f"load: {path}")
        probes, members = self._recorder.probes(), self._recorder.members()
        if header["probes"] != probes:
            raise NetworkError(
                f"load: {path} was recorded with {header['probes']}, expected {probes}. "
                "Record the same in both runs."
            )
        members_there = header.get("members", members)
        pairs = zip(probes, members_there, members, strict=True)
        differing = [probe for probe, there, here in pairs if there != here]
        if differing:
            raise NetworkError(
                f"load: {path} was recorded with other neurons or edges of: "
                f"{', '.join(differing)}; expected those of this run. "
                "Record the same in both runs."
            )
        replica = header.get("replica", self._replica)
        if replica != self._replica:
            raise NetworkError(
                f"load: {path} holds a state of replica {replica}, expected one of replica "
                f"{self._replica}: this run's random numbers are others. "
                f"Prepare the run with replica={replica}."
            )

    def result(self) -> Recording:
        """Return everything recorded so far."""
        self._look()
        return self._recorder.recording(self.step, finished=not self.interrupted)

    def _header(self) -> dict[str, Any]:
        from importlib.metadata import version  # slow to import: not before the first run

        packages = {name: version(name) for name in (DISTRIBUTION, "numpy", "numba")}
        return {
            "network": self.program.name,
            "dt": self.program.dt,
            "seed": self.program.seed,
            "replica": self._replica,
            "backend": self.report.backend,
            "options": self._options,
            "versions": packages | {"python": platform.python_version()},
            "hash": self._hash,
            "report": [row.data() for row in self.report.of("approximated")],
        }

    # ---- names and checks

    def _owner(self, owner: Owner | str) -> Owner:
        name = owner if isinstance(owner, str) else getattr(owner, "name", None)
        if (
            not isinstance(owner, str | Population | View | Projection | Drive)
            or name not in self.owners
        ):
            raise NetworkError(
                describe_unknown(
                    "population, projection or drive",
                    name or owner,
                    self.owners,
                    owner=f"run of {self.program.name!r}",
                )
            )
        known = self.owners[name]
        if (
            not isinstance(owner, str)
            and (owner.population if isinstance(owner, View) else owner) is not known
        ):
            raise NetworkError(
                f"run of {self.program.name!r}: found {name!r} of another network, expected that "
                "of the one which was prepared. "
                "Give it or its name."
            )
        return known if isinstance(owner, str) else owner

    def _states(self, view: View) -> tuple[str, ...]:
        return self.program.populations[view.name].code.states

    def _same_precision(self, found: str, where: str) -> None:
        mine = self.memory.dtype.name
        if found != mine:
            raise NetworkError(
                f"{where} holds {found} numbers, expected the {mine} of this run. "
                f"Prepare the run with precision={found!r}, or start anew."
            )

    def _not_finite(self) -> SimulationError:
        for p in self.program.populations.values():
            for state in p.code.states:
                wrong = np.flatnonzero(~np.isfinite(self.memory[p.name, state]))
                if wrong.size:
                    time = self.time + self.program.dt
                    return self._stopped(
                        f"population {p.name!r}, neuron",
                        f"at {time:g} ms",
                        population=p.name,
                        index=int(wrong[0]),
                        variable=state,
                        value=float(self.memory[p.name, state][wrong[0]]),
                        time=time,
                        method=dict(p.code.methods).get(state),
                    )
        raise AssertionError("an engine reported a value that is not finite, but there is none")

    def _look(self) -> None:
        """Raise SimulationError if a variable of a rule is no longer finite."""
        wrong = self._watch.look(self.step)
        if wrong is not None:
            when = f"at {self.time:g} ms (all were finite at {wrong.since * self.program.dt:g} ms)"
            raise self._stopped(
                f"projection {wrong.projection!r}, {wrong.member}",
                when,
                population=wrong.projection,
                index=wrong.index,
                variable=wrong.variable,
                value=wrong.value,
                time=self.time,
            )

    def _stopped(
        self,
        place: str,
        when: str,
        *,
        population: str,
        index: int,
        variable: str,
        value: float,
        time: float,
        method: str | None = None,
    ) -> SimulationError:
        remedy = "Try a smaller dt, another method, or bounded inputs."
        if method in ("euler", "heun", "rk4"):
            remedy = (
                f"Method {method!r} is unstable where dt ({self.program.dt:g} ms) is long against "
                "the fastest change: try a "
                "smaller dt, method='exponential_euler' (it takes equations that are linear in "
                "their own state), or bounded inputs."
            )
        error = SimulationError(
            f"{place} {index}: {variable} is {value} {when}, expected a finite value. "
            "The run has ended; "
            "what was recorded until then is in the error's .recording. " + remedy,
            population=population,
            index=index,
            variable=variable,
            time=time,
        )
        self.interrupted, self._watch.seen = True, self.step
        error.recording = self.result()
        return error


def _data(option: Any) -> Any:
    """Return an option as a header holds it: what is no number as text."""
    return option if isinstance(option, int | float | np.number | None) else str(option)


class Snapshot:
    """All arrays of a run at one step, in memory; for any run of the same network, whatever its
    engine and threads.
    """

    def __init__(self, arrays: dict, step: int, digest: str, precision: str) -> None:
        self.arrays, self.step, self.hash, self.precision = arrays, step, digest, precision
