"""A plan as the text of a plain PyNN script, the arrays that it reads, and a README: what a person would have written."""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.backend import Report

from .plan import Plan, PlannedPopulation, PlannedProjection, PlannedRecording

SCRIPT, ARRAYS, RESULTS = "network.py", "arrays.npz", "results.npz"
PACKAGES = {"nest": ("PyNN", "nest-simulator", "numpy"), "pynn-brian2": ("PyNN", "Brian2", "numpy"), "spinnaker": ("PyNN", "sPyNNaker", "numpy")}
_FEW = 6  # numbers that a script spells out

_SPIKES = '''def spikes_of(segment):
    """Return one row per spike: neuron, time in ms."""
    rows = [(train.annotations["source_index"], time) for train in segment.spiketrains for time in train.magnitude]
    return np.array(rows, float).reshape(-1, 2)
'''
_WEIGHTS = '''def weights_of(projection):
    """Return the weights, sorted by source, then target."""
    rows = np.array([tuple(row) for row in projection.get(["weight"], format="list")], float).reshape(-1, 3)
    return rows[np.lexsort((rows[:, 1], rows[:, 0])), 2]
'''
_WEIGHTS_OF_PAIRS = '''def weights_of(projection):
    """Return the weights, sorted by source, then target; PyNN cannot list a single one of Brian 2."""
    matrix = projection.get("weight", format="array")
    return matrix[~np.isnan(matrix)]
'''


_TAKEN = {"sim", "np", "arrays", "plasticity", "history", "results", "segment", "signal", "step", "i", "spikes_of", "weights_of", "Path", "Sequence"}


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """Return a name for Python for each, all different."""
    found: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"\W+", "_", name).strip("_")
        while keyword.iskeyword(plain) or plain in _TAKEN or plain in found.values():
            plain += "_"
        found[name] = plain
    return found


class Script:
    """The script of a plan for a time in ms; ``text`` and ``arrays`` are what `write` writes."""

    def __init__(self, plan: Plan, time: float, *, threads: int | None = None) -> None:
        self.plan, self.time, self.threads = plan, time, threads
        self.arrays: dict[str, np.ndarray] = {}
        self.names = identifiers([p.name for p in plan.populations] + [q.name for q in plan.projections])
        network = "\n".join(self._network())
        self.network = "\n".join([*self._head(), "", *self._setup(), "", network])
        self.text = "\n".join([self.network, *self._run(), *self._results(), "sim.end()", ""])

    def write(self, folder: Path, report: Report | None = None) -> Path:
        """Write script, arrays, and with a report also the README; return the path of the script."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SCRIPT).write_text(self.text)
        np.savez(folder / ARRAYS, **self.arrays)
        if report is not None:
            (folder / "report.txt").write_text(f"{report}\n")
            (folder / "README.md").write_text(self._readme(report))
        return folder / SCRIPT

    # ---- parts of the text

    def _head(self) -> Iterator[str]:
        plan = self.plan
        changed = [r for r in plan.rows if r.status == "approximated"]
        yield f'"""Network {plan.name!r} on {plan.target.title}, through PyNN. Written by neurosim {_version("neurosim")}.'
        if changed:
            yield "\nWhat differs from the network as neurosim runs it:"
            yield from (f"- {r.place}: {r.reason}" for r in changed)
        yield '"""'
        yield "from pathlib import Path\n"
        yield from plan.target.preamble
        yield "import numpy as np"
        yield f"import {plan.target.module} as sim"
        if any(p.spikes is not None and p.size > 1 for p in plan.populations) and plan.target.name != "spinnaker":
            yield "from pyNN.parameters import Sequence"
        yield f"\nHERE = Path(__file__).parent\narrays = np.load(HERE / {ARRAYS!r})\nDT = {plan.dt!r}  # ms\nRUN_TIME = {self.time!r}  # ms"

    def _setup(self) -> Iterator[str]:
        plan = self.plan
        more = dict(plan.target.setup)
        if plan.target.name == "nest":
            more["max_delay"] = float(max((p.delay.max(initial=0.0) for p in plan.projections), default=0.0)) + plan.dt
            if self.threads:
                more["threads"] = self.threads
        if plan.target.name == "spinnaker" and plan.dt != 1.0:
            more["time_scale_factor"] = math.ceil(1 / plan.dt)
        yield f"sim.setup(timestep=DT, min_delay=DT{''.join(f', {k}={v!r}' for k, v in more.items())})"
        for cell, (line, why) in plan.target.patches.items():
            if any(p.cell == cell for p in plan.populations):
                yield f"{line}  # {why}"

    def _network(self) -> Iterator[str]:
        yield "# Populations"
        for p in self.plan.populations:
            yield from self._population(p)
        if self.plan.projections:
            yield "\n# Projections, by their edges: source, target, weight, delay in ms"
        for q in self.plan.projections:
            yield from self._projection(q)
        yield "\n# Recordings"
        for r in self.plan.recordings:
            yield from self._record(r)

    def _population(self, p: PlannedPopulation) -> Iterator[str]:
        name = self.names[p.name]
        given = {k: self._value(f"{p.name}.{k}", v) for k, v in p.parameters.items()}
        if p.spikes is not None:
            given["spike_times"] = self._spike_times(p)
        arguments = ", ".join(f"{k}={v}" for k, v in given.items())
        more = "".join(f", {k}={v!r}" for k, v in p.machine.items())
        yield f"{name} = sim.Population({p.size}, sim.{p.cell}({arguments}), label={p.name!r}{more})"
        if p.initial:
            starts = ", ".join(f"{k}={self._value(f'{p.name}.{k}', v)}" for k, v in p.initial.items())
            yield f"{name}.initialize({starts})"
        if p.current is not None:
            yield from self._current(p, name)

    def _spike_times(self, p: PlannedPopulation) -> str:
        index, times = p.spikes
        if not index.size:
            return "[]"
        self.arrays[f"{p.name}.times"] = times
        at = f"arrays[{p.name + '.times'!r}]"
        if p.size == 1:
            return f"list({at})"
        self.arrays[f"{p.name}.ends"] = np.searchsorted(index, np.arange(1, p.size))
        each = "list(each)" if self.plan.target.name == "spinnaker" else "Sequence(each)"
        return f"[{each} for each in np.split({at}, arrays[{p.name + '.ends'!r}])]"

    def _current(self, p: PlannedPopulation, name: str) -> Iterator[str]:
        times, values = p.current
        self.arrays[f"{p.name}.current.times"], self.arrays[f"{p.name}.current"] = times, values
        at = f"arrays[{p.name + '.current'!r}]"
        source = f"sim.StepCurrentSource(times=list(arrays[{p.name + '.current.times'!r}]), amplitudes=list("
        if values.ndim == 1:
            yield f"{source}{at})).inject_into({name})"
        else:
            yield f"for i in range({p.size}):\n    {source}{at}[:, i])).inject_into({name}[i:i + 1])"

    def _projection(self, q: PlannedProjection) -> Iterator[str]:
        self.arrays[q.name] = np.column_stack([q.pre, q.post, q.weight, q.delay]).astype(float)
        synapse = "sim.StaticSynapse()"
        if q.rule is not None:
            timing = ", ".join(f"{k}={v!r}" for k, v in q.rule.timing.items())
            bounds = ", ".join(f"{k}={v!r}" for k, v in q.rule.weights.items())
            yield (f"plasticity = sim.STDPMechanism(\n    timing_dependence=sim.SpikePairRule({timing}),\n"
                   f"    weight_dependence=sim.{q.rule.dependence}({bounds}), dendritic_delay_fraction={q.rule.dendritic_fraction!r})")
            synapse = "plasticity"
        yield (f"{self.names[q.name]} = sim.Projection(\n    {self.names[q.source]}, {self.names[q.target]}, "
               f"sim.FromListConnector(arrays[{q.name!r}]), {synapse}, receptor_type={q.receptor!r}, label={q.name!r})")

    def _record(self, r: PlannedRecording) -> Iterator[str]:
        if r.variables != ("weight",):
            p = self.plan.population(r.owner)
            yield f"{self._members(r, p.size)}.record({list(r.variables)!r})"

    def _members(self, r: PlannedRecording, size: int) -> str:
        members, name = np.sort(r.members), self.names[r.owner]
        if members.size == size:
            return name
        if (np.diff(members) == 1).all():
            return f"{name}[{members[0]}:{members[-1] + 1}]"
        return f"{name}[{self._value(f'{r.owner}.members of {r.variables[0]}', members)}]"

    def _run(self) -> Iterator[str]:
        watched = {q.name: r.every for r in self.plan.recordings if r.variables == ("weight",) for q in self.plan.projections if q.of == r.owner}
        if not watched:
            yield "\nsim.run(RUN_TIME)\n"
            return
        stride = math.gcd(*watched.values())
        yield f"\n{_WEIGHTS_OF_PAIRS if self.plan.target.one_edge else _WEIGHTS}\n\nhistory = {{{', '.join(f'{n!r}: []' for n in watched)}}}"
        yield f"for step in range({stride}, round(RUN_TIME / DT) + 1, {stride}):\n    sim.run_until(step * DT)"
        for name, every in watched.items():
            line = f"history[{name!r}].append(weights_of({self.names[name]}))"
            yield f"    {line}" if every == stride else f"    if step % {every} == 0:\n        {line}"
        yield "sim.run_until(RUN_TIME)\n"

    def _results(self) -> Iterator[str]:
        kinds = [r for r in self.plan.recordings if r.variables != ("weight",)]
        if any(r.variables == ("spikes",) for r in kinds):
            yield f"\n{_SPIKES}\n"
        watched = any(r.variables == ("weight",) for r in self.plan.recordings)
        yield "results = {f'{name}.w': np.array(rows) for name, rows in history.items()}" if watched else "results = {}"
        for r in kinds:
            who = self._members(r, self.plan.population(r.owner).size)
            yield f"segment = {who}.get_data({list(r.variables)!r}).segments[-1]"
            if r.variables == ("spikes",):
                yield f"results['{r.owner}.spikes'] = spikes_of(segment)"
            else:
                for variable in r.variables:
                    yield (f"signal = segment.filter(name={variable!r})[0]\n"
                           f"results['{r.owner}.{variable}'] = signal.magnitude[::{r.every}, np.argsort(signal.array_annotations['channel_index'])]")
        yield f"np.savez(HERE / {RESULTS!r}, **results)"

    def _value(self, name: str, values: Any) -> str:
        array = np.asarray(values)
        if array.ndim == 0:
            return repr(array.item())
        if array.size <= _FEW:
            return f"np.array({array.tolist()!r})"
        self.arrays[name] = array
        return f"arrays[{name!r}]"

    def _readme(self, report: Report) -> str:
        plan = self.plan
        found = ", ".join(f"{n} {_version(n)}" for n in PACKAGES[plan.target.name])
        neurons = sum(p.size for p in plan.populations if not p.drive)
        lines = [f"# {plan.name} on {plan.target.title}", "",
                 f"`{SCRIPT}` builds and runs the network ({neurons} neurons, {sum(q.pre.size for q in plan.projections)} edges, {self.time:g} ms) with PyNN "
                 f"and writes `{RESULTS}`. It needs {', '.join(PACKAGES[plan.target.name])}, and `{ARRAYS}` beside it; it does not need neurosim.", "",
                 f"    python {SCRIPT}", "", f"Written with neurosim {_version('neurosim')}; on that machine: {found}.", "",
                 f"`report.txt` says for every part of the network whether it is exact or approximated ({len(report.of('approximated'))} rows)."]
        if plan.target.name == "spinnaker":
            lines += ["", "It needs a board, which `.spynnaker.cfg` names, or `virtual_board = True` there, which maps the network and returns no spikes."]
        return "\n".join(lines) + "\n"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
