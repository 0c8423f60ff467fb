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

from neurosim.backend.report import Report
from neurosim.distribution import DISTRIBUTION

from ..translation.plan import Plan, PlannedPopulation, PlannedProjection, PlannedRecording

SCRIPT, ARRAYS, RESULTS = "network.py", "arrays.npz", "results.npz"
PACKAGES = {
    "nest": ("PyNN", "nest-simulator", "numpy"),
    "pynn-brian2": ("PyNN", "Brian2", "numpy"),
    "spinnaker": ("PyNN", "sPyNNaker", "numpy"),
}
_AHEAD = 2  # steps that Poisson sources of NEST take to follow a change of their rate: the generator, then the neuron that repeats its spikes
_PROBED = {
    "PyNN": "0.13.0",
    "nest-simulator": "3.10.0",
    "Brian2": "2.9.0",
    "sPyNNaker": "1!7.4.1",
}  # what the tests of this translation ran with
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
_DECAYING = '''def connect_decaying(source, target, edges, tau, steps):
    """Connect by currents that decay: an edge for each time step of one, since NEST's Izhikevich neuron has no synapse that decays."""
    pre, post, weight, delay = edges.T
    ends = [np.array(cells.all_cells, int)[index.astype(int)] for cells, index in ((source, pre), (target, post))]
    for step in range(steps):
        nest.Connect(*ends, "one_to_one", {"weight": weight * np.exp(-step * DT / tau), "delay": np.round(delay + step * DT, 9)})
'''
_SHORT_TERM = '''class ShortTerm(TsodyksMarkramSynapse, NESTSynapseMixin):
    """Short-term plasticity whose used resources recover from the spike on; PyNN's own also has an active state that lasts for tau_syn."""

    translations, nest_name = sim.TsodyksMarkramSynapse.translations, "tsodyks2_synapse"
'''

_TAKEN = {
    "sim",
    "np",
    "nest",
    "arrays",
    "plasticity",
    "history",
    "results",
    "segment",
    "signal",
    "step",
    "rate",
    "i",
    "spikes_of",
    "weights_of",
    "connect_decaying",
    "ShortTerm",
    "Path",
    "Sequence",
}


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
        self.names = identifiers(
            [p.name for p in plan.populations] + [q.name for q in plan.projections]
        )
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
        yield f'"""Network {plan.name!r} on {plan.target.title}, through PyNN. Written by neurosim {installed(DISTRIBUTION)}.'
        if changed:
            yield "\nWhat differs from the network as neurosim runs it:"
            yield from (f"- {r.place}: {r.reason}" for r in changed)
        yield '"""'
        yield "from pathlib import Path\n"
        yield from plan.target.preamble
        yield "import numpy as np"
        yield f"import {plan.target.module} as sim"
        short = any(q.short_term is not None for q in plan.projections)
        if short or any(q.decay is not None for q in plan.projections):
            yield "import nest"
        if short:
            yield "from pyNN.nest.synapses import NESTSynapseMixin\nfrom pyNN.standardmodels.synapses import TsodyksMarkramSynapse"
        if (
            any(p.spikes is not None and p.size > 1 for p in plan.populations)
            and plan.target.name != "spinnaker"
        ):
            yield "from pyNN.parameters import Sequence"
        yield f"\nHERE = Path(__file__).parent\narrays = np.load(HERE / {ARRAYS!r})\nDT = {plan.dt!r}  # ms\nRUN_TIME = {self.time!r}  # ms"

    def _setup(self) -> Iterator[str]:
        plan = self.plan
        more = dict(plan.target.setup)
        if plan.target.name == "nest":
            more["max_delay"] = float(
                max(
                    (p.delay.max(initial=0.0) + p.steps * plan.dt for p in plan.projections),
                    default=plan.dt,
                )
            )
            if self.threads:
                more["threads"] = self.threads
        if plan.target.name == "spinnaker" and plan.dt != 1.0:
            more["time_scale_factor"] = math.ceil(1 / plan.dt)
        if plan.target.name == "pynn-brian2":
            yield "brian2.defaultclock.dt = DT * brian2.ms  # sources of given spikes keep Brian 2's own step otherwise"
        yield f"sim.setup(timestep=DT, min_delay=DT{''.join(f', {k}={v!r}' for k, v in more.items())})"
        for cell, (line, why) in plan.target.patches.items():
            if any(p.cell == cell for p in plan.populations):
                yield f"{line}  # {why}"

    def _network(self) -> Iterator[str]:
        yield "# Populations"
        for p in self.plan.populations:
            yield from self._population(p)
        if any(q.decay is not None for q in self.plan.projections):
            yield f"\n\n{_DECAYING}\n"
        if any(q.short_term is not None for q in self.plan.projections):
            yield f"\n\n{_SHORT_TERM}\n"
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
        if p.cell == "SpikeSourcePoissonVariable":
            given = self._rates_of_cell(p)
        arguments = ", ".join(f"{k}={v}" for k, v in given.items())
        more = "".join(f", {k}={v!r}" for k, v in p.machine.items())
        yield f"{name} = sim.Population({p.size}, sim.{'extra_models.' if 'Variable' in p.cell else ''}{p.cell}({arguments}), label={p.name!r}{more})"
        if p.initial:
            starts = ", ".join(
                f"{k}={self._value(f'{p.name}.{k}', v)}" for k, v in p.initial.items()
            )
            yield f"{name}.initialize({starts})"
        if p.current is not None:
            yield from self._current(p, name)

    def _rates_of_cell(self, p: PlannedPopulation) -> dict[str, str]:
        """Return the arguments of a source whose rates are a course: a list for every neuron."""
        steps, rates = p.rates
        self.arrays[f"{p.name}.rates"], self.arrays[f"{p.name}.starts"] = (
            np.broadcast_to(rates.T, (p.size, steps.size)),
            steps * self.plan.dt,
        )
        return {
            "rates": f"arrays[{p.name + '.rates'!r}].tolist()",
            "starts": f"arrays[{p.name + '.starts'!r}].tolist()",
        }

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
        if q.decay is not None:
            tau = self._value(f"{q.name}.tau", q.decay if np.ptp(q.decay) else q.decay[0])
            yield f"connect_decaying({self.names[q.source]}, {self.names[q.target]}, arrays[{q.name!r}], {tau}, {q.steps})"
            return
        synapse = "sim.StaticSynapse()"
        if q.rule is not None:
            timing = ", ".join(f"{k}={v!r}" for k, v in q.rule.timing.items())
            bounds = ", ".join(f"{k}={v!r}" for k, v in q.rule.weights.items())
            yield (
                f"plasticity = sim.STDPMechanism(\n    timing_dependence=sim.SpikePairRule({timing}),\n"
                f"    weight_dependence=sim.{q.rule.dependence}({bounds}), dendritic_delay_fraction={q.rule.dendritic_fraction!r})"
            )
            synapse = "plasticity"
        if q.short_term is not None:
            r = q.short_term
            yield f'nest.SetDefaults("tsodyks2_synapse_lbl", {{"u": {r.U!r}, "x": 1.0}})'
            synapse = f"ShortTerm(U={r.U!r}, tau_rec={r.tau_rec!r}, tau_facil={r.tau_facil!r})"
        yield (
            f"{self.names[q.name]} = sim.Projection(\n    {self.names[q.source]}, {self.names[q.target]}, "
            f"sim.FromListConnector(arrays[{q.name!r}]), {synapse}, receptor_type={q.receptor!r}, label={q.name!r})"
        )

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
        watched = {
            q.name: r.every
            for r in self.plan.recordings
            if r.variables == ("weight",)
            for q in self.plan.projections
            if q.of == r.owner
        }
        changing = {
            p.name: p.rates
            for p in self.plan.populations
            if p.rates is not None and p.cell == "SpikeSourcePoisson"
        }
        if not watched and not changing:
            yield "\nsim.run(RUN_TIME)\n"
            return
        if watched:
            yield f"\n{_WEIGHTS_OF_PAIRS if self.plan.target.one_edge else _WEIGHTS}\n\nhistory = {{{', '.join(f'{n!r}: []' for n in watched)}}}"
        steps = round(self.time / self.plan.dt)
        stops = [
            f"range({every}, {steps + 1}, {every})" for every in dict.fromkeys(watched.values())
        ]
        for name, (at, rates) in changing.items():
            early = np.maximum(at[1:] - _AHEAD, 1)
            self.arrays[f"{name}.rates"], self.arrays[f"{name}.changes"] = rates[1:], early
            stops.append(f"arrays[{name + '.changes'!r}].tolist()")
        yield f"for step in sorted({{{', '.join(f'*{s}' for s in stops)}}}):"
        if changing:
            yield f"    if step > {steps}:\n        break"
        yield "    sim.run_until(step * DT)"
        for name, every in watched.items():
            line = f"history[{name!r}].append(weights_of({self.names[name]}))"
            yield (
                f"    {line}" if len(stops) == 1 else f"    if step % {every} == 0:\n        {line}"
            )
        for name in changing:
            yield f"    for rate in arrays[{name + '.rates'!r}][arrays[{name + '.changes'!r}] == step]:  # NEST's sources take {_AHEAD} steps to follow"
            yield f"        {self.names[name]}.set(rate=rate)"
        yield "sim.run_until(RUN_TIME)\n"

    def _results(self) -> Iterator[str]:
        kinds = [r for r in self.plan.recordings if r.variables != ("weight",)]
        if any(r.variables == ("spikes",) for r in kinds):
            yield f"\n{_SPIKES}\n"
        watched = any(r.variables == ("weight",) for r in self.plan.recordings)
        yield (
            "results = {f'{name}.w': np.array(rows) for name, rows in history.items()}"
            if watched
            else "results = {}"
        )
        for r in kinds:
            who = self._members(r, self.plan.population(r.owner).size)
            yield f"segment = {who}.get_data({list(r.variables)!r}).segments[-1]"
            if r.variables == ("spikes",):
                yield f"results['{r.owner}.spikes'] = spikes_of(segment)"
            else:
                for variable in r.variables:
                    yield (
                        f"signal = segment.filter(name={variable!r})[0]\n"
                        f"results['{r.owner}.{variable}'] = signal.magnitude[::{r.every}, np.argsort({self.plan.target.members})]"
                    )
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
        found = ", ".join(f"{n} {installed(n)}" for n in PACKAGES[plan.target.name])
        probed = ", ".join(f"{n} {_PROBED[n]}" for n in PACKAGES[plan.target.name] if n in _PROBED)
        neurons = sum(p.size for p in plan.populations if not p.drive)
        lines = [
            f"# {plan.name} on {plan.target.title}",
            "",
            f"`{SCRIPT}` builds and runs the network ({neurons} neurons, {sum(q.pre.size for q in plan.projections)} edges, {self.time:g} ms) with PyNN "
            f"and writes `{RESULTS}`. It needs {', '.join(PACKAGES[plan.target.name])}, and `{ARRAYS}` beside it; it does not need neurosim.",
            "",
            f"    python {SCRIPT}",
            "",
            f"Written with neurosim {installed(DISTRIBUTION)}; on that machine: {found}. Probed with {probed}.",
            "",
            f"`report.txt` says for every part of the network whether it is exact or approximated ({len(report.of('approximated'))} rows).",
        ]
        if plan.target.name == "spinnaker":
            lines += [
                "",
                "It needs a board, which `.spynnaker.cfg` names, or `virtual_board = True` there, which maps the network and returns no spikes.",
            ]
        return "\n".join(lines) + "\n"


def installed(package: str) -> str:
    """Return the version of a package here."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
