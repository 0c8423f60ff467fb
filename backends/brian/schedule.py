"""Slots of Brian 2's schedule: its own six, and three more for each further stage of a step."""

from __future__ import annotations

from typing import Literal

from neurosim.ir.program import Program

# Phase 4 runs in this slot; the order is behind all others in a slot.
DELIVER = "synapses"
LAST = 1 << 30


def slot(part: Literal["within", "groups", "thresholds"], stage: int) -> str:
    """Return the slot of a part of a stage; names of the first one are Brian 2's own.

    Spikes of the step arrive "within" it, "groups" are integrated, "thresholds" are compared.
    """
    return f"{part}{stage}" if stage else part


def schedule(stages: int) -> list[str]:
    """Return the slots of a step of so many stages, in order."""
    later = [
        slot(part, stage)
        for stage in range(1, stages)
        for part in ("within", "groups", "thresholds")
    ]
    return ["start", "groups", "thresholds", *later, DELIVER, "resets", "end"]


def stage_of(population: str, program: Program) -> int:
    """Return the number of the stage in which a population is integrated."""
    return next(n for n, names in enumerate(program.stages) if population in names)
