"""The results of all ranks as those of one script."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..simulator.results_text import sampled_projections
from ..translation.plan import Plan, PlannedRecording
from .nest_models import MODELS


def merge(
    plan: Plan,
    folder: Path,
    *,
    ranks: int,
    time: float,
) -> dict[str, np.ndarray]:
    """Return the arrays that a script of PyNN would have written.

    Parameters
    ----------
    plan : Plan
    folder : path
        With a file of each rank.
    ranks : int
    time : float, ms
        That was run.
    """
    parts = [dict(np.load(folder / f"rank{number}.npz")) for number in range(ranks)]
    results: dict[str, np.ndarray] = {}
    neural = [recording for recording in plan.recordings if not recording.of_weights]
    for number, recording in enumerate(neural):
        if recording.of_spikes:
            columns = [_joined(parts, f"r{number}.{name}") for name in ("index", "times")]
            results[f"{recording.owner}.spikes"] = np.column_stack(columns)
        else:
            results |= _states(plan, recording, parts, f"r{number}", time=time)
    for number, name in enumerate(sampled_projections(plan)):
        source, target = (_joined(parts, f"w{number}.{end}") for end in ("source", "target"))
        values = np.concatenate([part[f"w{number}.values"] for part in parts], axis=1)
        # As PyNN lists weights: by source, then target.
        results[f"{name}.w"] = values[:, np.lexsort((target, source))]
    return results


def _joined(parts: list[dict[str, np.ndarray]], name: str) -> np.ndarray:
    return np.concatenate([part[name] for part in parts])


def _states(
    plan: Plan,
    recording: PlannedRecording,
    parts: list[dict[str, np.ndarray]],
    prefix: str,
    *,
    time: float,
) -> dict[str, np.ndarray]:
    """Return samples of each variable, (1 + T, M): the row of the start is not read."""
    interval = recording.every * plan.dt
    # Times are multiples of the interval up to rounding; the kernel runs one step beyond `time`.
    samples = int(round(time / plan.dt)) // recording.every
    row = np.rint(_joined(parts, f"{prefix}.times") / interval).astype(np.int64)
    # Ranks record their own neurons: rows of all of them fall into one table.
    members = np.sort(recording.members)
    column = np.searchsorted(members, _joined(parts, f"{prefix}.index"))
    inside = row <= samples
    variables = MODELS[plan.population(recording.owner).cell].variables
    states = {}
    for name in recording.variables:
        native, factor = variables[name]
        # NaN where no rank has a sample, so that a gap cannot be taken for a value.
        values = np.full((samples + 1, recording.members.size), np.nan)
        recorded = _joined(parts, f"{prefix}.{native}")
        values[row[inside], column[inside]] = recorded[inside]
        states[f"{recording.owner}.{name}"] = factor * values
    return states
