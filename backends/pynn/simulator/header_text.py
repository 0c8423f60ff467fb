"""The beginning of a script: docstring, imports and ``sim.setup``."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator

from neurosim.backend.report_text import group_rows
from neurosim.distribution import DISTRIBUTION
from neurosim.expr.printing import docstring

from ..translation.plan import Plan
from .packages import installed_version

REPORT = "report.txt"
_DIFFERENCES = 8  # that the head of a script names
_WIDTH = 96  # characters of each


def header_lines(plan: Plan, time: float, *, arrays: str) -> Iterator[str]:
    """Yield docstring, imports and constants.

    Parameters
    ----------
    plan : Plan
        Of the script.
    time : float, ms
        Run time of the script.
    arrays : str
        Name of the file of arrays.
    """
    yield _docstring(plan)
    yield "from pathlib import Path\n"
    yield from plan.target.preamble
    yield "import numpy as np"
    yield f"import {plan.target.module} as sim"
    # Only modules that the script uses: it has to run without those that it does not need.
    has_short_term = any(q.short_term is not None for q in plan.projections)
    if has_short_term or any(q.decay is not None for q in plan.projections):
        yield "import nest"
    if has_short_term:
        yield "from pyNN.nest.synapses import NESTSynapseMixin"
        yield "from pyNN.standardmodels.synapses import TsodyksMarkramSynapse"
    has_spike_lists = any(p.spikes is not None and p.size > 1 for p in plan.populations)
    if has_spike_lists and plan.target.name != "spinnaker":
        yield "from pyNN.parameters import Sequence"
    yield "\nHERE = Path(__file__).parent"
    yield f"arrays = np.load(HERE / {arrays!r})"
    yield f"DT = {plan.dt!r}  # ms"
    yield f"RUN_TIME = {time!r}  # ms"


def _docstring(plan: Plan) -> str:
    title = f"Network {plan.name!r} on {plan.target.title}, through PyNN."
    lines = [f"{title} Written by neurosim {installed_version(DISTRIBUTION)}."]
    # A script is passed on without its report: the kinds of differences stand in its head too.
    approximated = [row for row in plan.rows if row.status == "approximated"]
    if approximated:
        groups = group_rows(approximated)
        named = groups[:_DIFFERENCES]
        texts = [textwrap.shorten(f"{g.place}: {g.explanation}", _WIDTH) for g in named]
        others = len(groups) - len(named)
        texts += [f"and {others} more"] * (others > 0)
        lines.append("\nWhat differs from the network as neurosim runs it:")
        lines += [f"- {text}" for text in texts]
        lines.append(
            f"{REPORT}, written beside this script, has every part of the network and all words "
            f"({len(approximated)} rows differ)."
        )
    return docstring("\n".join([*lines, ""]))


def setup_lines(plan: Plan, threads: int | None) -> Iterator[str]:
    """Yield ``sim.setup``, and lines that complete PyNN on a target."""
    target = plan.target
    arguments = dict(target.setup)
    if target.name == "nest":
        # NEST fixes the largest delay before any connection is made.
        arguments["max_delay"] = longest_delay(plan)
        if threads:
            arguments["threads"] = threads
    if target.real_time_step not in (None, plan.dt):
        # A board computes a step in 1 ms: shorter steps have to be stretched to that.
        arguments["time_scale_factor"] = math.ceil(1 / plan.dt)
    if target.name == "pynn-brian2":
        reason = "sources of given spikes keep Brian 2's own step otherwise"
        yield f"brian2.defaultclock.dt = DT * brian2.ms  # {reason}"
    more = "".join(f", {name}={value!r}" for name, value in arguments.items())
    yield f"sim.setup(timestep=DT, min_delay=DT{more})"
    # Each patch with its reason, and only if its cell is used: a reader meets no magic.
    for cell, (line, reason) in target.patches.items():
        if any(p.cell == cell for p in plan.populations):
            yield f"{line}  # {reason}"


def longest_delay(plan: Plan) -> float:
    """Return the longest delay in ms, with that of the last step of a decaying current."""
    delays = [
        q.delay.max(initial=0.0) + (1 if q.decay is None else q.decay.steps) * plan.dt
        for q in plan.projections
    ]
    return float(max(delays, default=plan.dt))
