"""A plan as files for PyNEST: JSON, and arrays that each rank reads block by block."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurosim.backend.report import Report

from ..simulator.header_text import longest_delay
from ..simulator.results_text import RATE_LAG, changing_rates, sampled_projections
from ..translation.plan import Plan, PlannedPopulation, PlannedProjection, PlannedRecording
from .nest_models import MODELS, native_parameters, native_rule, native_short_term, weight_factor

DESCRIPTION = "network.json"
PROGRAM = "network.py"
ARRAYS = "arrays"
_RANK = Path(__file__).with_name("rank.py")


@dataclass(frozen=True)
class Description:
    """A plan for PyNEST.

    Attributes
    ----------
    plan : Plan
    time : float, ms
        Run time.
    virtual_processes : int or None
        Of NEST: threads of all ranks together. None: one for each rank.
    """

    plan: Plan
    time: float
    virtual_processes: int | None

    @property
    def text(self) -> str:
        """The program of each rank, which reads the description."""
        return _RANK.read_text(encoding="utf-8")

    def write(self, folder: Path, report: Report | None = None) -> Path:
        """Write the program, the description, arrays, and with a report also that.

        Parameters
        ----------
        folder : path
            Created if it does not exist.
        report : Report or None
            Of the plan.

        Returns
        -------
        Path of the program.
        """
        (folder / ARRAYS).mkdir(parents=True, exist_ok=True)
        store = _Store(folder)
        # Arrays are written on the way: the description then names their files.
        content = json.dumps(self._content(store), indent=1)
        (folder / DESCRIPTION).write_text(content + "\n", encoding="utf-8")
        shutil.copyfile(_RANK, folder / PROGRAM)
        if report is not None:
            (folder / "report.txt").write_text(f"{report}\n", encoding="utf-8")
        return folder / PROGRAM

    def _content(self, store: _Store) -> dict[str, Any]:
        plan = self.plan
        projections = [_projection(plan, q, store) for q in plan.projections]
        return {
            "name": plan.name,
            "dt": plan.dt,
            "seed": plan.seed % (2**31 - 1) + 1,  # NEST takes 1 to 2**32 - 1
            "time": self.time,
            "virtual_processes": self.virtual_processes,
            "longest_delay": longest_delay(plan),
            "populations": [_population(plan, p, store) for p in plan.populations],
            "projections": projections,
            "recordings": [_recording(plan, r, store) for r in _neural(plan)],
        }


def _neural(plan: Plan) -> Iterator[PlannedRecording]:
    return (recording for recording in plan.recordings if not recording.of_weights)


class _Store:
    """Arrays in files of their own, which a rank maps into memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def __call__(self, array: np.ndarray) -> str:
        """Write an array; return the name of its file within the folder."""
        name = f"{ARRAYS}/{self._count}.npy"
        self._count += 1
        np.save(self._folder / name, array)
        return name

    def value(self, value: Any) -> Any:
        """Return a number as it is, of an array the file as {"array": name}."""
        array = np.asarray(value)
        return array.item() if array.ndim == 0 else {"array": self(array)}


def _population(plan: Plan, p: PlannedPopulation, store: _Store) -> dict[str, Any]:
    model = MODELS[p.cell]
    native = native_parameters(p.cell, p.parameters)
    for name, value in p.initial.items():
        variable, factor = model.variables[name]
        # The factor leads from NEST's unit to PyNN's, and the value is PyNN's.
        native[variable] = value / factor
    # NEST keeps the trace of the target in the neuron, not in its synapses.
    for tau in _tau_minus(plan, p.name):
        native["tau_minus"] = tau
    content: dict[str, Any] = {
        "name": p.name,
        "size": p.size,
        "model": model.name,
        "parameters": {name: store.value(value) for name, value in native.items()},
    }
    if p.spikes is not None:
        # A generator's spikes reach the parrot a step later.
        times = p.spikes.times - plan.dt
        ends = np.searchsorted(p.spikes.index, np.arange(p.size + 1))
        content["spikes"] = {"times": store(times), "ends": store(ends)}
    elif p.cell == "SpikeSourcePoisson":
        content["rate"] = store.value(p.parameters["rate"])
    if p.current is not None:
        # A device's change reaches its targets a step later.
        times = np.maximum(p.current.times - plan.dt, 0.0)
        # nA in the plan, pA in NEST.
        amplitudes = 1000.0 * p.current.amplitudes
        content["current"] = {"times": store(times), "amplitudes": store(amplitudes)}
    if p.name in changing_rates(plan):
        # The first rate is that of the population itself; only later ones are changes.
        changes = changing_rates(plan)[p.name]
        steps = np.maximum(changes.steps[1:] - RATE_LAG, 1)
        content["changes"] = {"steps": store(steps), "rates": store(changes.rates[1:])}
    return content


def _tau_minus(plan: Plan, name: str) -> Iterator[float]:
    """Yield the time constant that rules into a population share, once for each of them."""
    for q in plan.projections:
        if q.target == name and q.rule is not None:
            yield q.rule.timing["tau_minus"]


def _projection(plan: Plan, q: PlannedProjection, store: _Store) -> dict[str, Any]:
    target = plan.population(q.target).cell
    content: dict[str, Any] = {
        "name": q.name,
        "source": q.source,
        "target": q.target,
        "pre": store(q.pre.astype(np.int32, copy=False)),
        "post": store(q.post.astype(np.int32, copy=False)),
        "weight": store(weight_factor(target, q.receptor) * q.weight),
        "delay": store(np.asarray(q.delay, float)),
        "synapse": ["static_synapse", {}],
        "sampled": sampled_projections(plan).get(q.name),
        "weight_factor": weight_factor(target, q.receptor),
    }
    if q.rule is not None:
        content["synapse"] = list(native_rule(q.rule, target, q.receptor)[:2])
    if q.short_term is not None:
        content["synapse"] = list(native_short_term(q.short_term))
    if q.decay is not None:
        taus = np.broadcast_to(np.asarray(q.decay.time_constants, float), q.pre.shape)
        content["decay"] = {"tau": store(taus), "steps": q.decay.steps}
    return content


def _recording(plan: Plan, recording: PlannedRecording, store: _Store) -> dict[str, Any]:
    content: dict[str, Any] = {
        "owner": recording.owner,
        "members": store(np.sort(recording.members)),
        "every": recording.every,
    }
    if not recording.of_spikes:
        variables = MODELS[plan.population(recording.owner).cell].variables
        content["variables"] = [variables[name][0] for name in recording.variables]
    return content
