"""Whether a cell counts one crossing of its threshold as many spikes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..expr.tree import inline, names
from ..model.cell import Cell
from ..quantities import to_engine
from ..units import read, unit
from .report_rows import Place, Row

REMEDY = 'Write spike="crossing(...)", give refractory=, or reset the state in after_spike.'


def repeated_spikes_row(name: str, cell: Cell, values: Mapping[str, Any]) -> Row | None:
    """Return the row about a spike condition that nothing ends, or None.

    Parameters
    ----------
    name : str
        Of the population.
    cell : Cell
    values : mapping
        Of the population by name; those left out have the cell's own.
    """
    if not _lasts(cell) or _has_refractoriness(cell, values):
        return None
    return Row(
        Place("population", name, "spikes"),
        "approximated",
        "every step in which the spike condition holds is a spike: neither a reset nor "
        "refractoriness ends it, so that one action potential counts many times.",
        REMEDY,
    )


def _lasts(cell: Cell) -> bool:
    """Return whether the condition reads states, none of which a spike resets."""
    if cell.spike is None or cell.crossing or cell.pause:
        return False
    definitions = {d.name: d.tree for d in cell.definitions}
    condition = names(inline(cell.spike, definitions))
    # Without states it depends on chance or input alone, which no reset could end.
    states = condition & {state.name for state in cell.states}
    reset = {statement.target for statement in cell.after_spike}
    return bool(states) and not states & reset


def _has_refractoriness(cell: Cell, values: Mapping[str, Any]) -> bool:
    if cell.refractory is None:
        return False
    time: Any = cell.refractory.time
    if isinstance(time, str) and read(time) is None:
        time = values.get(time, cell.parameter(time).value)
        # Values that are not known yet are taken for positive ones.
        return not isinstance(time, float | int | np.ndarray) or bool(np.any(np.asarray(time) > 0))
    return bool(to_engine(time, unit("ms"), where="refractory time") > 0)
