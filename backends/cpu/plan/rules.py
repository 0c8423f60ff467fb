"""Phase 4 of plastic projections: handlers of rules, and handlers of signals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from neurosim.compiled.machine_code import Function
from neurosim.ir.delay_groups import DelayGroups, row_of_edge
from neurosim.ir.memory import Key
from neurosim.ir.program import PlasticProjection
from neurosim.model.names import Side

from ..codegen.printing import Layout
from ..codegen.rules import CELL, INTEGRATION, Kernel, print_rule
from ..codegen.symbols import Dendritic, LinkVariant, RuleVariant
from ..kernels.operations import (
    Argument,
    Assign,
    Call,
    CatchUp,
    Events,
    Gather,
    Gathered,
    History,
    NoteArguments,
    Operation,
)
from .context import Context
from .decays import DecayTable
from .deferral import Deferral, is_deferred
from .tables import layout_of
from .wiring import ends_in_neighbours, first_edges, groups_by_bits, short_indices


@dataclass(frozen=True, eq=False)
class SignalHandler:
    """A kernel that a signal calls for a partition.

    Attributes
    ----------
    kernel : Function
    args : (1, A) int64
    keys : (K,) indices
        Positions among them of the first key words of draws.
    first, count : int
        Range of its loop.
    partition : int
    """

    kernel: Function
    args: np.ndarray
    keys: list[int]
    first: int
    count: int
    partition: int


class Rules:
    """State of rules beside the memory: copies of pre variables, decay factors, notes.

    Every partition updates pre variables of its own, all alike, so that no partition waits for
    another; those of the first are the memory's.

    Attributes
    ----------
    deferral : Deferral
    """

    def __init__(self, context: Context) -> None:
        self.deferral = Deferral(context.tables)
        self._context = context
        self._copies: list[tuple[Key, np.ndarray]] = []
        self._decays: dict[Key, DecayTable] = {}
        self._signals: dict[str, list[SignalHandler]] = {}

    def lay_out(self, p: PlasticProjection) -> list[PartitionRule]:
        """Return the operations of a projection, one object per partition."""
        rule = _Rule(self._context, self, p)
        return [PartitionRule(rule, partition) for partition in range(self._context.partitions)]

    def synchronise(self) -> None:
        """Follow changes of the memory by the host."""
        for key, copy in self._copies:
            copy[...] = self._context.memory[key]
        for key, table in self._decays.items():
            table.follow(float(self._context.memory[key][0]))

    def emit(self, signal: str, step: int, repeat: int) -> None:
        """Run the handlers of a signal, partition after partition."""
        # On the caller's thread: signals come between steps, when no other thread runs.
        for h in self._signals.get(signal, ()):
            # As `neurosim.draws.streams.repeated`; a second time gives the former keys.
            h.args[0, h.keys] ^= repeat
            h.kernel.call(h.args.ctypes.data, h.first, h.count, step, h.partition)
            h.args[0, h.keys] ^= repeat

    def add_handler(self, signal: str, handler: SignalHandler) -> None:
        """Let a signal call a kernel."""
        self._signals.setdefault(signal, []).append(handler)

    def copy(self, key: Key) -> np.ndarray:
        """Return a copy of an array of the memory, which follows the memory."""
        copy = self._context.tables.keep(self._context.memory[key].copy())
        self._copies.append((key, copy))
        return copy

    def decay_table(self, tau: Key) -> DecayTable:
        """Return the table of a time constant of one value, which it follows."""
        memory = self._context.memory
        program = self._context.program
        # One table per time constant: several variables and partitions may share it.
        if tau not in self._decays:
            symbols = program.plastic[tau[0]].symbols.values()
            with_gains = any(s.decay == tau[1] and s.inflow is not None for s in symbols)
            table = DecayTable(program.dt, memory.dtype, with_gains=with_gains)
            table.follow(float(memory[tau][0]))
            self._decays[tau] = table
        return self._decays[tau]


class _Rule:
    """The kernels of a projection, and the arguments that all partitions share."""

    def __init__(self, context: Context, rules: Rules, p: PlasticProjection) -> None:
        self.context = context
        self.rules = rules
        self.p = p
        self.variant = variant_of(context, p)
        self.source = print_rule(p.code, self.variant)
        self.functions = context.kernels.load(p.code.name, self.source.text)
        self.notes: list[NoteArguments] = []
        if self.variant.deferred:
            self.notes = rules.deferral.notes(p, context.bounds[p.target])
        arrays = {**self._wiring(), **self._sums()}
        self._arguments = {**self._numbers(), **self._keys()}
        # Only arrays that the printed source reads are computed: some are as long as the edges.
        for entry in self.source.arguments:
            if entry in arrays:
                self._arguments[entry] = context.tables.keep(arrays[entry]())

    def argument(self, entry: str, partition: int) -> Argument:
        """Return an argument of the kernels in a partition."""
        if entry in self._arguments:
            return self._arguments[entry]
        if entry == "@notes":
            return self.context.tables.args(self.notes[partition])
        if entry.startswith(("@decays_", "@gains_")):
            prefix, _, tau = entry.partition("_")
            table = self.rules.decay_table((self.p.name, tau))
            values = table.factors if prefix == "@decays" else table.gains
            return self.context.tables.keep(values)
        if entry.startswith("@until_"):
            end = self.p.source if entry == "@until_pre" else self.p.target
            return end, "_until"
        name, _, aspect = entry.partition("@")
        symbol = self.p.symbols.get(name)
        if symbol is not None and symbol.role == "link":
            return self._linked(name, aspect)
        if symbol is not None and symbol.role == "cell":
            owner = self.p.source if symbol.side == "pre" else self.p.target
            return self._value(owner, symbol.origin, aspect)
        # The first partition works on the memory itself, so that the host reads current values.
        key = (self.p.name, entry)
        is_pre = symbol is not None and symbol.role == "variable" and symbol.side == "pre"
        return self.rules.copy(key) if is_pre and partition > 0 else key

    def _linked(self, name: str, aspect: str) -> Argument:
        # Keys, not arrays, where the memory owns the values: addresses then follow replacements.
        link = self.p.links[name]
        if aspect == "index" and link.index is not None:
            return self.context.tables.keep(link.index.astype(np.int32))
        if aspect in ("tau", "inflow"):
            symbol = self.context.program.plastic[link.owner].symbols[link.name]
            coefficient = symbol.decay if aspect == "tau" else symbol.inflow
            return link.owner, str(coefficient)
        return self._value(link.owner, link.name, aspect)

    def _value(self, owner: str, name: str, aspect: str) -> Argument:
        if aspect == "size":
            return self.context.program.populations[owner].size
        return owner, f"{name}@{aspect}" if aspect else name

    def _numbers(self) -> dict[str, Argument]:
        p = self.p
        context = self.context
        populations = context.program.populations
        numbers: dict[str, Argument] = {
            "@dt": context.dt,
            "@partitions": context.partitions,
            "@replica": context.replica,
            "@N_pre": populations[p.source].size,
            "@N_post": populations[p.target].size,
        }
        if np.ndim(p.dendritic) == 0:
            numbers["@dendritic"] = int(p.dendritic)
        if p.port is not None:
            numbers["@ring"] = context.ring(p)
            numbers["@ring_depth"], numbers["@ring_size"] = context.memory[p.name, "_ring"].shape
        return numbers

    def _keys(self) -> dict[str, Argument]:
        """Return the key words of the random streams that kernels draw from."""
        keys: dict[str, Argument] = {}
        for entry in self.source.arguments:
            if entry.startswith("@key") and not entry.endswith("b"):
                stream = f"{self.p.name}/draw{entry.removeprefix('@key')}"
                keys[entry], keys[f"{entry}b"] = self.context.stream_key(stream)
        return keys

    def _wiring(self) -> dict[str, Callable[[], np.ndarray]]:
        """Return functions that compute arrays of the wiring; few rules need all of them."""
        # Targets and sources are copied into the order in which a loop reads them: an index in
        # between would cost a cache miss per edge.
        p = self.p
        bounds = self.context.bounds[self.p.target]
        pre = self.p.groups("pre")
        arrays: dict[str, Callable[[], np.ndarray]] = {
            "@targets": lambda: p.targets,
            "@edge_bounds": lambda: first_edges(p, bounds),
            "@pre_bounds": lambda: first_edges(p, bounds, pre),
            "@pre_neuron": lambda: pre.neuron,
            "@pre_edges": lambda: _numbers_of(pre),
            "@pre_of_edge": lambda: pre.of_edge,
            "@pre_targets": lambda: p.targets[_numbers_of(pre)],
            "@dendritic_delays": lambda: _as_int32(p.dendritic),
        }
        if p.post_groups is not None:
            post = p.post_groups
            arrays |= {
                "@post_pointer": lambda: post.pointer,
                "@post_edges": lambda: _numbers_of(post),
                "@post_neuron": lambda: post.neuron,
                "@post_of_edge": lambda: post.of_edge,
                "@post_sources": lambda: row_of_edge(p.pointer)[_numbers_of(post)],
                "@post_pre_groups": lambda: pre.of_edge[_numbers_of(post)],
            }
        return arrays

    def _sums(self) -> dict[str, Callable[[], np.ndarray]]:
        """Return functions that create the arrays in which edges sum additions to variables."""
        dtype = self.context.memory.dtype
        arrays: dict[str, Callable[[], np.ndarray]] = {}
        for _, statements in self.p.code.handlers:
            for s in statements:
                if s.action == "sum":
                    size = self.p.groups(s.side).neuron.size
                elif s.action in CELL:
                    end = self.p.source if s.side == "pre" else self.p.target
                    size = self.context.program.populations[end].size
                else:
                    continue
                # Partials bind the size of this turn; a lambda would see that of the last one.
                arrays[f"@sum_{s.target}"] = partial(np.zeros, size, dtype)
                arrays[f"@touched_{s.target}"] = partial(np.zeros, size, np.uint8)
        return arrays


def _as_int32(delays: object) -> np.ndarray:
    return np.asarray(delays).astype(np.int32, copy=False)


def _numbers_of(groups: DelayGroups) -> np.ndarray:
    """Return the edge numbers of groups, whether or not they are in order."""
    if groups.edges is None:
        return np.arange(groups.pointer[-1], dtype=np.int32)
    return groups.edges


class PartitionRule:
    """Operations of a rule in a partition.

    Attributes
    ----------
    within : list of Operation
        Of "pre" handlers of a same-step projection; executed before the target is integrated.
    first : list of Operation
        Of equations; executed before the events of all projections.
    now : list of Operation
        Executed in creation order of the projections.
    later : list of Operation
        Of "step" handlers; executed after those of all projections.
    """

    def __init__(self, rule: _Rule, partition: int) -> None:
        self._rule = rule
        self._partition = partition
        self._context = rule.context
        self._p = rule.p
        self._gathered: dict[str, Gather] = {}
        self.within: list[Operation] = []
        self.first: list[Operation] = []
        self.now: list[Operation] = []
        self.later: list[Operation] = []
        row = [rule.argument(entry, partition) for entry in rule.source.arguments]
        self._args = rule.context.tables.block([row], len(row))
        for kernel in rule.source.kernels:
            self._add(kernel)
        if rule.notes:
            self._add_catch_up()

    def _add(self, kernel: Kernel) -> None:
        """Add the operations of a kernel, or let a signal call it."""
        if kernel.over == "notes":
            notes = self._context.tables.args(self._rule.notes[self._partition])
            address = self._context.kernels.address("deferral", "note")
            self._add_events("post", address, notes)
            return
        function = self._rule.functions[kernel.name]
        first, count = self._range(kernel)
        call: Call | Assign = Call(
            kernel=function.address, args=self._args, start=first, extent=count
        )
        if kernel.assigns_states:
            call = Assign(kernel=function.address, args=self._args, start=first, extent=count)
        if kernel.trigger == INTEGRATION:
            self.first.append(call)
        elif kernel.trigger == "step":
            self.later.append(call)
        elif kernel.trigger not in ("pre", "post"):
            entries = self._rule.source.arguments
            # First words alone: the repeat of a signal changes these, as streams do on the host.
            keys = [n for n, e in enumerate(entries) if e.startswith("@key") and e[-1] != "b"]
            handler = SignalHandler(
                kernel=function,
                args=self._args,
                keys=keys,
                first=first,
                count=count,
                partition=self._partition,
            )
            self._rule.rules.add_handler(kernel.trigger, handler)
        elif kernel.over.startswith(("fold", "cell")):
            self._events_of(kernel.trigger).append(call)
        else:
            self._add_events(kernel.trigger, function.address, self._args)

    def _events_of(self, side: str) -> list[Operation]:
        """Return the list of operations for spikes of one side."""
        return self.within if self._p.same_step and side == "pre" else self.now

    def _add_events(self, side: Side, kernel: int, args: np.ndarray) -> None:
        """Add the operations that call a kernel with the events of one side that arrive."""
        groups = self._p.groups(side)
        operations = self._events_of(side)
        if groups.uniform:
            first, last = self._origin(side)
            operation = Events(
                history=self._history(side),
                delay=groups.delays[0],
                since=(self._p.name, "_since"),
                first_partition=first,
                last_partition=last,
                kernel=kernel,
                args=args,
            )
            operations.append(operation)
            return
        # Several kernels of a side share one list, made before the first of them.
        if side not in self._gathered:
            self._gathered[side] = self._gather(side)
            operations.append(self._gathered[side])
        gather = self._gathered[side]
        operation = Gathered(
            kernel=kernel,
            args=args,
            groups=gather.groups,
            count=gather.count,
        )
        operations.append(operation)

    def _gather(self, side: Side) -> Gather:
        groups = self._p.groups(side)
        keep = self._context.tables.keep
        first, last = self._origin(side)
        return Gather(
            history=self._history(side),
            delays=keep(groups.delays),
            delay_count=groups.delays.size,
            since=(self._p.name, "_since"),
            members=keep(groups_by_bits(groups)),
            first_partition=first,
            last_partition=last,
            # One more: `kernels.loop.gather` writes an entry before it knows whether to count it.
            groups=keep(np.zeros(groups.neuron.size + 1, np.int32)),
            count=keep(np.zeros(1, np.int64)),
        )

    def _history(self, side: Side) -> History:
        population = self._p.source if side == "pre" else self._p.target
        return self._context.history(population)

    def _origin(self, side: Side) -> tuple[int, int]:
        """Return the partitions whose spikes concern edges of this one.

        Edges come from sources in all partitions, and end in targets of their own.
        """
        if side == "pre":
            return 0, self._context.partitions
        return self._partition, self._partition + 1

    def _range(self, kernel: Kernel) -> tuple[int, int]:
        """Return the range of a kernel that is not called with events: its first item and count."""
        if kernel.over == "edges":
            return 0, self._p.pointer.size - 1
        if kernel.over in ("pre", "fold pre"):
            return 0, self._p.groups("pre").neuron.size
        if kernel.over == "cell pre":
            return 0, self._p.pointer.size - 1
        bounds = self._context.bounds[self._p.target]
        begin = bounds[self._partition]
        end = bounds[self._partition + 1]
        if kernel.over == "cell post":
            return int(begin), int(end - begin)
        # Groups of post are sorted by neuron, so those of a partition lie together.
        first = self._p.groups("post").first
        return int(first[begin]), int(first[end] - first[begin])

    def _add_catch_up(self) -> None:
        """Let all edges catch up when notes are full, edges are recorded, or a stretch ends."""
        p = self._p
        function = self._rule.functions["catch_up"]
        groups = p.groups("pre").neuron.size
        sweeps = self._rule.rules.deferral.sweeps.setdefault(p.name, [])
        address = self._args.ctypes.data
        call = (function, address, 0, groups, 0, self._partition)
        sweeps.append(call)
        # A recorded variable must be up to date whenever one of its probes takes a sample.
        probes = self._context.program.probes
        records = [probe.every for probe in probes if probe.owner.name == p.name]
        operation = CatchUp(
            kernel=function.address,
            args=self._args,
            groups=groups,
            full=self._rule.notes[self._partition].full,
            every=np.gcd.reduce(records) if records else 0,
        )
        self.later.append(operation)


def variant_of(context: Context, p: PlasticProjection) -> RuleVariant:
    """Return the facts on which the printed source of a projection's rule depends."""
    # Few values, no sizes: projections that differ in numbers alone share compiled code.
    dendritic: Dendritic = "none"
    if np.ndim(p.dendritic) > 0:
        dendritic = "per_edge"
    elif p.dendritic:
        dendritic = "shared"
    return RuleVariant(
        pre_split=not p.groups("pre").uniform,
        post_split=p.post_groups is not None and not p.post_groups.uniform,
        dendritic=dendritic,
        layouts=_layouts(context, p),
        links=_links(context, p),
        deferred=is_deferred(p),
        neighbours=ends_in_neighbours(p),
        short=short_indices(p),
        precision=context.precision,
    )


def _layouts(context: Context, p: PlasticProjection) -> tuple[tuple[str, Layout], ...]:
    layouts: dict[str, Layout] = {}
    for name, symbol in p.symbols.items():
        if symbol.role == "parameter" and symbol.side == "one":
            layouts[name] = layout_of(context.memory, (p.name, name))
        elif symbol.role == "cell":
            owner = p.source if symbol.side == "pre" else p.target
            layouts[name] = context.layout(owner, symbol.origin)
    return tuple(layouts.items())


def _links(context: Context, p: PlasticProjection) -> tuple[tuple[str, LinkVariant], ...]:
    links = {}
    for name, link in p.links.items():
        tau: Layout | None = None
        inflow: Layout | None = None
        if link.owner in context.program.plastic:
            # Kernels apply the closed form of a linked variable when they read it.
            symbol = context.program.plastic[link.owner].symbols[link.name]
            if symbol.decay is not None:
                tau = layout_of(context.memory, (link.owner, symbol.decay))
            if symbol.inflow is not None:
                inflow = layout_of(context.memory, (link.owner, symbol.inflow))
        layout = context.layout(link.owner, link.name)
        links[name] = LinkVariant(layout, link.index is not None, tau, inflow)
    return tuple(links.items())
