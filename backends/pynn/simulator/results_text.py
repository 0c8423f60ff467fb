"""The end of a script: the run, with stops for weights and changing rates, and the results."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..translation.plan import Plan, PlannedRecording, RateChanges
from .network_text import NetworkText
from .packages import PROBED
from .script_data import ScriptArrays
from .snippets import SPIKES_OF, WEIGHTS_OF, WEIGHTS_OF_PAIRS

# Steps that Poisson sources of NEST take to follow a change of their rate: one for the generator,
# one for the neuron that repeats its spikes.
RATE_LAG = 2


def run_lines(
    plan: Plan,
    time: float,
    *,
    names: dict[str, str],
    arrays: ScriptArrays,
) -> Iterator[str]:
    """Yield the lines that run the network.

    Parameters
    ----------
    plan : Plan
        Of the script.
    time : float, ms
        Run time of the script.
    names : dict of str to str
        Population or projection -> identifier in the script.
    arrays : ScriptArrays
        Of the script; changed rates are added.
    """
    # PyNN records no weights and changes no rates by itself: the run stops for both.
    sampled = sampled_projections(plan)
    changes = changing_rates(plan)
    if not sampled and not changes:
        yield "\nsim.run(RUN_TIME)\n"
        return
    if sampled:
        function = WEIGHTS_OF_PAIRS if plan.target.one_edge_per_pair else WEIGHTS_OF
        histories = ", ".join(f"{name!r}: []" for name in sampled)
        yield f"\n{function}\n\nhistory = {{{histories}}}"
    steps = round(time / plan.dt)
    # Intervals once each, in order: several projections may be sampled at the same stops.
    intervals = dict.fromkeys(sampled.values())
    stops = [f"range({every}, {steps + 1}, {every})" for every in intervals]
    stops += [f"{_store_rates(name, c, arrays)}.tolist()" for name, c in changes.items()]
    yield f"for step in sorted({{{', '.join(f'*{s}' for s in stops)}}}):"
    if changes:
        yield f"    if step > {steps}:\n        break"
    yield "    sim.run_until(step * DT)"
    cells = {q.name: plan.population(q.target).cell for q in plan.projections}
    factors = plan.target.connected_weights
    if any(cells[name] in factors for name in sampled):
        yield f"    # PyNN {PROBED['PyNN']} multiplies some weights when it connects, and reads"
        yield "    # them as they are then (nest/projections.py)."
    for name, every in sampled.items():
        factor = factors.get(cells[name])
        weights = f"weights_of({names[name]})" + ("" if factor is None else f" / {factor!r}")
        line = f"history[{name!r}].append({weights})"
        if len(stops) == 1:
            yield f"    {line}"
        else:
            yield f"    if step % {every} == 0:\n        {line}"
    for name in changes:
        rates = f"arrays[{f'{name}.rates'!r}]"
        changed_at = f"arrays[{f'{name}.changes'!r}]"
        comment = f"# NEST's sources take {RATE_LAG} steps to follow"
        yield f"    for rate in {rates}[{changed_at} == step]:  {comment}"
        yield f"        {names[name]}.set(rate=rate)"
    yield "sim.run_until(RUN_TIME)\n"


def sampled_projections(plan: Plan) -> dict[str, int]:
    """Return projection of the plan -> steps between samples of its weights."""
    return {
        q.name: recording.every
        for recording in plan.recordings
        if recording.of_weights
        for q in plan.parts(recording.owner)
    }


def changing_rates(plan: Plan) -> dict[str, RateChanges]:
    """Return the rates that the script sets during the run."""
    return {
        p.name: p.rates
        for p in plan.populations
        if p.rates is not None and p.cell == "SpikeSourcePoisson"
    }


def _store_rates(name: str, changes: RateChanges, arrays: ScriptArrays) -> str:
    """Keep all rates but the first, and the steps at which they are set; return the latter."""
    early = np.maximum(changes.steps[1:] - RATE_LAG, 1)
    arrays.store(f"{name}.rates", changes.rates[1:])
    return arrays.store(f"{name}.changes", early)


def results_lines(plan: Plan, network: NetworkText, *, file: str) -> Iterator[str]:
    """Yield the lines that write all recorded data to a file.

    Parameters
    ----------
    plan : Plan
        Of the script.
    network : NetworkText
        Text of the network, which names the recorded neurons.
    file : str
        Name of the file, beside the script.
    """
    recordings = [r for r in plan.recordings if not r.of_weights]
    if any(r.of_spikes for r in recordings):
        yield f"\n{SPIKES_OF}\n"
    if len(recordings) < len(plan.recordings):
        yield "results = {f'{name}.w': np.array(rows) for name, rows in history.items()}"
    else:
        yield "results = {}"
    for recording in recordings:
        members = network.members(recording)
        yield f"segment = {members}.get_data({list(recording.variables)!r}).segments[-1]"
        if recording.of_spikes:
            yield f"results[{f'{recording.owner}.spikes'!r}] = spikes_of(segment)"
        else:
            yield from _signals(plan, recording)
    yield f"np.savez(HERE / {file!r}, **results)"


def _signals(plan: Plan, recording: PlannedRecording) -> Iterator[str]:
    for variable in recording.variables:
        # Columns are sorted by neuron: a target may return them in an order of its own.
        samples = f"signal.magnitude[::{recording.every}, np.argsort({plan.target.signal_members})]"
        yield f"signal = segment.filter(name={variable!r})[0]"
        yield f"results[{f'{recording.owner}.{variable}'!r}] = {samples}"
