"""The loop of the adaptive method over all neurons of a population at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neurosim.expr.evaluate import evaluate
from neurosim.expr.tree import Draw
from neurosim.model.integration.sub_steps import SHORTEST, SubSteps


def take_sub_steps(
    loop: SubSteps,
    values: dict[str, Any],
    draw: Callable[[Draw], np.ndarray],
    *,
    active: np.ndarray,
) -> None:
    """Integrate a step; see `neurosim.model.integration.sub_steps.SubSteps`.

    Parameters
    ----------
    loop : SubSteps
    values : name -> array or number
        States are changed in place; temporaries are added.
    draw : function
        Makes the random numbers of the step.
    active : (N,) bool
        Neurons that are not refractory.
    """
    left = np.ones(active.size)
    share = np.ones(active.size)
    below = np.ones(active.size)
    tries = 0
    values["_awake"] = active.astype(np.float64)

    def holds(condition: Any) -> np.ndarray:
        result = evaluate(condition, values.__getitem__, draw)
        return np.broadcast_to(result, active.size) != 0

    # Neurons that are done stay in the arrays; nothing of theirs is assigned any more.
    while (left > 0).any():
        values["_below"] = below
        values["_length"] = share * values["dt"]
        values["_now"] = values["t"] + (1.0 - left) * values["dt"]
        for s in loop.trial:
            values[s.target] = evaluate(s.value, values.__getitem__, draw)
        accepted = (left > 0) & holds(loop.accepted)
        small = holds(loop.small)
        for s in loop.states:
            new = np.broadcast_to(values[f"_new_{s}"], active.size)
            values[s][accepted] = new[accepted]
        if loop.spike is not None:
            # After the states, so that the condition reads the end of the sub-step.
            spikes = accepted & active & holds(loop.spike)
            below = np.where(spikes, 0.0, below)
        left = np.where(accepted, left - share, left)
        double = 2.0 * share
        # Only at multiples of the double: all positions stay exact binary fractions of dt.
        fits = np.floor(left / double) * double == left
        next_share = np.where(small & fits, double, share)
        share = np.where(accepted, next_share, 0.5 * share)
        tries += 1
        is_over = (share < SHORTEST) | (tries == loop.tolerances.most)
        stuck = (left > 0) & is_over
        for s in loop.states:
            values[s][stuck] = np.nan
        left = np.where(stuck, 0.0, left)
