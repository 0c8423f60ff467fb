"""A run on a simulator behind PyNN: the exported script in a process of its own, and its results as a Recording."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.backend.report import Report
from neurosim.distribution import DISTRIBUTION
from neurosim.errors import NetworkError, SimulationError
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.network.validation import read_duration, to_steps
from neurosim.recording.recorded import PopulationRecording, ProjectionRecording
from neurosim.recording.recording import Recording
from neurosim.recording.samples import Spikes, Trace
from neurosim.run.progress import clock

from ..translation.plan import Plan, PlannedRecording
from .script import PACKAGES, RESULTS, Script, installed

QUIET = {
    "PYNEST_QUIET": "1",
    "OMP_WAIT_POLICY": "passive",
}  # threads that wait must not keep a shared core busy
_TAIL = 12  # lines of a failed script's last words
_LOOK = 0.2  # seconds between two looks at a script


class ScriptRun:
    """A network that runs once, from the start.

    Parameters
    ----------
    python : interpreter of the script
    where : the machine that it runs on, where it is another
    **options
        ``threads``, of NEST alone; ``folder``, in which the script stays afterwards.
    """

    def __init__(
        self,
        plan: Plan,
        network: ConcreteNetwork,
        report: Report,
        *,
        python: str = sys.executable,
        where: str = "",
        **options: Any,
    ) -> None:
        self._python, self._where = python, where
        self.plan, self.network, self.report, self._options = plan, network, report, options
        self.step = 0
        self._results: dict[str, np.ndarray] | None = None

    @property
    def time(self) -> float:
        """Model time in ms."""
        return self.step * self.plan.dt

    @property
    def source(self) -> str:
        """The script, for the time that was run."""
        return self._script(self.step).text

    def run(self, time: Any, *, progress: bool = True) -> None:
        """Run for a time, once.

        Raises
        ------
        NetworkError
            If it ran already.
        SimulationError
            With the last words of the simulator.
        """
        if self._results is not None:
            raise NetworkError(
                f"run on {self.plan.target.name!r}: it ran for {self.time:g} ms already, and runs once. Prepare it again for the whole time."
            )
        where = "run: duration"
        steps = int(to_steps(read_duration(time, where=where), self.plan.dt, where=where))
        given = self._options.get("folder")
        with tempfile.TemporaryDirectory(prefix="neurosim-") as temporary:
            folder = Path(given or temporary)
            path = self._script(steps).write(folder, self.report if given else None)
            name = (
                f"{self.plan.name} on {self.plan.target.name}, {steps * self.plan.dt:g} ms"
                if progress
                else ""
            )
            execute(path, folder, python=self._python, where=self._where, name=name)
            with np.load(folder / RESULTS) as found:
                self._results = dict(found)
        self.step = steps

    def result(self) -> Recording:
        """Return what was recorded."""
        populations: dict[str, PopulationRecording] = {}
        projections: dict[str, ProjectionRecording] = {}
        for name in dict.fromkeys(r.owner for r in self.plan.recordings):
            mine = [r for r in self.plan.recordings if r.owner == name]
            if name in self.network.populations:
                spikes = next((self._spikes(r) for r in mine if r.variables == ("spikes",)), None)
                traces = {
                    self.network.probes[r.probe].variable: self._trace(r)
                    for r in mine
                    if r.variables != ("spikes",)
                }
                populations[name] = PopulationRecording(
                    name, self.network.populations[name].size, spikes, traces
                )
            else:
                p = self.network.projections[name]
                shape = (
                    self.network.populations[p.source].size,
                    self.network.populations[p.target].size,
                )
                projections[name] = ProjectionRecording(
                    name,
                    p.source,
                    target_name=p.target,
                    source=p.sources,
                    target=p.targets,
                    shape=shape,
                    traces={"w": self._weights(mine[0])},
                )
        return Recording(self._header(), populations, projections)

    def __getattr__(self, verb: str) -> Any:
        if verb in ("get", "set", "emit", "reset", "snapshot", "restore", "save", "load"):
            raise NetworkError(
                f"run on {self.plan.target.name!r}: it has no {verb}(), because it runs once, in a process of its own. "
                "Change the network and prepare it again, or use 'cpu'."
            )
        raise AttributeError(verb)

    def _script(self, steps: int) -> Script:
        return Script(
            self.plan,
            (steps + self.plan.target.more) * self.plan.dt,
            threads=self._options.get("threads"),
        )

    def _found(self, key: str) -> np.ndarray:
        return np.zeros((0, 2)) if self._results is None else self._results[key]

    def _spikes(self, r: PlannedRecording) -> Spikes:
        index, times = self._found(f"{r.owner}.spikes").T
        step = np.rint(times / self.plan.dt).astype(np.int64) - self.plan.target.first
        within = (step >= 0) & (step < self.step)
        pairs = np.unique(
            np.column_stack([step[within], index[within].astype(np.int64)]), axis=0
        )  # a Poisson source may give several in one step
        return Spikes(
            pairs[:, 1],
            pairs[:, 0],
            size=self.network.populations[r.owner].size,
            dt=self.plan.dt,
            steps=self.step,
            members=r.members,
        )

    def _trace(self, r: PlannedRecording) -> Trace:
        probe = self.network.probes[r.probe]
        order = np.argsort(np.argsort(r.members))  # the script records in ascending order
        initial = self.network.populations[r.owner].initial[probe.variable][r.members]
        rows = self.step // r.every
        if self._results is None:
            values = np.zeros((0, r.members.size))
        else:
            scale = r.scale if np.ndim(r.scale) == 0 else r.scale[r.members]
            values = (
                sum(self._results[f"{r.owner}.{v}"][1 : rows + 1] for v in r.variables)[:, order]
                / scale
            )
        return Trace(
            values / probe.unit.plain,
            every=r.every,
            first=r.every - 1,
            members=r.members,
            initial=initial / probe.unit.plain,
            dt=self.plan.dt,
            unit=probe.unit.text,
        )

    def _weights(self, r: PlannedRecording) -> Trace:
        p, probe = self.network.projections[r.owner], self.network.probes[r.probe]
        given = p.initial["w"] if p.rule is not None else p.weight
        initial = np.array(np.broadcast_to(np.asarray(given, np.float64), p.targets.size))
        values = np.zeros(
            (self.step // r.every if self._results is not None else 0, p.targets.size)
        )
        for q in (q for q in self.plan.projections if q.of == r.owner and len(values)):
            order = np.lexsort((q.post, q.pre))
            values[:, q.edges[order]] = self._found(f"{q.name}.w")[: len(values)] / q.scale[order]
        return Trace(
            values[:, r.members] / probe.unit.plain,
            every=r.every,
            first=r.every - 1,
            members=r.members,
            initial=initial[r.members] / probe.unit.plain,
            dt=self.plan.dt,
            unit=probe.unit.text,
        )

    def _header(self) -> dict[str, Any]:
        packages = {
            name: installed(name) for name in (DISTRIBUTION, *PACKAGES[self.plan.target.name])
        }
        return {
            "network": self.plan.name,
            "dt": self.plan.dt,
            "seed": self.plan.seed,
            "backend": self.plan.target.name,
            "first": 0,
            "steps": self.step,
            "versions": packages | {"python": platform.python_version()},
            "hash": self.network.hash(),
            "report": [row.data() for row in self.report.of("approximated")],
            "finished": self._results is not None,
            "options": {name: value for name, value in self._options.items() if name != "folder"},
        }


def execute(
    path: Path,
    folder: Path,
    *,
    python: str = sys.executable,
    environment: dict[str, str] | None = None,
    where: str = "",
    name: str = "",
) -> None:
    """Run a script in a process of its own, in its folder; a clock with a ``name`` shows that it goes on.

    Raises
    ------
    SimulationError
        With its last lines, if it fails.
    """
    surroundings = {**os.environ, **QUIET, **(environment or {})}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with (
        subprocess.Popen(
            [python, path.name], cwd=folder, env=surroundings, text=True, **pipes
        ) as process,
        clock(name, wanted=bool(name)) as tick,
    ):
        while process.returncode is None:
            try:
                printed, complained = process.communicate(timeout=_LOOK)
            except subprocess.TimeoutExpired:
                tick()
            except BaseException:
                process.kill()
                process.wait()
                raise
    if process.returncode:
        said = (complained or printed).strip().splitlines()
        raised = [
            line for line in said[:-_TAIL] if re.match(r"[\w.]+(Error|Exception)\b", line)
        ]  # sPyNNaker goes on talking after its error
        last = "\n".join(f"  {line}" for line in raised[-1:] + said[-_TAIL:])
        place = f" ({where})" if where else ""
        raise SimulationError(
            f"the PyNN script of this network{place} failed (exit code {process.returncode}), expected it to end; its last words:\n{last}\n"
            "Run it by hand: give folder=... to keep it."
        )
