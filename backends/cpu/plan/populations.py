"""Phases 1 to 3 and 5 of a step for every population: draws, integration, detection, reset."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from neurosim.ir.program import PopulationProgram
from neurosim.network.timed_events import SpikeSignal

from ..codegen.cells import print_cell
from ..codegen.printing import Layout
from ..kernels.operations import (
    Argument,
    Call,
    Collect,
    DrawArguments,
    Integrate,
    Operation,
    Replay,
    Reset,
    Signal,
    Size,
)
from .context import Context
from .schedule import Schedule
from .tables import align

BLOCK = 64  # neurons whose spikes are collected at once
LANES = 8  # numbers by which a draw may exceed its buffer


class Populations:
    """Operations of populations.

    Parameters
    ----------
    context : Context
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._resets: list[tuple[int, Reset]] = []
        self._updates = {
            p.name: self._replay(p) if p.is_spike_source else self._update(p)
            for p in context.program.populations.values()
        }

    def append(self, names: tuple[str, ...], schedule: Schedule) -> None:
        """Append phases 1 to 3 of populations."""
        for name in names:
            for partition, operation in self._updates[name]:
                schedule.append(partition, operation)

    def append_signals(self, schedule: Schedule) -> None:
        """Append the operations that end a stretch at a spike which emits a signal."""
        for signal in self._context.program.signals:
            self._request(signal, schedule)

    def _request(self, signal: SpikeSignal, schedule: Schedule) -> None:
        view = signal.view
        members: Argument = 0
        if not view.whole:
            members = self._context.tables.keep(np.zeros(view.population.size, np.uint8))
            members[view.indices] = 1
        history = self._context.history(view.name)
        for partition in range(self._context.partitions):
            schedule.append(partition, Signal(history=history, members=members))

    def reset(self, schedule: Schedule) -> None:
        """Append phase 5."""
        for partition, operation in self._resets:
            schedule.append(partition, operation)

    def _ranges(self, p: PopulationProgram) -> list[tuple[int, int]]:
        bounds = [int(bound) for bound in self._context.bounds[p.name]]
        return list(pairwise(bounds))

    def _replay(self, p: PopulationProgram) -> list[tuple[int, Operation]]:
        steps = p.name, "_given_step"
        operations: list[tuple[int, Operation]] = []
        for partition, (start, stop) in enumerate(self._ranges(p)):
            # Keys, not arrays: `Run.set` may replace the given spikes.
            replay = Replay(
                history=self._context.history(p.name),
                start=start,
                stop=stop,
                steps=steps,
                neurons=(p.name, "_given_index"),
                size=Size(steps),
            )
            operations.append((partition, replay))
        return operations

    def _update(self, p: PopulationProgram) -> list[tuple[int, Operation]]:
        context = self._context
        tables = self._context.tables
        code = p.code
        propagators = code.propagator.names if code.propagator else ()
        values = (*code.parameters, *(name for name, _ in code.hosted), *propagators)
        layouts: dict[str, Layout] = {n: tables.rely_on_layout((p.name, n)) for n in values}
        source, entries = print_cell(code, layouts, precision=context.precision)
        functions = context.kernels.load(code.name, source)
        # Whole blocks: `kernels.loop.collect` reads 64 marks at once, also behind the last neuron.
        blocks = -(-p.size // BLOCK)
        fired = tables.keep(align(np.zeros(blocks * BLOCK, np.uint8)))
        buffers = []
        for _ in code.draws:
            numbers = np.zeros(p.size + LANES, context.precision.dtype)
            buffers.append(tables.keep(align(numbers)))
        special: dict[str, Argument] = {
            "@dt": context.dt,
            "@fired": fired,
            "@size": p.size,
            "#_refractory": Size((p.name, "_refractory")),
        }
        for draw, buffer in zip(code.draws, buffers, strict=True):
            special[f"@draw{draw.key}"] = buffer
        # All partitions share the arguments: a range of neurons is passed with the call.
        args = tables.block([[special.get(e, (p.name, e)) for e in entries]], len(entries))
        history = context.history(p.name)
        operations: list[tuple[int, Operation]] = []
        for partition, (start, stop) in enumerate(self._ranges(p)):
            draws = self._draws(p, buffers, start, stop)
            operations += [(partition, call) for call in draws]
            kernel = functions["integrate"].address
            integrate = Integrate(kernel=kernel, args=args, start=start, stop=stop)
            operations.append((partition, integrate))
            if code.detect is not None:
                collect = Collect(history=history, start=start, stop=stop, fired=fired)
                operations.append((partition, collect))
            if code.detect is not None and (code.after or code.refractory):
                # Scheduled later: handlers of rules read states from before the reset.
                reset = Reset(history=history, kernel=functions["reset"].address, args=args)
                self._resets.append((partition, reset))
        return operations

    def _draws(
        self,
        p: PopulationProgram,
        buffers: Sequence[np.ndarray],
        start: int,
        stop: int,
    ) -> list[Call]:
        calls = []
        for draw, buffer in zip(p.code.draws, buffers, strict=True):
            # The stream is named after population and draw: another population changes no number.
            key0, key1 = self._context.stream_key(f"{p.name}/draw{draw.key}")
            arguments = DrawArguments(
                buffer=buffer, key0=key0, key1=key1, replica=self._context.replica
            )
            function = "uniforms" if draw.kind == "uniform" else "normals"
            call = Call(
                kernel=self._context.kernels.address("draws", function),
                args=self._context.tables.args(arguments),
                start=start,
                extent=stop,
            )
            calls.append(call)
        return calls
