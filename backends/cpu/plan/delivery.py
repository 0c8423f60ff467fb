"""Delivery: static projections, handlers of rules and ports; signals between steps."""

from __future__ import annotations

from typing import Literal

import numpy as np

from neurosim.ir.program import PlasticProjection, StaticProjection

from ..kernels.operations import (
    Argument,
    Call,
    DriveArguments,
    Fold,
    LandingArguments,
    Operation,
    Size,
    Static,
    StaticShared,
)
from ..kernels.sizes import ROOM
from .context import Context
from .deferral import Deferral
from .late_events import LateEvents
from .rules import Rules
from .schedule import Schedule
from .wiring import first_edges


class Delivery:
    """Operations of phase 4, and of same-step projections between the stages of a step.

    Parameters
    ----------
    context : Context

    Attributes
    ----------
    late_events : LateEvents
        Of static projections whose delays differ.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._rules = Rules(context)
        # Room is reserved once for all of them, before the first list is laid out.
        projections = context.program.projections.values()
        late = [p for p in projections if isinstance(p, StaticProjection) and _differ(p)]
        self.late_events = LateEvents(
            context.tables,
            most=sum(p.targets.size for p in late),
            dtype=context.memory.dtype,
        )
        self._wirings = {p.name: self._wire(p) for p in late}
        # Their lists hold weights, so that positions would be read at each event.
        self._written_out: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for p in late:
            if p.shared is not None:
                weights = context.memory[p.name, "w"][p.shared]
                self._written_out[p.name] = (p.shared, context.tables.keep(weights))
        plastic = context.program.plastic.values()
        self._of_rules = {p.name: self._rules.lay_out(p) for p in plastic}

    @property
    def deferral(self) -> Deferral:
        """The deferred work of handlers of post-spikes."""
        return self._rules.deferral

    def synchronise(self) -> None:
        """Follow changes of the memory by the host."""
        self._rules.synchronise()
        for name, (positions, weights) in self._written_out.items():
            weights[...] = self._context.memory[name, "w"][positions]
        self.deferral.forget()
        self.late_events.forget()

    def emit(self, signal: str, step: int, repeat: int) -> None:
        """Run the handlers of a signal."""
        self._rules.emit(signal, step, repeat)

    def append_within(self, populations: tuple[str, ...], schedule: Schedule) -> None:
        """Append the delivery of this step's spikes to populations of a stage."""
        program = self._context.program
        projections = [
            p for p in program.projections.values() if p.same_step and p.target in populations
        ]
        for partition in range(self._context.partitions):
            for p in projections:
                if isinstance(p, PlasticProjection):
                    rule = self._of_rules[p.name][partition]
                    schedule.append(partition, *rule.within)
                else:
                    schedule.append(partition, self._static(p))
            for name in populations:
                ports = program.populations[name].same_step
                schedule.append(partition, *self._terms(name, ports, partition))

    def append(self, schedule: Schedule) -> None:
        """Append phase 4."""
        partitions = range(self._context.partitions)
        self._append_rules("first", schedule)
        for p in self._context.program.projections.values():
            if isinstance(p, PlasticProjection):
                for partition, rule in enumerate(self._of_rules[p.name]):
                    schedule.append(partition, *rule.now)
            elif not (p.same_step or _differ(p)):  # those that differ land at their port
                static = self._static(p)  # one operation for all: no argument depends on partition
                for partition in partitions:
                    schedule.append(partition, static)
        # "step" handlers run after the events of all projections, as the contract of a step says.
        self._append_rules("later", schedule)
        for partition in partitions:
            for population in self._context.program.populations.values():
                ports = population.contributions
                schedule.append(partition, *self._terms(population.name, ports, partition))
        if self._context.partitions > 1 and self._reads_other_partitions():
            # States of neurons in other partitions are read in phase 4, and change in phase 5.
            schedule.begin_phase()

    def _append_rules(self, part: Literal["first", "later"], schedule: Schedule) -> None:
        """Append one part of the operations of all rules."""
        for of_projection in self._of_rules.values():
            for partition, rule in enumerate(of_projection):
                operations = rule.first if part == "first" else rule.later
                schedule.append(partition, *operations)

    def _reads_other_partitions(self) -> bool:
        for p in self._context.program.plastic.values():
            symbols = p.symbols.values()
            # Edges lie with their targets, so a state of the source may be anywhere.
            reads_sources = any(s.role == "cell" and s.side == "pre" for s in symbols)
            if p.links or reads_sources:
                return True
        return False

    # ---- static projections

    def _static(self, p: StaticProjection) -> Static | StaticShared:
        tables = self._context.tables
        history = self._context.history(p.source)
        bounds = tables.keep(first_edges(p, self._context.bounds[p.target]))
        targets = tables.keep(p.targets)
        short = p.targets.itemsize == 2
        weights = (p.name, "w")
        if p.shared is None:
            return Static(
                history=history,
                delay=int(p.axonal),
                since=(p.name, "_since"),
                bounds=bounds,
                targets=targets,
                short=short,
                weights=weights,
                weight_count=Size(weights),
                ring=self._context.ring(p),
            )
        return StaticShared(
            history=history,
            delay=int(p.axonal),
            since=(p.name, "_since"),
            bounds=bounds,
            targets=targets,
            short=short,
            weights=weights,
            weight_count=Size(weights),
            ring=self._context.ring(p),
            positions=tables.keep(p.shared),
            short_positions=p.shared.itemsize == 2,
        )

    def _wire(self, p: StaticProjection) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return bounds, delays and targets of edges whose delays differ."""
        # Two bytes if they suffice: every edge is read once per spike, at the speed of memory.
        keep = self._context.tables.keep
        delays = np.asarray(p.axonal)
        if delays.dtype != np.uint16:
            delays = delays.astype(np.int32, copy=False)
        bounds = first_edges(p, self._context.bounds[p.target])
        return (
            keep(bounds),
            keep(delays),
            keep(p.targets),
        )

    def _land(self, p: StaticProjection, partition: int) -> Call:
        """Return the operation of a projection whose delays differ."""
        context = self._context
        weights: Argument = (p.name, "w")
        weight_count: Argument = Size((p.name, "w"))
        if p.name in self._written_out:
            weights = self._written_out[p.name][1]
            weight_count = weights.size
        port = (p.target, f"_port_{p.port}")
        population = context.program.populations[p.target]
        bounds, delays, targets = self._wirings[p.name]
        depth = 1 + int(np.max(p.axonal))
        lists = self.late_events.lists(depth)
        pool = self.late_events.pool(partition)
        # The first term of a port that is 0 needs no array of its own: it is summed in the port.
        is_first = population.contributions[p.port][0] == p.name
        term = port if is_first else self.late_events.term(p.target, population.size)
        arguments = LandingArguments(
            history=context.history(p.source),
            since=(p.name, "_since"),
            bounds=bounds,
            delays=delays,
            targets=targets,
            weights=weights,
            weight_count=weight_count,
            edges=targets.size,
            depth=depth,
            next=lists.next,
            heads=lists.heads,
            tails=lists.tails,
            lost=lists.lost,
            pool=pool.state,
            links=pool.links,
            pool_targets=pool.targets,
            pool_weights=pool.weights,
            term=term,
            port=port,
            short_delays=delays.itemsize == 2,
            short_targets=targets.itemsize == 2,
        )
        start, stop = context.bounds[p.target][partition : partition + 2]
        return Call(
            kernel=context.kernels.address("late_events", "land"),
            args=context.tables.args(arguments),
            start=start,
            extent=stop,
        )

    # ---- ports

    def _terms(
        self, population: str, ports: dict[str, tuple[str, ...]], partition: int
    ) -> list[Operation]:
        """Return the operations that add terms to ports, in creation order of the terms."""
        # The order of summation is part of the contract: all engines get the same bits.
        operations = []
        for port, inputs in ports.items():
            key = (population, f"_port_{port}")
            for name in inputs:
                operations += self._term(name, key, partition)
        return operations

    def _term(self, name: str, port: tuple[str, str], partition: int) -> list[Operation]:
        """Return the operations that add the term of a projection or drive to a port."""
        program = self._context.program
        if name in program.drives:
            return [self._drive(name, partition)]
        p = program.projections[name]
        if isinstance(p, StaticProjection) and _differ(p):
            return [self._land(p, partition)]
        if self._context.ring(p) == port:
            return []  # it was summed in the port itself
        depth, neurons = self._context.memory[name, "_ring"].shape
        start, stop = self._context.bounds[p.target][partition : partition + 2]
        return [
            Fold(
                port=port,
                ring=(name, "_ring"),
                depth=depth,
                neurons=neurons,
                start=start,
                stop=stop,
            )
        ]

    def _drive(self, name: str, partition: int) -> Call:
        context = self._context
        drive = self._context.program.drives[name]
        start, stop = context.bounds[drive.target][partition : partition + 2]
        first = 0
        last = drive.indices.size
        if context.partitions > 1:  # targets ascend, see `threads.partitions.most_partitions`
            first, last = np.searchsorted(drive.indices, [start, stop])
        rate = (name, "rate")
        weight = (name, "weight")
        # Filled with -1, which is no mean: `kernels.draws` then makes the table at its first use.
        uniforms, quantiles, begins, words, counts, levels = (
            context.tables.keep(np.full(n, -1.0)) for n in ROOM
        )
        key0, key1 = context.stream_key(f"{name}/counts")
        arguments = DriveArguments(
            port=(drive.target, f"_port_{drive.port}"),
            key0=key0,
            key1=key1,
            replica=context.replica,
            targets=context.tables.keep(drive.indices.astype(np.int32)),
            rate=rate,
            rate_count=Size(rate),
            weight=weight,
            weight_count=Size(weight),
            dt=context.dt,
            neighbours=bool((np.diff(drive.indices) == 1).all()),
            uniforms=uniforms,
            quantiles=quantiles,
            begins=begins,
            words=words,
            counts=counts,
            levels=levels,
        )
        return Call(
            kernel=context.kernels.address("draws", "drive"),
            args=context.tables.args(arguments),
            start=first,
            extent=last,
        )


def _differ(p: StaticProjection) -> bool:
    """Return whether the delays of a projection's edges differ."""
    return np.ndim(p.axonal) > 0
