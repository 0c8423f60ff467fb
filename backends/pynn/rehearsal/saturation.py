"""Sums of weights that slots of 16 bits cut off during a run, as rows of its report."""

from __future__ import annotations

import numpy as np

from neurosim.backend.report_rows import Place, Row

from ..translation.weight_scales import RECEPTORS
from .layout import Layout

_SLOT_BITS = 16


class Saturation:
    """Reads the counts of a layout.

    Parameters
    ----------
    layout : Layout
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._reported: dict[tuple[str, str], int] = {}

    def new_rows(self) -> tuple[Row, ...]:
        """Return a row for each receptor whose count is no longer the one that was reported."""
        # One sum for all first: nearly always nothing was cut off.
        if not self._layout.saturated.any() and not self._reported:
            return ()
        rows = []
        for key in self._layout.shifts:
            counts = self._counts(*key)
            total = int(counts.sum())
            if total != self._reported.get(key, 0):
                self._reported[key] = total
                rows.append(self._row(*key, counts))
        return tuple(rows)

    def _counts(self, population: str, receptor: str) -> np.ndarray:
        numbering = self._layout.numbering
        begin = numbering.neurons[population]
        begin += RECEPTORS.index(receptor) * numbering.neuron_count
        return self._layout.saturated[begin : begin + numbering.sizes[population]]

    def _row(self, population: str, receptor: str, counts: np.ndarray) -> Row:
        place = Place("population", population, f"slots ({receptor})")
        total = int(counts.sum())
        if not total:
            return Row(place, "exact", "no sum of a step was cut off.")
        shift = self._layout.shifts[population, receptor]
        # The largest sum of 16 bits, in the unit of the receptor: S16.15 has 15 places.
        capacity = 2.0 ** (shift - 15) * ((1 << _SLOT_BITS) - 1)
        return Row(
            place,
            "approximated",
            f"{total} sums of what arrives in a step were cut off at {capacity:.6g}, in "
            f"{np.count_nonzero(counts)} of {counts.size} neurons, most often in neuron "
            f"{int(counts.argmax())} ({int(counts.max())} times).",
            "Use smaller weights, or sources of lower rate: the mapping expects 30 Hz of each.",
        )
