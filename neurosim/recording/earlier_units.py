"""Traces of earlier files: their numbers are in engine units, whatever unit stands beside them."""

from __future__ import annotations

from dataclasses import replace

from ..errors import ModelError
from ..units import BASES, RATE, unit
from .samples import Trace

DECLARED = "declared"  # stands in the headers of files whose numbers are in the unit of the trace


def in_own_unit(trace: Trace) -> Trace:
    """Return a trace of an earlier file with its numbers in its unit.

    Earlier runs recorded engine units, in which substances counted in mol, and rates declared in
    Hz in Hz.

    Parameters
    ----------
    trace : Trace
    """
    try:
        own = unit(trace.unit)
    except ModelError:
        return trace  # made by hand, in a unit that no run has
    moles = float(own.exponents[BASES.index("amol")])
    number = 1e-3 if own.exponents == RATE and "Hz" in own.text else 1e18**moles
    factor = number / own.size
    if factor == 1.0:
        return trace
    return replace(trace, values=trace.values * factor, initial=trace.initial * factor)
