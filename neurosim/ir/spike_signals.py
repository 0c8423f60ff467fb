"""Signals that spikes emit: which of them the last step calls for."""

from __future__ import annotations

import numpy as np

from .memory import Memory
from .program import Program


def find_signals(program: Program, memory: Memory, step: int) -> tuple[str, ...]:
    """Return the signals whose neurons spiked in a step, each once, as they were declared.

    Parameters
    ----------
    program : Program
    memory : Memory
    step : int
        One of the last steps, whose spikes are still kept.
    """
    return tuple(
        dict.fromkeys(
            signal.name
            for signal in program.signals
            if np.isin(memory.spikes(signal.view.name, step), signal.view.indices).any()
        )
    )
