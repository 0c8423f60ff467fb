"""A run on a simulator behind PyNN: its script in a process, and the results as a Recording."""

from __future__ import annotations

import platform
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from neurosim.backend.report import Report
from neurosim.distribution import DISTRIBUTION
from neurosim.errors import NetworkError, SimulationError, describe_unknown
from neurosim.ir.concrete import ConcreteNetwork, ConcreteProjection
from neurosim.network.probes import Probe
from neurosim.network.projections import Projection
from neurosim.network.validation import read_duration, to_steps
from neurosim.recording.edge_table import EdgeTable
from neurosim.recording.recorded import PopulationRecording, ProjectionRecording
from neurosim.recording.recording import Recording
from neurosim.recording.samples import Spikes, Trace
from neurosim.units import Unit, unit

from ..translation.plan import Plan, PlannedRecording
from . import provenance
from .packages import PACKAGES, installed_version
from .process import execute
from .script import RESULTS, Script

_MISSING_VERBS = ("get", "set", "emit", "reset", "snapshot", "restore", "save", "load")


class Written(Protocol):
    """A script before it is written: of PyNN, or of PyNEST."""

    @property
    def text(self) -> str: ...

    def write(self, folder: Path, report: Report | None = None) -> Path: ...


class ScriptRun:
    """A network that runs once, from the start.

    Parameters
    ----------
    plan : Plan
    network : ConcreteNetwork
        The network that the plan was made from.
    report : Report
    python : str
        Interpreter of the script.
    machine : str
        The machine that it runs on, if it is another one; for error messages.
    folder : path, optional
        In which the script stays afterwards.
    threads : int, optional
        Of NEST.
    """

    def __init__(
        self,
        plan: Plan,
        network: ConcreteNetwork,
        report: Report,
        *,
        python: str = sys.executable,
        machine: str = "",
        folder: str | Path | None = None,
        threads: int | None = None,
    ) -> None:
        self.plan = plan
        self.network = network
        self.report = report
        self.step = 0
        self._python = python
        self._machine = machine
        self._folder = folder
        self._threads = threads
        # None: it has not run. A script may end without any array, which is a result, too.
        self._results: dict[str, np.ndarray] | None = None

    @property
    def time(self) -> float:
        """Model time in ms."""
        return self.step * self.plan.dt

    @property
    def source(self) -> str:
        """The script, with the time of the run."""
        return self._script(self.step).text

    def run(self, time: Any, *, progress: bool = True) -> None:
        """Run for some time, once.

        Parameters
        ----------
        time : quantity
            A multiple of dt; a plain number is in ms.
        progress : bool
            Show a clock if the run takes more than two seconds.

        Raises
        ------
        NetworkError
            If it ran already.
        SimulationError
            With the last lines that the simulator printed.
        """
        name = self.plan.target.name
        if self._results is not None:
            raise NetworkError(
                f"run on {name!r}: it ran for {self.time:.12g} ms already, and runs once. "
                "Prepare it again for the whole time."
            )
        where = "run: duration"
        steps = int(to_steps(read_duration(time, where=where), self.plan.dt, where=where))
        title = f"{self.plan.name} on {name}, {steps * self.plan.dt:.12g} ms" if progress else ""
        # The script of a run in a folder of its own is deleted with it, unless the user wants it.
        with tempfile.TemporaryDirectory(prefix="neurosim-") as temporary:
            folder = Path(self._folder or temporary)
            report = self.report if self._folder else None
            script = self._script(steps).write(folder, report)
            of_board = self.plan.target.name == "spinnaker"
            if of_board:
                (folder / provenance.FILE).write_text(provenance.SETTINGS, encoding="utf-8")
            self._results = self._execute(script, steps=steps, title=title)
            if of_board:
                labels = [p.name for p in self.plan.populations]
                rows = provenance.provenance_rows(folder, labels)
                self.report = replace(self.report, rows=(*self.report.rows, *rows))
        self.step = steps

    def _execute(self, script: Path, *, steps: int, title: str) -> dict[str, np.ndarray]:
        execute(script, command=[self._python], machine=self._machine, title=title)
        with np.load(script.parent / RESULTS) as results:
            return dict(results)

    def result(self) -> Recording:
        """Return everything that was recorded."""
        # Before a run, too: recordings are then empty, as those of other backends.
        populations: dict[str, PopulationRecording] = {}
        projections: dict[str, ProjectionRecording] = {}
        for name in dict.fromkeys(r.owner for r in self.plan.recordings):
            recordings = [r for r in self.plan.recordings if r.owner == name]
            if name in self.network.populations:
                populations[name] = self._population(name, recordings)
            else:
                projections[name] = self._projection(name, recordings[0])
        return Recording(self._header(), populations, projections)

    def edges(self, projection: Projection | str) -> EdgeTable:
        """Return the edges of a projection, and of their values those that are known.

        Parameters
        ----------
        projection : Projection or str

        Returns
        -------
        EdgeTable
            Edge variables of a rule are known before the run; after it ``w`` is, if it was
            recorded in the last step.

        Raises
        ------
        NetworkError
            If there is no such projection.
        """
        name = projection.name if isinstance(projection, Projection) else projection
        if not isinstance(name, str) or name not in self.network.projections:
            owner = f"run on {self.plan.target.name!r}"
            valid = self.network.projections
            raise NetworkError(describe_unknown("projection", name, valid, owner=owner))
        p = self.network.projections[name]
        units = _edge_units(p, self.network)
        values = self._edge_values(p, units)
        where = f"edges of {name!r}: delay"
        delays = to_steps(np.asarray(p.delay), self.plan.dt, where=where, rounded=p.round_delays)
        return EdgeTable(
            name,
            p.sources,
            np.array(p.targets, np.int32),
            np.round(np.broadcast_to(delays, p.targets.size) * self.plan.dt, 12),
            values,
            {variable: units[variable].text for variable in values},
        )

    def _edge_values(self, p: ConcreteProjection, units: dict[str, Unit]) -> dict[str, np.ndarray]:
        """Return the edge variables that are known now, (E,) each, in their declared units."""
        start: dict[str, Any] = {"w": p.weight} if p.rule is None else p.initial
        if p.rule is None or self._results is None:
            shape = p.targets.size
            return {
                name: declared.from_engine(
                    np.array(np.broadcast_to(start[name], shape), np.float64)
                )
                for name, declared in units.items()
            }
        recordings = [r for r in self.plan.recordings if r.owner == p.name]
        trace = self._weight_trace(recordings[0]) if recordings else None
        complete = trace is not None and trace.members.size == p.targets.size
        if trace is None or not complete or self.step % trace.every or not self.step:
            return {}
        return {"w": trace.values[-1]}

    def __getattr__(self, name: str) -> Any:
        # Verbs of other runs are answered with the reason, not with a bare AttributeError.
        if name in _MISSING_VERBS:
            raise NetworkError(
                f"run on {self.plan.target.name!r}: it has no {name}(), because it runs once, "
                "in a process of its own. Change the network and prepare it again, or use 'cpu'."
            )
        raise AttributeError(name)

    def _script(self, steps: int) -> Written:
        # Some targets record a state before it moves, so that the last value takes another step.
        time = (steps + self.plan.target.extra_steps) * self.plan.dt
        return Script(self.plan, time, threads=self._threads)

    # ---- recordings

    def _population(self, name: str, recordings: list[PlannedRecording]) -> PopulationRecording:
        spikes = next((self._spikes(r) for r in recordings if r.of_spikes), None)
        traces = {
            self._probe(r).variable: self._state_trace(r) for r in recordings if not r.of_spikes
        }
        size = self.network.populations[name].size
        return PopulationRecording(name, size, spikes, traces)

    def _projection(self, name: str, recording: PlannedRecording) -> ProjectionRecording:
        p = self.network.projections[name]
        populations = self.network.populations
        return ProjectionRecording(
            name,
            p.source,
            target_name=p.target,
            source=p.sources,
            target=p.targets,
            shape=(populations[p.source].size, populations[p.target].size),
            traces={"w": self._weight_trace(recording)},
        )

    def _probe(self, recording: PlannedRecording) -> Probe:
        return self.network.probes[recording.probe]

    def _spikes(self, recording: PlannedRecording) -> Spikes:
        rows = np.zeros((0, 2))
        if self._results is not None:
            rows = self._results[f"{recording.owner}.spikes"]
        neurons = rows[:, 0].astype(np.int64)
        times = rows[:, 1]
        steps = np.rint(times / self.plan.dt).astype(np.int64) - self.plan.target.spike_offset
        # Spikes of the target's extra steps are outside the run.
        within = (steps >= 0) & (steps < self.step)
        # A Poisson source may emit several spikes in one step.
        pairs = np.unique(np.column_stack([steps[within], neurons[within]]), axis=0)
        return Spikes(
            pairs[:, 1],
            pairs[:, 0],
            size=self.network.populations[recording.owner].size,
            dt=self.plan.dt,
            steps=self.step,
            members=recording.members,
        )

    def _state_trace(self, recording: PlannedRecording) -> Trace:
        members = recording.members
        initial = self.network.populations[recording.owner].initial
        start = initial[self._probe(recording).variable][members]
        if self._results is None:
            return self._trace(recording, np.zeros((0, members.size)), start)
        # The first sample is the start, and the script records in ascending order of neurons.
        samples = slice(1, self.step // recording.every + 1)
        # The inverse of sorting: the column of each member in the order of the probe.
        columns = np.argsort(np.argsort(members))
        parts = [
            recording.sign(v) * self._results[f"{recording.owner}.{v}"][samples]
            for v in recording.variables
        ]
        total = np.sum(parts, axis=0)[:, columns]
        scale = np.asarray(recording.scale)
        return self._trace(recording, total / (scale[members] if scale.ndim else scale), start)

    def _weight_trace(self, recording: PlannedRecording) -> Trace:
        p = self.network.projections[recording.owner]
        start: Any = p.weight if p.rule is None else p.initial["w"]
        initial = np.broadcast_to(np.asarray(start, np.float64), p.targets.size)
        samples = 0 if self._results is None else self.step // recording.every
        values = np.zeros((samples, p.targets.size))
        if self._results is not None and samples:
            # The script lists weights by source, then target, whatever order edges were made in.
            for q in self.plan.parts(recording.owner):
                order = np.lexsort((q.post, q.pre))
                weights = self._results[f"{q.name}.w"][:samples]
                values[:, q.edges[order]] = weights / q.scale[order]
        return self._trace(recording, values[:, recording.members], initial[recording.members])

    def _trace(self, recording: PlannedRecording, values: np.ndarray, initial: np.ndarray) -> Trace:
        """Return a trace of values in engine units, (T, M) and (M,), in the user's unit."""
        self._require_finite(recording, values)
        declared = _require_unit(self._probe(recording))
        return Trace(
            declared.from_engine(values),
            every=recording.every,
            first=recording.every - 1,
            members=recording.members,
            initial=declared.from_engine(initial),
            dt=self.plan.dt,
            unit=declared.text,
        )

    def _require_finite(self, recording: PlannedRecording, values: np.ndarray) -> None:
        """Raise SimulationError at the first value that is not finite."""
        wrong = np.argwhere(~np.isfinite(values))
        if not wrong.size:
            return
        sample, column = (int(n) for n in wrong[0])
        variable = self._probe(recording).variable
        index = int(recording.members[column])
        time = (sample + 1) * recording.every * self.plan.dt
        raise SimulationError(
            f"{recording.owner!r}: {variable!r} of number {index} is {values[sample, column]} at "
            f"{time:g} ms on {self.plan.target.title}, expected a finite number. Use a smaller "
            "dt, or compare with backend='cpu'.",
            population=recording.owner,
            index=index,
            variable=variable,
            time=time,
        )

    def _header(self) -> dict[str, Any]:
        packages = (DISTRIBUTION, *PACKAGES[self.plan.target.name])
        versions = {name: installed_version(name) for name in packages}
        return {
            "network": self.plan.name,
            "dt": self.plan.dt,
            "seed": self.plan.seed,
            "backend": self.plan.target.name,
            "first": 0,
            "steps": self.step,
            "versions": versions | {"python": platform.python_version()},
            "hash": self.network.hash(),
            "report": [row.data() for row in self.report.of("approximated")],
            "finished": self._results is not None,
            "options": self._options(),
        }

    def _options(self) -> dict[str, Any]:
        return {} if self._threads is None else {"threads": self._threads}


def _edge_units(p: ConcreteProjection, network: ConcreteNetwork) -> dict[str, Unit]:
    """Return the declared unit of each edge variable."""
    if p.rule is not None:
        return {variable.name: variable.unit for variable in p.rule.edge}
    assert p.port is not None  # a projection without a rule delivers to a port
    return {"w": unit(network.populations[p.target].cell.port(p.port).unit)}


def _require_unit(probe: Probe) -> Unit:
    if probe.unit is None:
        raise TypeError(f"the probe of {probe.variable!r} of {probe.owner.name!r} has no unit")
    return probe.unit
