"""Changes of spikes and weights between two recordings as tables of text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..analysis.changes import SpikeChanges, WeightChanges
from .tables import brief, columns


def changes_text(spikes: Sequence[SpikeChanges], weights: Sequence[WeightChanges]) -> str:
    """Return both tables, each after an empty line; nothing if there is nothing to tell.

    Parameters
    ----------
    spikes : sequence of SpikeChanges
    weights : sequence of WeightChanges
    """
    tables = []
    if spikes:
        moved = f"moved (<= {spikes[0].within} steps)"
        head = "spikes of", "kept", moved, "lost", "new", "rates (Hz)", "first difference"
        tables.append(columns([head, *map(_spike_row, spikes)]))
    if weights:
        head = "weights of", "differ", "largest difference", "means"
        tables.append(columns([head, *map(_weight_row, weights)]))
    return "".join(f"\n{table}\n" for table in tables)


def _spike_row(changes: SpikeChanges) -> tuple[str, ...]:
    numbers = changes.kept, changes.moved, changes.lost, changes.new
    first = "none"
    if changes.first_difference is not None:
        step, neuron = changes.first_difference
        first = f"neuron {neuron} at {(step + 1) * changes.first.dt:.12g} ms"
    rates = " and ".join(brief(number) for number in changes.rates)
    return changes.name, *map(str, numbers), rates, first


def _weight_row(changes: WeightChanges) -> tuple[str, ...]:
    means = " and ".join(map(_mean_text, (changes.first, changes.second)))
    unit = "" if changes.unit == "1" else f" {changes.unit}"
    return (
        changes.name,
        f"{changes.differing} of {changes.first.size}",
        f"{brief(changes.largest)}{unit}",
        f"{means}{unit}",
    )


def _mean_text(values: np.ndarray) -> str:
    return brief(float(np.mean(values))) if values.size else "-"
