"""Prints the handlers of a rule: statements over edges share a loop, those over neurons another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from neurosim.expr.printing import docstring
from neurosim.expr.tree import names
from neurosim.ir.program import RuleProgram
from neurosim.model.binding import BoundStatement

from .printing import indent, local
from .symbols import RuleSymbols, RuleVariant

# Loops over edges have an outer loop over the delay groups of arriving spikes ("pre"), of returning
# spikes ("post"), or over all sources.
Outer = Literal["pre", "post", "source"]
CELL = ("add_to_cell", "assign_cell")  # actions that change a state of a cell
INTEGRATION = "@integrate"  # the trigger of equations; no signal has such a name
Over = Literal["edges", "pre", "post", "fold pre", "fold post", "cell pre", "cell post", "notes"]


@dataclass(frozen=True)
class Kernel:
    """A printed function.

    Attributes
    ----------
    name : str
    trigger : str
        Event of its handler, or `INTEGRATION`.
    over : Over
        Items of its loop: edges or delay groups of events, or all of them; "notes" is the kernel
        of `kernels.deferral` that notes events; "cell": neurons of one end.
    """

    name: str
    trigger: str
    over: Over

    @property
    def assigns_states(self) -> bool:
        """Whether it assigns states of cells, and tells of one that is not finite."""
        return self.over.startswith("cell") and self.name.endswith("_assigned")


@dataclass(frozen=True)
class RuleSource:
    """The printed source of a rule.

    Attributes
    ----------
    text : str
    arguments : list of str
        Entries of the arguments of all its kernels.
    kernels : list of Kernel
        In the order in which they run.
    """

    text: str
    arguments: list[str]
    kernels: list[Kernel]


def print_rule(code: RuleProgram, variant: RuleVariant) -> RuleSource:
    """Print the handlers of a rule."""
    printer = _RulePrinter(code, variant)
    functions: list[list[str]] = []
    kernels: list[Kernel] = []
    for part, group in enumerate(groups(code.integrate)):
        kernel = Kernel(f"integrate_{part}", INTEGRATION, _domain(group[0]))
        kernels.append(kernel)
        functions.append(printer.handler(kernel, group))
    for number, (trigger, statements) in enumerate(code.handlers):
        # Edges of an arriving spike catch up before its handler reads them.
        if variant.deferred and trigger == "pre":
            kernels.append(Kernel("catch_up", trigger, "edges"))
            functions.append(printer.catch_up())
        # Statements over neurons are not deferred: others may read these variables at any time.
        if variant.deferred and trigger == "post":
            kernels.append(Kernel("note", trigger, "notes"))
            statements = tuple(s for s in statements if s.side != "edge")
        for part, group in enumerate(groups(statements)):
            kernel = Kernel(f"handler{number}_{part}", trigger, _domain(group[0]))
            kernels.append(kernel)
            functions.append(printer.handler(kernel, group))
            # Sums are added to their variable after the loop: no edge reads additions of another,
            # so that the result does not depend on the order of edges.
            for variable in dict.fromkeys(s.target for s in group if s.action == "sum"):
                fold = printer.fold_kernel(kernel, variable)
                kernels.append(fold)
                functions.append(printer.fold(fold, variable))
            for statement in [s for s in group if s.action in CELL]:
                for changed, lines in printer.cell_kernels(kernel, statement):
                    kernels.append(changed)
                    functions.append(lines)
    head = [
        docstring(f"Rule {code.name!r}: its handlers, printed from its statements."),
        "",
        variant.precision.header,
        "\n",
    ]
    text = "\n".join(head) + "\n\n\n".join("\n".join(lines) for lines in functions) + "\n"
    return RuleSource(text, printer.symbols.arguments.entries, kernels)


def groups(statements: tuple[BoundStatement, ...]) -> list[list[BoundStatement]]:
    """Split statements into groups that one loop can execute as if one after the other.

    Statements over edges may share a loop unless one reads a variable to which an earlier one of
    the group adds. Statements over the neurons of one side touch nothing of other neurons.
    """
    split: list[list[BoundStatement]] = []
    for statement in statements:
        if split and _shares_loop(split[-1], statement):
            split[-1].append(statement)
        else:
            split.append([statement])
    return split


def _shares_loop(group: list[BoundStatement], statement: BoundStatement) -> bool:
    summed = {s.target for s in group if s.action in ("sum", *CELL)}
    touched = names(statement.value) | {statement.target}
    return _domain(group[0]) == _domain(statement) and not summed & touched


def _domain(statement: BoundStatement) -> Literal["edges", "pre", "post"]:
    """Return the items that a statement is executed for: edges, or the neurons of one side."""
    # A delivery or a sum is made edge by edge, although its target is a neuron's; the edges of a
    # state that is assigned say which neurons have one.
    if statement.action in ("deliver", "sum", *CELL) or statement.side == "edge":
        return "edges"
    return statement.side


@dataclass(frozen=True)
class _EdgeLoop:
    """Lines of two nested loops over edges.

    Attributes
    ----------
    setup : list of str
        Before the loops.
    outer : list of str
        First in the loop over delay groups or sources.
    bounds : tuple of str
        Of the inner loop, over positions ``_k``.
    inner : list of str
        First in the loop over edges.
    """

    setup: list[str]
    outer: list[str]
    bounds: tuple[str, str]
    inner: list[str]

    @property
    def header(self) -> str:
        return f"for _k in range({self.bounds[0]}, {self.bounds[1]}):"


class _RulePrinter:
    def __init__(self, code: RuleProgram, variant: RuleVariant) -> None:
        self.code = code
        self.variant = variant
        self.symbols = RuleSymbols(code, variant)

    def handler(self, kernel: Kernel, group: list[BoundStatement]) -> list[str]:
        """Return the function of a group of statements."""
        if kernel.over == "edges":
            return self._edges(kernel, group)
        return self._neurons(kernel, group)

    def _head(self, name: str) -> list[str]:
        return ["@kernel", f"def {name}(args, first, count, step, partition):"]

    # ---- edges

    def _edges(self, kernel: Kernel, group: list[BoundStatement]) -> list[str]:
        symbols = self.symbols
        read = symbols.names_read(group)
        outer: Outer = "source"
        if kernel.trigger == "pre" or kernel.trigger == "post":
            outer = kernel.trigger
        loop = self._edge_loop(outer, sources=self._needs_sources(read, group))
        # Values at the side of the outer loop are loaded once for all its edges.
        near, far = ("post", "pre") if outer == "post" else ("pre", "post")
        setup = [*symbols.prologue(read), *self._targets_setup(group), *loop.setup]
        at_group = [*loop.outer, *self._values_at(read, near, outer), loop.header]
        at_edge = [
            *loop.inner,
            *self._values_at(read, far, outer),
            *self._values_at_edge(read, outer),
        ]
        for s in group:
            at_edge += self._statement(s)
        return [
            *self._head(kernel.name),
            *indent([*dict.fromkeys(setup), "for _j in range(count):"]),
            *indent(at_group, 2),
            *indent(at_edge, 3),
            "    return 0",
        ]

    def _needs_sources(self, read: set[str], group: list[BoundStatement]) -> bool:
        """Return whether more than variables of the source is read, or a state of it changed."""
        symbols = [self.symbols.symbols[n] for n in read if n in self.symbols.symbols]
        reads = any(s.side == "pre" and s.role != "variable" for s in symbols)
        return reads or any(s.action in CELL and s.side == "pre" for s in group)

    def _targets_setup(self, group: list[BoundStatement]) -> list[str]:
        """Return lines that read the addresses of the variables that statements change."""
        address = self.symbols.address
        lines = [address(s.target) for s in group if s.action == "assign"]
        if any(s.action == "deliver" for s in group):
            lines += self.symbols.ring_setup()
        for s in group:
            if s.action in ("sum", "add_to_cell"):
                lines.append(address(f"@sum_{s.target}"))
            if s.action in ("sum", *CELL):
                lines.append(address(f"@touched_{s.target}"))
        return lines

    def _edge_loop(self, outer: Outer, *, sources: bool) -> _EdgeLoop:
        if outer == "post":
            return self._loop_by_target(sources=sources)
        if outer == "pre" and self.variant.pre_split:
            return self._loop_by_group()
        return self._loop_by_source(outer)

    def _loop_by_target(self, *, sources: bool) -> _EdgeLoop:
        """Edges of the targets of events; ``sources``: the number of the source is needed."""
        # Edges lie by source, so each of these is a jump in memory; `kernels.deferral` avoids that.
        symbols = self.symbols
        split = self.variant.pre_split
        setup = [symbols.address("@post_pointer"), symbols.address("@post_edges")]
        inner = ["_edge = load_index(_post_edges, _k, '_edges')"]
        if split:
            setup.append(symbols.address("@post_pre_groups"))
            inner.append(f"_pre_group = {symbols.index('@post_pre_groups', '_k')}")
        if sources or not split:
            setup.append(symbols.address("@post_sources"))
            inner.append(f"_pre = {symbols.index('@post_sources', '_k')}")
        if not split:
            inner.append("_pre_group = _pre")
        outer = [
            "_post_group = load_index(first, _j, '_events')",
            f"_post = {symbols.neuron_of_group('post')}",
        ]
        bounds = (
            "load_long(_post_pointer, _post_group, '_pointer')",
            "load_long(_post_pointer, _post_group + 1, '_pointer')",
        )
        return _EdgeLoop([*setup, *symbols.group_setup("post")], outer, bounds, inner)

    def _loop_by_group(self) -> _EdgeLoop:
        """Edges of the delay groups of events, which do not lie together in memory."""
        symbols = self.symbols
        setup = [
            symbols.address(entry)
            for entry in ("@pre_bounds", "@partitions", "@pre_edges", "@pre_targets")
        ]
        outer = [
            "_pre_group = load_index(first, _j, '_events')",
            f"_pre = {symbols.neuron_of_group('pre')}",
        ]
        inner = [
            "_edge = load_index(_pre_edges, _k, '_edges')",
            f"_post = {symbols.index('@pre_targets', '_k')}",
            *self._group_of_target(),
        ]
        setup += [*self._group_of_target_setup(), *symbols.group_setup("pre")]
        bounds = self._bound("_pre_group", 0), self._bound("_pre_group", 1)
        return _EdgeLoop(setup, outer, bounds, inner)

    def _loop_by_source(self, outer: Outer) -> _EdgeLoop:
        """Edges of the sources of events, or of all sources: they lie together in memory."""
        symbols = self.symbols
        split = self.variant.pre_split
        if outer == "pre":
            pointer = "_pre_bounds"
            source = "_pre_group"
            lines = ["_pre_group = load_index(first, _j, '_events')", "_pre = _pre_group"]
        else:
            pointer = "_edge_bounds"
            source = "_pre"
            lines = ["_pre = first + _j", *([] if split else ["_pre_group = _pre"])]
        setup = [symbols.address("@" + pointer[1:]), symbols.address("@partitions")]
        bounds = self._bound(source, 0, pointer), self._bound(source, 1, pointer)
        # The first edge gives the shift from edge to target; a source without edges has none.
        if self.variant.neighbours:
            # Counting targets, not loading them, lets LLVM vectorise the inner loop.
            shift = f"{symbols.index('@targets', '_begin')} - _begin if _begin < _end else 0"
            lines += [f"_begin, _end = {bounds[0]}, {bounds[1]}", f"_shift = {shift}"]
            bounds = "_begin", "_end"
            target = "_k + _shift"
        else:
            target = symbols.index("@targets", "_k")
        inner = ["_edge = _k", f"_post = {target}", *self._group_of_target()]
        if outer == "source" and split:
            inner.append(f"_pre_group = {symbols.index('@pre_of_edge', '_edge')}")
            setup.append(symbols.address("@pre_of_edge"))
        setup += [symbols.address("@targets"), *self._group_of_target_setup()]
        return _EdgeLoop(setup, lines, bounds, inner)

    def _group_of_target(self) -> list[str]:
        if self.variant.post_split:
            return [f"_post_group = {self.symbols.index('@post_of_edge', '_edge')}"]
        return ["_post_group = _post"]

    def _group_of_target_setup(self) -> list[str]:
        return [self.symbols.address("@post_of_edge")] if self.variant.post_split else []

    def _bound(self, group: str, further: int, bounds: str = "_pre_bounds") -> str:
        """Return where the edges of a delay group (or source) in this partition begin.

        ``further`` is 1 for where the next ones begin.
        """
        # Bounds of delay groups are many, and have 4 bytes (`plan.wiring.first_edges`).
        short = bounds == "_pre_bounds" and self.variant.pre_split
        load = "load_index" if short else "load_long"
        return f"{load}({bounds}, {group} * _partitions + partition + {further}, '_bounds')"

    # ---- statements

    def _statement(self, s: BoundStatement) -> list[str]:
        value = self.symbols.line(s.value, "_edge")
        if s.action == "compute":
            return [f"{s.target} = {value}"]
        if s.action == "assign":
            return [f"{local(s.target)} = {value}", *self.symbols.store(s.target, "_edge")]
        # In parentheses: the value is rounded before it is added, as on the reference engine.
        if not value.isidentifier():
            value = f"({value})"
        if s.action == "deliver":
            return [
                f"_at = {self.symbols.ring_of_edge()}",
                f"store(_at, _post, load(_at, _post, '_ring') + {value}, '_ring')",
            ]
        total = self.symbols.name(f"@sum_{s.target}")
        # States of cells belong to neurons, variables of a rule to their delay groups.
        at = f"_{s.side}" if s.action in CELL else f"_{s.side}_group"
        name = f"'sum_{s.target}'"
        # A mark beside the sum, since a sum of 0.0 may be due to edges that were active.
        mark = f"store_byte({self.symbols.name(f'@touched_{s.target}')}, {at}, 1, 'touched')"
        if s.action == "assign_cell":
            return [mark]
        return [f"store({total}, {at}, load({total}, {at}, {name}) + {value}, {name})", mark]

    def _per_edge(self, name: str, outer: Outer) -> bool:
        """Return whether a variable of the source is known per edge only, not per source."""
        symbol = self.symbols.symbols.get(name)
        late = outer == "source" and self.variant.pre_split
        return late and symbol is not None and symbol.role == "variable"

    def _values_at(self, read: set[str], side: str, outer: Outer) -> list[str]:
        if side == "pre":
            read = {n for n in read if not self._per_edge(n, outer)}
        return self.symbols.values_at(read, side)

    def _values_at_edge(self, read: set[str], outer: Outer) -> list[str]:
        late = {n for n in read if self._per_edge(n, outer)}
        return [*self.symbols.values_at(late, "pre"), *self.symbols.values_at(read, "edge")]

    # ---- deferred handlers

    def catch_up(self) -> list[str]:
        """Return the function that executes the deferred statements of the edges of events.

        If ``first`` is 0, all edges catch up, and new notes begin.
        """
        group = [
            s
            for trigger, statements in self.code.handlers
            if trigger == "post"
            for s in statements
            if s.side == "edge"
        ]
        read = self.symbols.names_read(group)
        # Expressions read the time of their event as `step`: here that of the deferred spike. If
        # the "pre" handler comes first, a post-spike of this step acts after it, and stays open.
        last = "now - 1" if _pre_first(self.code) else "now"
        setup = ["step = now", *self.symbols.prologue(read), *self._catch_up_setup(group)]
        lines = [
            "@kernel",
            "def catch_up(args, first, count, now, partition):",
            *indent([*dict.fromkeys(setup), "for _j in range(count):"]),
            *indent(self._catch_up_group(group), 2),
            *indent(self._catch_up_edge(group, read), 4),
            f"        caught_up(_notes, _pre_group, {last})",
            "    if first == 0:",
            "        forget(_notes)",
        ]
        return [*lines, "    return 0"]

    def _catch_up_setup(self, group: list[BoundStatement]) -> list[str]:
        symbols = self.symbols
        setup = self._edge_loop("pre", sources=True).setup
        setup += [symbols.address(entry) for entry in ("@targets", "@notes")]
        setup += [symbols.address(s.target) for s in group]
        return [
            *setup,
            "_edges = load_arg(_notes, NOTES.edges)",
            "_when = load_arg(_notes, NOTES.when)",
            "_first = load_long(load_arg(_notes, NOTES.first), 0, 'first')",
        ]

    def _catch_up_group(self, group: list[BoundStatement]) -> list[str]:
        """Return lines for one delay group, up to the loop over deferred events of its edges."""
        symbols = self.symbols
        split = self.variant.pre_split
        edges = "_pre_edges" if split else "0"
        targets = "@post_of_edge" if self.variant.post_split else "@targets"
        row = f"{edges}, {symbols.name(targets)}, {symbols.loader(targets)}"
        deferred = f"pending(_notes, _pre_group, _k, _stop, {row})"
        lines = [
            f"_pre_group = {_event('_j')}",
            f"_pre = {symbols.neuron_of_group('pre')}",
            f"_stop = {self._bound('_pre_group', 1)}",
        ]
        if not split:  # the edges lie together: prefetch those of the next group
            lines += self._prefetch(s.target for s in group)
        return [
            *lines,
            f"for _k in range({self._bound('_pre_group', 0)}, _stop, CHUNK):",
            f"    for _q in range({deferred} - 1, -1, -1):",  # earlier steps first
        ]

    def _prefetch(self, changed: Iterable[str]) -> list[str]:
        width = 2 if "@targets" in self.variant.short else 4
        size = self.symbols.precision.size
        return [
            "_next = _j + 1 if _j + 1 < count else _j",
            f"_next = {_event('_next')}",
            f"_from, _to = {self._bound('_next', 0)}, {self._bound('_next', 1)}",
            f"fetch_row(_targets, _from, _to, {width})",
            *(f"fetch_row(_at_{name}, _from, _to, {size})" for name in dict.fromkeys(changed)),
        ]

    def _catch_up_edge(self, group: list[BoundStatement], read: set[str]) -> list[str]:
        """Return lines for one edge and one spike that it has deferred."""
        symbols = self.symbols
        lines = [
            "_edge = load_index(_edges, _q, 'chosen')",
            "step = _first + load_index(_when, _q, 'when')",
            f"_post = {symbols.index('@targets', '_edge')}",
            *self._group_of_target(),
        ]
        if "t" in read:
            lines.append(symbols.precision.t)
        for side in ("pre", "post", "edge"):
            lines += symbols.values_at(read, side)
        for s in group:
            lines += self._statement(s)
        return lines

    # ---- neurons

    def _neurons(self, kernel: Kernel, group: list[BoundStatement]) -> list[str]:
        """Return the function of statements over the delay groups of one side."""
        side = kernel.over
        symbols = self.symbols
        read = symbols.names_read(group)
        setup = [*symbols.prologue(read), *self._targets_setup(group), *symbols.group_setup(side)]
        is_event = kernel.trigger == side
        # Handlers of other events run for all delay groups of the partition, which are neighbours.
        number = "load_index(first, _j, '_events')" if is_event else "first + _j"
        body = [
            f"_{side}_group = {number}",
            f"_{side} = {symbols.neuron_of_group(side)}",
            *symbols.values_at(read, side),
        ]
        for s in group:
            body.append(f"{local(s.target)} = {symbols.line(s.value, f'_{side}')}")
            if s.action == "assign":
                body += symbols.store(s.target, f"_{side}_group")
        return [
            *self._head(kernel.name),
            *indent([*dict.fromkeys(setup), "for _j in range(count):"]),
            *indent(body, 2),
            "    return 0",
        ]

    # ---- sums

    def fold_kernel(self, kernel: Kernel, variable: str) -> Kernel:
        """Return the kernel that adds the sums of a handler to a variable."""
        side = self.symbols.symbols[variable].side
        return Kernel(
            f"{kernel.name}_{variable}",
            kernel.trigger,
            "fold pre" if side == "pre" else "fold post",
        )

    def fold(self, kernel: Kernel, variable: str) -> list[str]:
        """Return the function that adds the sum over edges, once, if an edge was active."""
        symbols = self.symbols
        symbol = symbols.symbols[variable]
        side = symbol.side
        group = f"_{symbol.side}_group"
        # A closed form is applied up to now first, and its step is stored with the variable.
        read = {variable, *symbols.coefficients(variable)}
        total = symbols.name(f"@sum_{variable}")
        touched = symbols.name(f"@touched_{variable}")
        zero = symbols.precision.number(0.0)
        name = f"'sum_{variable}'"
        setup = [
            *symbols.prologue(read),
            symbols.address(variable),
            symbols.address(f"@sum_{variable}"),
            symbols.address(f"@touched_{variable}"),
            *symbols.group_setup(side),
        ]
        body = [
            f"_{side} = {symbols.neuron_of_group(side)}",
            *symbols.values_at(read, side),
            f"{local(variable)} = {local(variable)} + load({total}, {group}, {name})",
            *symbols.store(variable, group),
            f"store({total}, {group}, {zero}, {name})",
            f"store_byte({touched}, {group}, 0, 'touched')",
        ]
        return [
            *self._head(kernel.name),
            *indent([*dict.fromkeys(setup), "for _j in range(count):"]),
            f"        {group} = first + _j",
            f"        if load_byte({touched}, {group}, 'touched') != 0:",
            *indent(body, 3),
            "    return 0",
        ]

    # ---- states of cells

    def cell_kernels(self, kernel: Kernel, s: BoundStatement) -> list[tuple[Kernel, list[str]]]:
        """Return the functions that change a state of the neurons with an active edge.

        Values that are assigned are all computed before any is stored: they may read the state of
        other neurons by a link.
        """
        over: Over = "cell pre" if s.side == "pre" else "cell post"
        computed = Kernel(f"{kernel.name}_{s.target}_computed", kernel.trigger, over)
        assigned = Kernel(f"{kernel.name}_{s.target}_assigned", kernel.trigger, over)
        functions = [(assigned, self._assigned(assigned, s))]
        if s.action == "assign_cell":
            functions.insert(0, (computed, self._computed(computed, s)))
        return functions

    def _computed(self, kernel: Kernel, s: BoundStatement) -> list[str]:
        symbols = self.symbols
        side = s.side
        read = names(s.value)
        total = symbols.name(f"@sum_{s.target}")
        value = symbols.line(s.value, f"_{side}")
        body = [
            *symbols.values_at(read, side),
            f"store({total}, _{side}, {value}, 'sum_{s.target}')",
        ]
        return self._cell_loop(kernel, s, symbols.prologue(read), body)

    def _assigned(self, kernel: Kernel, s: BoundStatement) -> list[str]:
        symbols = self.symbols
        side = s.side
        total = symbols.name(f"@sum_{s.target}")
        touched = symbols.name(f"@touched_{s.target}")
        zero = symbols.precision.number(0.0)
        name = local(s.target)
        change = f"load({total}, _{side}, 'sum_{s.target}')"
        adds = s.action == "add_to_cell"
        # As in cells: x - x is 0 for finite numbers alone.
        store = [
            *symbols.store(s.target, f"_{side}"),
            f"_wrong = 1 if {name} - {name} != {zero} else _wrong",
        ]
        setup = [*symbols.prologue({s.target}), "_wrong = 0"]
        if s.frozen:
            setup.append(symbols.address(f"@until_{side}"))
            until = f"load_long({symbols.name(f'@until_{side}')}, _{side}, 'until')"
            store = [f"if step > {until}:", *indent(store)]
        body = [
            *(symbols.values_at({s.target}, side) if adds else []),
            f"{name} = {name} + {change}" if adds else f"{name} = {change}",
            *store,
            f"store({total}, _{side}, {zero}, 'sum_{s.target}')",
            f"store_byte({touched}, _{side}, 0, 'touched')",
        ]
        return [*self._cell_loop(kernel, s, setup, body)[:-1], "    return _wrong"]

    def _cell_loop(
        self,
        kernel: Kernel,
        s: BoundStatement,
        setup: list[str],
        body: list[str],
    ) -> list[str]:
        """Return a function over the neurons of one end that an edge has marked."""
        symbols = self.symbols
        side = s.side
        sums = [symbols.address(f"@{entry}_{s.target}") for entry in ("sum", "touched")]
        mark = f"load_byte({symbols.name(f'@touched_{s.target}')}, _{side}, 'touched')"
        return [
            *self._head(kernel.name),
            *indent([*dict.fromkeys([*setup, *sums]), "for _j in range(count):"]),
            f"        _{side} = first + _j",
            f"        if {mark} != 0:",
            *indent(body, 3),
            "    return 0",
        ]


def _pre_first(code: RuleProgram) -> bool:
    """Return whether an arriving spike acts before a post-spike of the same step."""
    triggers = [trigger for trigger, _ in code.handlers]
    return triggers.index("pre") < triggers.index("post")


def _event(number: str) -> str:
    """Return the delay group of an event, or of a number if all edges catch up."""
    return f"load_index(first, {number}, '_events') if first != 0 else {number}"
