"""The network in a script: populations, projections and recordings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ..translation.plan import (
    Plan,
    PlannedDecay,
    PlannedPopulation,
    PlannedProjection,
    PlannedRecording,
    PlannedRule,
    PlannedShortTerm,
    RateChanges,
    SpikeTimes,
    StepCurrent,
    Values,
)
from ..translation.targets import Target
from .packages import PROBED
from .script_data import ScriptArrays
from .snippets import CONNECT_DECAYING, SHORT_TERM


class NetworkText:
    """Lines that make a network; their arrays are added to ``arrays``.

    Parameters
    ----------
    plan : Plan
        Of the script.
    names : dict of str to str
        Population or projection -> identifier in the script.
    arrays : ScriptArrays
        Of the script.
    """

    def __init__(self, plan: Plan, names: dict[str, str], arrays: ScriptArrays) -> None:
        self._plan = plan
        self._names = names
        self._arrays = arrays

    def lines(self) -> Iterator[str]:
        """Yield all lines."""
        plan = self._plan
        yield "# Populations"
        for population in plan.populations:
            yield from self._population(population)
        if any(q.decay is not None for q in plan.projections):
            yield f"\n\n{CONNECT_DECAYING}\n"
        if any(q.short_term is not None for q in plan.projections):
            yield f"\n\n{SHORT_TERM}\n"
        if plan.projections:
            yield "\n# Projections, by their edges: source, target, weight, delay in ms"
        for projection in plan.projections:
            yield from self._projection(projection)
        yield "\n# Recordings"
        for recording in plan.recordings:
            if not recording.of_weights:
                yield f"{self.members(recording)}.record({list(recording.variables)!r})"

    def members(self, recording: PlannedRecording) -> str:
        """Return the expression for the neurons that are recorded, in ascending order."""
        size = self._plan.population(recording.owner).size
        # Results are sorted by neuron; `run.ScriptRun` restores the order of the probe.
        members = np.sort(recording.members)
        name = self._names[recording.owner]
        if members.size == size:
            return name
        if (np.diff(members) == 1).all():
            return f"{name}[{members[0]}:{members[-1] + 1}]"
        label = f"{recording.owner}.members of {recording.variables[0]}"
        return f"{name}[{self._arrays.text(label, members)}]"

    # ---- populations

    def _population(self, p: PlannedPopulation) -> Iterator[str]:
        name = self._names[p.name]
        cell = p.cell
        arguments = {k: self._arrays.text(f"{p.name}.{k}", v) for k, v in p.parameters.items()}
        if p.spikes is not None:
            arguments["spike_times"] = self._spike_times(p, p.spikes)
        # Other sources have a first rate here, and are set between stretches (`results_text`).
        if p.rates is not None and p.cell == "SpikeSourcePoissonVariable":
            arguments = self._rates(p, p.rates)
            cell = f"extra_models.{p.cell}"
        parameters = ", ".join(f"{k}={v}" for k, v in arguments.items())
        machine = "".join(f", {k}={v!r}" for k, v in p.machine.items())
        constructor = f"sim.{cell}({parameters})"
        yield f"{name} = sim.Population({p.size}, {constructor}, label={p.name!r}{machine})"
        if p.initial:
            yield from self._initial(p, p.initial)
        if p.current is not None:
            yield from self._current(p, p.current)

    def _initial(self, p: PlannedPopulation, initial: Mapping[str, Values]) -> Iterator[str]:
        texts = {k: self._arrays.text(f"{p.name}.{k}", v) for k, v in initial.items()}
        for state, factor in self._plan.target.initial_factors.get(p.cell, {}).items():
            if not np.any(initial[state]):
                continue
            yield f"# PyNN {PROBED['PyNN']} sets {state} of {p.cell} without a change of unit"
            yield "# (nest/populations.py)."
            texts[state] += f" * {factor!r}"
        yield f"{self._names[p.name]}.initialize({', '.join(f'{k}={v}' for k, v in texts.items())})"

    def _rates(self, p: PlannedPopulation, changes: RateChanges) -> dict[str, str]:
        """Return the arguments of a source whose rates change: a list for every neuron."""
        per_neuron = np.broadcast_to(changes.rates.T, (p.size, changes.steps.size))
        rates = self._arrays.store(f"{p.name}.rates", per_neuron)
        starts = self._arrays.store(f"{p.name}.starts", changes.steps * self._plan.dt)
        return {"rates": f"{rates}.tolist()", "starts": f"{starts}.tolist()"}

    def _spike_times(self, p: PlannedPopulation, spikes: SpikeTimes) -> str:
        if not spikes.index.size:
            return "[]"
        times = self._arrays.store(f"{p.name}.times", spikes.times)
        if p.size == 1:
            return f"list({times})"
        # Times of all neurons lie in one array: a file of thousands of small ones is slow to read.
        neuron_ends = np.searchsorted(spikes.index, np.arange(1, p.size))
        ends = self._arrays.store(f"{p.name}.ends", neuron_ends)
        # sPyNNaker takes plain lists; elsewhere PyNN wants a Sequence for each neuron.
        item = "list(train)" if self._plan.target.name == "spinnaker" else "Sequence(train)"
        return f"[{item} for train in np.split({times}, {ends})]"

    def _current(self, p: PlannedPopulation, current: StepCurrent) -> Iterator[str]:
        name = self._names[p.name]
        times = self._arrays.store(f"{p.name}.current.times", current.times)
        amplitudes = self._arrays.store(f"{p.name}.current", current.amplitudes)
        source = f"sim.StepCurrentSource(times=list({times}), amplitudes=list("
        if current.amplitudes.ndim == 1:
            yield f"{source}{amplitudes})).inject_into({name})"
        else:
            yield f"for i in range({p.size}):"
            yield f"    {source}{amplitudes}[:, i])).inject_into({name}[i:i + 1])"

    # ---- projections

    def _projection(self, q: PlannedProjection) -> Iterator[str]:
        # Explicit edges, not a connector of PyNN: it would draw others, by its own generator.
        columns = np.column_stack([q.pre, q.post, q.weight, q.delay]).astype(float)
        edges = self._arrays.store(q.name, columns)
        ends = f"{self._names[q.source]}, {self._names[q.target]}"
        if q.decay is not None:
            yield self._decaying(q, q.decay, f"{ends}, {edges}")
            return
        synapse = "sim.StaticSynapse()"
        if q.rule is not None:
            cell = self._plan.population(q.target).cell
            yield from _plasticity(q.rule, self._plan.target, cell)
            synapse = "plasticity"
        if q.short_term is not None:
            yield _used_share(q.short_term)
            synapse = _short_term(q.short_term)
        yield f"{self._names[q.name]} = sim.Projection("
        yield (
            f"    {ends}, sim.FromListConnector({edges}), {synapse}, "
            f"receptor_type={q.receptor!r}, label={q.name!r})"
        )

    def _decaying(self, q: PlannedProjection, decay: PlannedDecay, arguments: str) -> str:
        # One number if all are equal, so that the script stays readable.
        taus = decay.time_constants
        tau = self._arrays.text(f"{q.name}.tau", taus if np.ptp(taus) else taus[0])
        return f"connect_decaying({arguments}, {tau}, {decay.steps})"


def _plasticity(rule: PlannedRule, target: Target, cell: str) -> Iterator[str]:
    timing = ", ".join(f"{k}={v!r}" for k, v in rule.timing.items())
    texts = {k: f"{v!r}" for k, v in rule.weights.items()}
    if cell in target.connected_weights:
        factor = target.connected_weights[cell]
        texts["w_max"] += f" * {factor!r}"
        yield f"# PyNN {PROBED['PyNN']} multiplies weights into {cell} by {factor!r} when it"
        yield "# connects (nest/projections.py), and not their bound."
    weights = ", ".join(f"{k}={v}" for k, v in texts.items())
    yield "plasticity = sim.STDPMechanism("
    yield f"    timing_dependence=sim.SpikePairRule({timing}),"
    yield (
        f"    weight_dependence=sim.{rule.dependence}({weights}), "
        f"dendritic_delay_fraction={rule.dendritic_fraction!r})"
    )
    if target.name == "pynn-brian2":
        yield f"# PyNN {PROBED['PyNN']} reads plastic weights in the unit of the last projection"
        yield "# (base_translations in brian2/standardmodels/synapses.py)."
        yield (
            "plasticity.translations = plasticity.translations | "
            '{"weight": dict(plasticity.translations["weight"])}'
        )


def _used_share(rule: PlannedShortTerm) -> str:
    """Return the line that lets synapses begin at rest: NEST's own default of u is another."""
    return f'nest.SetDefaults("tsodyks2_synapse_lbl", {{"u": {rule.U!r}, "x": 1.0}})'


def _short_term(rule: PlannedShortTerm) -> str:
    return f"ShortTerm(U={rule.U!r}, tau_rec={rule.tau_rec!r}, tau_facil={rule.tau_facil!r})"
