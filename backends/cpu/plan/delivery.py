"""Phase 4 laid out for threads: static projections, handlers of rules, ports; and signals."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from neurosim.ir.delay_groups import DelayGroups, row_of_edge
from neurosim.ir.program import PlasticProjection, ProjectionProgram, StaticProjection

from .. import cache
from ..codegen.rules import Kernel, print_rule
from ..codegen.symbols import Shape
from ..kernels import loop
from ..kernels.deferral import FULL
from ..kernels.draws import ROOM
from .decays import Decays
from .deferral import LEAST, Deferral, deferrable
from .late_events import LateEvents
from .tables import kind
from .wiring import by_bits, narrow, neighbours

if TYPE_CHECKING:
    from ..engine import CpuEngine


class Delivery:
    """Operations of phase 4, and the private copies of pre variables that threads keep (each updates its own, all alike)."""

    def __init__(self, engine: CpuEngine) -> None:
        self.engine = weakref.proxy(
            engine
        )  # which holds this object: a run that is dropped gives its arrays back at once
        self.program, self.memory, self.tables = engine.program, engine.memory, engine._tables
        self._copies: list[tuple[tuple[str, str], np.ndarray]] = []
        self._signals: dict[str, list[tuple[Any, np.ndarray, int, int, int]]] = {}
        self._decays: dict[tuple[str, str], Decays] = {}
        self.deferral = Deferral(self.tables)
        most = sum(
            p.targets.size
            for p in self.program.projections.values()
            if isinstance(p, StaticProjection) and np.ndim(p.axonal)
        )
        self.late_events = LateEvents(self.tables, most=most, dtype=self.memory.dtype)
        self._landings: dict[str, tuple[np.ndarray, ...]] = {}

    def lay_out(self, rows: list[list[list[Any]]]) -> None:
        """Append the operations of phase 4 to every thread."""
        later: list[tuple[int, list[Any]]] = []
        foreign = False
        for p in self.program.projections.values():
            if isinstance(p, StaticProjection):
                static = (
                    [] if np.ndim(p.axonal) else [self._static(p)]
                )  # the others land at their port
                for row in rows:
                    row += static
                continue
            foreign |= bool(p.links) or any(
                s.role == "cell" and s.side == "pre" for s in p.symbols.values()
            )
            for thread in range(len(rows)):
                now, then = self._rule(p, thread)
                rows[thread] += now
                later += [(thread, row) for row in then]
        for thread, row in later:
            rows[thread].append(row)
        for thread in range(len(rows)):
            rows[thread] += self._ports(thread)
            if (
                foreign and len(rows) > 1
            ):  # states of other threads' neurons are read in phase 4, and change in phase 5
                rows[thread].append([loop.MEET])

    def synchronise(self) -> None:
        """Give every thread's copy the values of the memory."""
        for key, copy in self._copies:
            copy[...] = self.memory[key]
        self.late_events.forget()
        for key, decays in self._decays.items():
            decays.follow(float(self.memory[key][0]))

    def emit(self, signal: str, step: int) -> None:
        """Run the handlers of a signal, thread after thread."""
        for function, table, first, count, thread in self._signals.get(signal, ()):
            function.ctypes(table.ctypes.data, first, count, step, thread)

    def ring(self, p: ProjectionProgram) -> Any:
        """Where a projection adds up its term: in the port itself if it is the port's first and lands at once."""
        first = self.program.populations[p.target].contributions[p.port][0]
        return (
            (p.target, f"_port_{p.port}")
            if first == p.name and self.memory[p.name, "_ring"].shape[0] == 1
            else (p.name, "_ring")
        )

    def _static(self, p: StaticProjection) -> list[Any]:
        """The operation of a static projection with one delay."""
        weights, bounds = (p.name, "w"), self._bounds(p, None)
        return [
            loop.EVENTS,
            *self.engine.history(p.source),
            p.axonal,
            (p.name, "_since"),
            0,
            self.engine.threads,
            0,
            0,
            bounds,
            self.tables.keep(p.targets),
            p.targets.itemsize == 2,
            weights,
            ("size", weights),
            self.ring(p),
        ]

    def _landing(self, p: StaticProjection, thread: int, start: int, stop: int) -> list[Any]:
        """The operation of a static projection whose delays differ."""
        population, weights, port = (
            self.program.populations[p.target],
            (p.name, "w"),
            (p.target, f"_port_{p.port}"),
        )
        if thread == 0:
            delays = (
                p.axonal if p.axonal.dtype == np.uint16 else p.axonal.astype(np.int32, copy=False)
            )
            self._landings[p.name] = (
                self._bounds(p, None),
                self.tables.keep(delays),
                self.tables.keep(p.targets),
            )
        term = (
            port
            if population.contributions[p.port][0] == p.name
            else self.late_events.term(p.target, population.size)
        )
        size = 1 + int(p.axonal.max())
        table = [
            *self.engine.history(p.source),
            (p.name, "_since"),
            *self._landings[p.name],
            weights,
            ("size", weights),
            size,
            *self.late_events.lists(size),
            *self.late_events.pool(thread),
            term,
            port,
            p.axonal.itemsize == 2,
            p.targets.itemsize == 2,
        ]
        return [
            loop.KERNEL,
            self.engine.own_kernel("late_events", "land"),
            self.tables.block([table], len(table)),
            start,
            stop,
        ]

    def _gather(
        self, p: ProjectionProgram, slots: DelayGroups, population: str, first: int, last: int
    ) -> tuple[Any, Any, list[Any]]:
        found, count = (
            self.tables.keep(np.zeros(slots.neuron.size + 1, np.int32)),
            self.tables.keep(np.zeros(1, np.int64)),
        )
        row = [
            loop.GATHER,
            *self.engine.history(population),
            self.tables.keep(slots.delays),
            slots.delays.size,
            (p.name, "_since"),
            self.tables.keep(by_bits(slots)),
            first,
            last,
            found,
            count,
        ]
        return found, count, row

    def _bounds(self, p: ProjectionProgram, slots: DelayGroups | None) -> np.ndarray:
        """Where the edges of each slot (None: of each source) begin that belong to each thread, (S * T + 1,): each end where the next begin."""
        pointer, edges = (p.pointer, None) if slots is None else (slots.pointer, slots.edges)
        made = np.empty((pointer.size - 1, self.engine.threads + 1), np.int64)
        made[:, 0], made[:, -1] = pointer[:-1], pointer[1:]
        for t, bound in enumerate(self.memory.bounds[p.target][1:-1], 1):
            low, high = (
                made[:, t - 1].copy(),
                pointer[1:].copy(),
            )  # targets ascend within a slot: halve until all have found their place
            while (open_ := np.flatnonzero(low < high)).size:
                middle = (low[open_] + high[open_]) // 2
                before = p.targets[middle if edges is None else edges[middle]] < bound
                low[open_[before]], high[open_[~before]] = middle[before] + 1, middle[~before]
            made[:, t] = low
        begins = np.append(made[:, :-1], pointer[-1])
        return self.tables.keep(
            begins if slots is None or slots.uniform else begins.astype(np.int32)
        )

    # ---- rules

    def _rule(self, p: PlasticProjection, thread: int) -> tuple[list[list[Any]], list[list[Any]]]:
        shape = self._shape(p)
        source, entries, kernels = print_rule(p.code, shape)
        module = cache.load("".join(c if c.isalnum() else "_" for c in p.code.name), source)
        if thread == 0:
            self.engine._sources.append(source)
            self._scratch = self._shared_arrays(p, entries)
        if shape.deferred:
            notes = self._scratch["@notes"] = self.deferral.notes(
                p, self.memory.bounds[p.target], thread
            )
        table = self.tables.block(
            [[self._entry(p, entry, thread) for entry in entries]], len(entries)
        )
        now: list[list[Any]] = []
        later: list[list[Any]] = []
        gathered: dict[str, tuple[Any, Any]] = {}
        for kernel in kernels:
            function = getattr(module, kernel.name, None)
            first, count = self._range(p, kernel, thread)
            whole = [loop.KERNEL, function and function.address, table, first, count]
            if kernel.trigger == "step":
                later.append(whole)
            elif kernel.trigger not in ("pre", "post"):
                self._signals.setdefault(kernel.trigger, []).append(
                    (function, table, first, count, thread)
                )
            elif kernel.over == "notes":
                now += self._events(
                    p, "post", self.engine.own_kernel("deferral", "note"), notes, thread, gathered
                )
            elif kernel.over.startswith("fold"):
                now.append(whole)
            else:
                now += self._events(p, kernel.trigger, function.address, table, thread, gathered)
        if shape.deferred:
            rows, full = p.pre_groups.neuron.size, int(notes[0, FULL])
            self.deferral.sweeps.setdefault(p.name, []).append(
                (module.catch_up, table.ctypes.data, 0, rows, 0, thread)
            )
            records = [probe.every for probe in self.program.probes if probe.owner.name == p.name]
            later.append(
                [
                    loop.SWEEP,
                    module.catch_up.address,
                    table,
                    rows,
                    full,
                    np.gcd.reduce(records) if records else 0,
                ]
            )
        return now, later

    def _events(
        self,
        p: PlasticProjection,
        trigger: str,
        address: int,
        table: np.ndarray,
        thread: int,
        gathered: dict[str, Any],
    ) -> list[list[Any]]:
        slots, population = p.groups(trigger), p.source if trigger == "pre" else p.target
        segments = (0, self.engine.threads) if trigger == "pre" else (thread, thread + 1)
        if slots.uniform:
            return [
                [
                    loop.EVENTS,
                    *self.engine.history(population),
                    slots.delays[0],
                    (p.name, "_since"),
                    *segments,
                    address,
                    table,
                ]
            ]
        rows = []
        if trigger not in gathered:
            found, count, row = self._gather(p, slots, population, *segments)
            gathered[trigger] = found, count
            rows.append(row)
        return [*rows, [loop.LISTED, address, table, *gathered[trigger]]]

    def _range(self, p: PlasticProjection, kernel: Kernel, thread: int) -> tuple[int, int]:
        """First and count of what a kernel runs over when it is not called with events."""
        if kernel.over == "edges":
            return 0, p.pointer.size - 1
        if kernel.over.endswith("pre"):
            return 0, p.pre_groups.neuron.size
        bounds = self.memory.bounds[p.target]
        first, last = p.post_groups.first[bounds[thread]], p.post_groups.first[bounds[thread + 1]]
        return int(first), int(last - first)

    def _shape(self, p: PlasticProjection) -> Shape:
        values: dict[str, str] = {}
        for name, symbol in p.symbols.items():
            if symbol.role == "parameter":
                values[name] = kind(self.memory, (p.name, name)) if symbol.side == "one" else "each"
            elif symbol.role == "cell":
                owner = p.source if symbol.side == "pre" else p.target
                values[name] = self._kind(owner, symbol.origin)
        links = {}
        for name, link in p.links.items():
            decay = None
            if link.owner in self.program.projections:
                other = self.program.plastic[link.owner].symbols[link.name]
                decay = kind(self.memory, (link.owner, other.decay)) if other.decay else None
            links[name] = (self._kind(link.owner, link.name), link.index is not None, decay)
        dendritic = "each" if np.ndim(p.dendritic) else "one" if p.dendritic else "none"
        return Shape(
            not p.pre_groups.uniform,
            p.post_groups is not None and not p.post_groups.uniform,
            dendritic,
            tuple(values.items()),
            tuple(links.items()),
            _deferred(p),
            neighbours(p),
            narrow(p),
            self.engine.precision,
        )

    def _kind(self, owner: str, name: str) -> str:
        population = self.program.populations.get(owner)
        if population is not None and name in population.code.states:
            return "each"
        found = kind(self.memory, (owner, name))
        self.tables.kinds[owner, name] = found
        return found if population is not None or found == "one" else "each"

    def _shared_arrays(self, p: PlasticProjection, entries: list[str]) -> dict[str, np.ndarray]:
        """Arrays of a projection that all threads use, each its own part; those among the entries of its table."""
        pre, post = p.pre_groups, p.post_groups
        made: dict[str, Callable[[], np.ndarray]] = {
            "@targets": lambda: p.targets,
            "@edge_bounds": lambda: self._bounds(p, None),
            "@pre_bounds": lambda: self._bounds(p, pre),
            "@pre_neuron": lambda: pre.neuron,
            "@pre_edges": lambda: pre.edges,
            "@pre_of_edge": lambda: pre.of_edge,
            "@pre_targets": lambda: p.targets[pre.edges],
            "@post_pointer": lambda: post.pointer,
            "@post_edges": lambda: post.edges,
            "@post_neuron": lambda: post.neuron,
            "@post_of_edge": lambda: post.of_edge,
            "@post_sources": lambda: row_of_edge(p.pointer)[post.edges],
            "@post_pre_slots": lambda: pre.of_edge[post.edges],
            "@dendritic_each": lambda: p.dendritic.astype(np.int32, copy=False),
        }
        for _, statements in p.code.handlers:
            for s in statements:
                if s.action == "sum":
                    size = (pre if s.side == "pre" else post).neuron.size
                    made |= {
                        f"@sum_{s.target}": lambda size=size: np.zeros(size, self.memory.dtype),
                        f"@touched_{s.target}": lambda size=size: np.zeros(size, np.uint8),
                    }
        return {entry: self.tables.keep(made[entry]()) for entry in entries if entry in made}

    def _entry(self, p: PlasticProjection, entry: str, thread: int) -> Any:
        if entry in self._scratch:
            return self._scratch[entry]
        if entry.startswith("@key"):
            number, second = entry[4:].rstrip("b"), entry.endswith("b")
            return self.engine.key(f"{p.name}/draw{number}")[second]
        special = {
            "@dt": self.engine._dt,
            "@threads": self.engine.threads,
            "@replica": self.engine.replica,
            "@dendritic": p.dendritic,
            "@N_pre": self.program.populations[p.source].size,
            "@N_post": self.program.populations[p.target].size,
        }
        if entry in special:
            return special[entry]
        if entry.startswith("@decays_"):
            return self._decay_table((p.name, entry[8:]))
        if entry == "@ring":
            return self.ring(p)
        if entry.startswith("@ring_"):
            return self.memory[p.name, "_ring"].shape[entry == "@ring_size"]
        name, _, part = entry.partition("@")
        symbol = p.symbols.get(name)
        if symbol is not None and symbol.role == "link":
            return self._link(p, name, part)
        if symbol is not None and symbol.role == "cell":
            return self._of(p.source if symbol.side == "pre" else p.target, symbol.origin, part)
        if symbol is not None and symbol.role == "variable" and symbol.side == "pre" and thread > 0:
            return self._copy((p.name, entry))
        return (p.name, entry)

    def _link(self, p: PlasticProjection, name: str, part: str) -> Any:
        link = p.links[name]
        if part == "index":
            return self.tables.keep(link.index.astype(np.int32))
        if part == "tau":
            other = self.program.plastic[link.owner].symbols[link.name]
            return (link.owner, other.decay)
        return self._of(link.owner, link.name, part)

    def _of(self, owner: str, name: str, part: str) -> Any:
        if part == "size":
            return self.program.populations[owner].size
        return (owner, f"{name}@{part}" if part else name)

    def _decay_table(self, tau: tuple[str, str]) -> np.ndarray:
        if tau not in self._decays:
            self._decays[tau] = Decays(self.program.dt, self.memory.dtype)
            self._decays[tau].follow(float(self.memory[tau][0]))
        return self.tables.keep(self._decays[tau].table)

    def _copy(self, key: tuple[str, str]) -> np.ndarray:
        copy = self.tables.keep(self.memory[key].copy())
        self._copies.append((key, copy))
        return copy

    # ---- ports

    def _ports(self, thread: int) -> list[list[Any]]:
        rows = []
        for population in self.program.populations.values():
            bounds = self.memory.bounds[population.name]
            start, stop = int(bounds[thread]), int(bounds[thread + 1])
            for port, inputs in population.contributions.items():
                for name in inputs:
                    if name in self.program.drives:
                        rows.append(self._drive(name, start, stop))
                        continue
                    p, ring = self.program.projections[name], self.memory[name, "_ring"]
                    if isinstance(p, StaticProjection) and np.ndim(p.axonal):
                        rows.append(self._landing(p, thread, start, stop))
                    elif self.ring(p)[0] == name:
                        rows.append(
                            [
                                loop.PORT,
                                (population.name, f"_port_{port}"),
                                (name, "_ring"),
                                ring.shape[0],
                                ring.shape[1],
                                start,
                                stop,
                            ]
                        )
        return rows

    def _drive(self, name: str, start: int, stop: int) -> list[Any]:
        drive = self.program.drives[name]
        first, last = (
            np.searchsorted(drive.indices, [start, stop])
            if self.engine.threads > 1
            else (0, drive.indices.size)
        )
        rate, weight = (name, "rate"), (name, "weight")
        room = [self.tables.keep(np.full(size, -1.0)) for size in ROOM]
        table = self.tables.block(
            [
                [
                    (drive.target, f"_port_{drive.port}"),
                    *self.engine.key(f"{name}/counts"),
                    self.engine.replica,
                    self.tables.keep(drive.indices.astype(np.int32)),
                    rate,
                    ("size", rate),
                    weight,
                    ("size", weight),
                    self.engine._dt,
                    bool((np.diff(drive.indices) == 1).all()),
                    *room,
                ]
            ],
            14,
        )
        return [loop.KERNEL, self.engine.own_kernel("draws", "drive"), table, first, last]


def _deferred(p: PlasticProjection) -> bool:
    """Whether post-spikes wait: they may, and edges are many for each source slot, whose rows are searched, and each target slot, which keeps notes."""
    return deferrable(p.code) and p.targets.size >= LEAST * max(
        p.pre_groups.neuron.size, p.post_groups.neuron.size
    )
