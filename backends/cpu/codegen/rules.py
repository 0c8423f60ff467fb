"""Prints the handlers of a rule: runs of statements over edges become one loop, statements over neurons another."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.expr.tree import names
from neurosim.ir.program import RuleProgram
from neurosim.model.binding import BoundStatement

from .printing import indent, local
from .symbols import Names, Shape


@dataclass(frozen=True)
class Kernel:
    """A printed function: ``over`` says what it runs over: edges or slots of events (pre, post), or all of them."""

    name: str
    trigger: str
    over: str  # "edges", "pre", "post"; "fold pre", "fold post"; "notes": a kernel of `neurosim.backends.cpu.kernels.deferral`


def print_rule(code: RuleProgram, shape: Shape) -> tuple[str, list[str], list[Kernel]]:
    """Return the source, the entries of its table, and its kernels in the order in which they run."""
    printer = _RulePrinter(code, shape)
    texts, kernels = [], []
    for number, (trigger, statements) in enumerate(code.handlers):
        if shape.deferred and trigger == "pre":
            kernels.append(Kernel("catch_up", trigger, "edges"))
            texts.append("\n".join(printer.catch_up()))
        if shape.deferred and trigger == "post":
            kernels.append(Kernel("note", trigger, "notes"))
            statements = tuple(s for s in statements if s.side != "edge")
        for part, group in enumerate(groups(statements)):
            over = (
                "edges" if group[0].action != "assign" or group[0].side == "edge" else group[0].side
            )
            kernel = Kernel(f"handler{number}_{part}", trigger, over)
            kernels.append(kernel)
            texts.append(
                "\n".join(
                    printer.edges(kernel, group)
                    if over == "edges"
                    else printer.neurons(kernel, group)
                )
            )
            for variable in dict.fromkeys(s.target for s in group if s.action == "sum"):
                fold = Kernel(
                    f"{kernel.name}_{variable}", trigger, "fold " + printer.symbols[variable].side
                )
                kernels.append(fold)
                texts.append("\n".join(printer.fold(fold, variable)))
    body = [
        f'"""Rule {code.name!r}: its handlers, printed from its statements."""',
        "",
        shape.precision.header,
        "",
    ]
    return "\n".join(body) + "\n\n\n".join(texts) + "\n", printer.names.layout.entries, kernels


def groups(statements: tuple[BoundStatement, ...]) -> list[list[BoundStatement]]:
    """Split statements into runs that one loop can carry out, as if each were finished before the next began.

    Statements over edges may share a loop while none reads what an earlier one of the run adds to; statements over the neurons of
    one side touch nothing of other neurons.
    """
    found: list[list[BoundStatement]] = []
    for statement in statements:
        kind = "edge" if statement.action != "assign" else statement.side
        if found:
            last = found[-1]
            same = kind == ("edge" if last[0].action != "assign" else last[0].side)
            summed = {s.target for s in last if s.action == "sum"}
            if same and not summed & (names(statement.value) | {statement.target}):
                last.append(statement)
                continue
        found.append([statement])
    return found


class _RulePrinter:
    def __init__(self, code: RuleProgram, shape: Shape) -> None:
        self.code, self.shape, self.names = code, shape, Names(code, shape)
        self.symbols = self.names.symbols

    # ---- loops

    def edges(self, kernel: Kernel, group: list[BoundStatement]) -> list[str]:
        read = self.names.read(group)
        head = [
            "@kernel",
            f"def {kernel.name}(table, first, count, step, thread):",
            *indent(self.names.prologue(read)),
        ]
        setup = [self.names.address(s.target) for s in group if s.action == "assign"]
        setup += self.names.ring() if any(s.action == "deliver" for s in group) else []
        for s in group:
            setup += (
                [self.names.address(f"@sum_{s.target}"), self.names.address(f"@touched_{s.target}")]
                if s.action == "sum"
                else []
            )
        outer = {"pre": "pre", "post": "post"}.get(kernel.trigger, "row")
        known = [self.symbols[n] for n in read if n in self.symbols]
        prologue, outside, inner = self._edge_loops(
            outer, any(s.side == "pre" and s.role != "variable" for s in known)
        )
        row = self._at_neuron(read, "pre" if outer != "post" else "post", outer)
        edge = [
            *self._at_neuron(read, "post" if outer != "post" else "pre", outer),
            *self._at_edge(read, outer),
        ]
        for s in group:
            edge += self._statement(s)
        lines = [
            *head,
            *indent([*dict.fromkeys([*setup, *prologue]), "for _j in range(count):"]),
            *indent([*outside, *row, inner[0]], 2),
        ]
        return [*lines, *indent([*inner[1:], *edge], 3), "    return 0"]

    def catch_up(self) -> list[str]:
        """What edges of the sources of events (``first`` is 0: of all sources, for good) have put off."""
        group = [
            s
            for trigger, statements in self.code.handlers
            if trigger == "post"
            for s in statements
            if s.side == "edge"
        ]
        read = self.names.read(group)
        head = [
            "@kernel",
            "def catch_up(table, first, count, now, thread):",
            "    step = now",
            *indent(self.names.prologue(read)),
        ]
        prologue, *_ = self._edge_loops("pre", True)
        setup = [self.names.address(entry) for entry in ("@targets", "@notes")] + [
            self.names.address(s.target) for s in group
        ]
        setup += [f"_{part.lower()} = load_long(_notes, {part}, 't')" for part in ("EDGES", "WHEN")]
        setup += [
            "_first = load_long(load_long(_notes, FIRST, 't'), 0, 'first')",
            "for _j in range(count):",
        ]
        edges, slots = (
            "_pre_edges" if self.shape.pre_split else "0",
            "@post_of_edge" if self.shape.post_split else "@targets",
        )
        noted = f"{edges}, {self.names.name(slots)}, {self.names.loader(slots)}"
        row = [
            f"_pre_slot = {_event('_j')}",
            f"_pre = {self.names.neuron_of_slot('pre')}",
            f"_stop = {self._bound('_pre_slot', 1)}",
        ]
        if not self.shape.pre_split:  # of a row that lies together, bring the next one nearer
            size, changed = self.names.precision.size, dict.fromkeys(s.target for s in group)
            width = 2 if "@targets" in self.shape.narrow else 4
            row += [
                "_next = _j + 1 if _j + 1 < count else _j",
                f"_next = {_event('_next')}",
                f"_from, _to = {self._bound('_next', 0)}, {self._bound('_next', 1)}",
                f"fetch_row(_targets, _from, _to, {width})",
                *(f"fetch_row(_at_{name}, _from, _to, {size})" for name in changed),
            ]
        row += [
            f"for _k in range({self._bound('_pre_slot', 0)}, _stop, CHUNK):",
            f"    for _q in range(pending(_notes, _pre_slot, _k, _stop, {noted}) - 1, -1, -1):",
        ]
        edge = [
            "_edge = load_index(_edges, _q, 'chosen')",
            "step = _first + load_index(_when, _q, 'when')",
            f"_post = {self.names.index('@targets', '_edge')}",
            f"_post_slot = {self.names.index('@post_of_edge', '_edge') if self.shape.post_split else '_post'}",
        ]
        edge += [self.names.precision.t] if "t" in read else []
        edge += [
            *self.names.values_at(read, "pre"),
            *self.names.values_at(read, "post"),
            *self.names.values_at(read, "edge"),
        ]
        for s in group:
            edge += self._statement(s)
        lines = [
            *head,
            *indent([*dict.fromkeys([*prologue, *setup])]),
            *indent(row, 2),
            *indent(edge, 4),
        ]
        lines += [
            f"        caught_up(_notes, _pre_slot, now{' - 1' if _pre_first(self.code) else ''})",
            "    if first == 0:",
            "        forget(_notes)",
        ]
        return [*lines, "    return 0"]

    def neurons(self, kernel: Kernel, group: list[BoundStatement]) -> list[str]:
        side = kernel.over
        read = self.names.read(group)
        head = [
            "@kernel",
            f"def {kernel.name}(table, first, count, step, thread):",
            *indent(self.names.prologue(read)),
        ]
        setup = [self.names.address(s.target) for s in group]
        setup += [self.names.address(f"@{side}_neuron")] if self.names.split(side) else []
        event = kernel.trigger == side
        loop = [
            "for _j in range(count):",
            f"    _{side}_slot = load_index(first, _j, '_events')"
            if event
            else f"    _{side}_slot = first + _j",
        ]
        body = [f"_{side} = {self.names.neuron_of_slot(side)}", *self.names.values_at(read, side)]
        for s in group:
            body += [
                f"{local(s.target)} = {self.names.line(s.value, f'_{side}')}",
                *self.names.store(s.target, f"_{side}_slot"),
            ]
        return [
            *head,
            *indent([*dict.fromkeys(setup), loop[0]]),
            *indent(loop[1:]),
            *indent(body, 2),
            "    return 0",
        ]

    def fold(self, kernel: Kernel, variable: str) -> list[str]:
        """Add what edges summed up, once, where there was an active edge."""
        side = self.symbols[variable].side
        read = {variable, *filter(None, [self.symbols[variable].decay])}
        head = [
            "@kernel",
            f"def {kernel.name}(table, first, count, step, thread):",
            *indent(self.names.prologue(read)),
        ]
        setup = [
            self.names.address(variable),
            self.names.address(f"@sum_{variable}"),
            self.names.address(f"@touched_{variable}"),
        ]
        setup += [self.names.address(f"@{side}_neuron")] if self.names.split(side) else []
        body = [
            f"_{side}_slot = first + _j",
            f"if load_byte({self.names.name(f'@touched_{variable}')}, _{side}_slot, 'touched') != 0:",
        ]
        inside = [
            f"_{side} = {self.names.neuron_of_slot(side)}",
            *self.names.values_at(read, side),
            f"{local(variable)} = {local(variable)} + load({self.names.name(f'@sum_{variable}')}, _{side}_slot, 'sum_{variable}')",
            *self.names.store(variable, f"_{side}_slot"),
            f"store({self.names.name(f'@sum_{variable}')}, _{side}_slot, {self.names.precision.number(0.0)}, 'sum_{variable}')",
            f"store_byte({self.names.name(f'@touched_{variable}')}, _{side}_slot, 0, 'touched')",
        ]
        return [
            *head,
            *indent([*setup, "for _j in range(count):"]),
            *indent(body, 2),
            *indent(inside, 3),
            "    return 0",
        ]

    def _edge_loops(self, outer: str, whole: bool) -> tuple[list[str], list[str], list[str]]:
        """Lines before the loops, in the outer one (slots or rows) and of the inner one (edges of this part).

        ``whole``: more than variables of the source is read.
        """
        if outer == "post":
            head = [self.names.entry("@post_pointer"), self.names.entry("@post_edges")]
            slot = "load_index(first, _j, '_events')"
            bounds = (
                "load_long(_post_pointer, _post_slot, '_pointer')",
                "load_long(_post_pointer, _post_slot + 1, '_pointer')",
            )
            neuron = [f"_post = {self.names.neuron_of_slot('post')}"]
            edge = ["_edge = load_index(_post_edges, _k, '_edges')"]
            if self.shape.pre_split:
                head.append(self.names.entry("@post_pre_slots"))
                edge.append(f"_pre_slot = {self.names.index('@post_pre_slots', '_k')}")
            if whole or not self.shape.pre_split:
                head.append(self.names.entry("@post_sources"))
                edge.append(f"_pre = {self.names.index('@post_sources', '_k')}")
            edge += [] if self.shape.pre_split else ["_pre_slot = _pre"]
            return (
                [*head, *self.names.slot_setup("post")],
                [f"_post_slot = {slot}", *neuron],
                _inner(bounds, edge),
            )
        split = outer == "pre" and self.shape.pre_split
        pointer = "_pre_bounds" if outer == "pre" else "_edge_bounds"
        head = [self.names.entry("@" + pointer[1:]), self.names.entry("@threads")]
        slot = "load_index(first, _j, '_events')" if outer == "pre" else "first + _j"
        name = "_pre_slot" if outer == "pre" else "_pre"
        bounds = self._bound(name, 0, pointer), self._bound(name, 1, pointer)
        neuron = [
            f"_pre = {self.names.neuron_of_slot('pre')}"
            if outer == "pre"
            else "_pre_slot = _pre"
            if not self.shape.pre_split
            else "pass"
        ]
        near = self.shape.neighbours and not split
        if near:
            neuron += [
                f"_begin, _end = {bounds[0]}, {bounds[1]}",
                f"_shift = {self.names.index('@targets', '_begin')} - _begin if _begin < _end else 0",
            ]
            bounds = "_begin", "_end"
        edge = [
            "_edge = load_index(_pre_edges, _k, '_edges')" if split else "_edge = _k",
            "_post = _k + _shift"
            if near
            else f"_post = {self.names.index('@pre_targets' if split else '@targets', '_k')}",
        ]
        edge += [
            f"_post_slot = {self.names.index('@post_of_edge', '_edge')}"
            if self.shape.post_split
            else "_post_slot = _post"
        ]
        if outer == "row" and self.shape.pre_split:
            edge.append(f"_pre_slot = {self.names.index('@pre_of_edge', '_edge')}")
            head.append(self.names.entry("@pre_of_edge"))
        head += (
            [self.names.entry("@pre_edges"), self.names.entry("@pre_targets")]
            if split
            else [self.names.entry("@targets")]
        )
        head += [self.names.entry("@post_of_edge")] if self.shape.post_split else []
        return (
            [*head, *(self.names.slot_setup("pre") if outer == "pre" else [])],
            [f"{name} = {slot}", *neuron],
            _inner(bounds, edge),
        )

    def _bound(self, slot: str, further: int, bounds: str = "_pre_bounds") -> str:
        """Where a slot's (source's) edges in this thread begin, and where the next begin."""
        kind = "load_index" if bounds == "_pre_bounds" and self.shape.pre_split else "load_long"
        return f"{kind}({bounds}, {slot} * _threads + thread + {further}, '_bounds')"

    # ---- statements

    def _statement(self, s: BoundStatement) -> list[str]:
        value = self.names.line(s.value, "_edge")
        if s.action == "assign":
            return [f"{local(s.target)} = {value}", *self.names.store(s.target, "_edge")]
        if s.action == "deliver":
            at = (
                "_ring"
                if self.shape.dendritic != "each"
                else (
                    f"_ring + {self.names.precision.size} * _ring_size * ((step + load_index(_dendritic, _edge, '_dendritic')) % _ring_slots)"
                )
            )
            return [
                f"_at = {at}",
                f"store(_at, _post, load(_at, _post, '_ring') + {_bracketed(value)}, '_ring')",
            ]
        total, slot = self.names.name(f"@sum_{s.target}"), f"_{s.side}_slot"
        return [
            f"store({total}, {slot}, load({total}, {slot}, 'sum_{s.target}') + {_bracketed(value)}, 'sum_{s.target}')",
            f"store_byte({self.names.name(f'@touched_{s.target}')}, {slot}, 1, 'touched')",
        ]

    def _at_neuron(self, read: set[str], side: str, outer: str) -> list[str]:
        """Values at one end; where slots are split and the slot is known per edge only, variables wait for the edge."""
        late = outer == "row" and side == "pre" and self.shape.pre_split
        return self.names.values_at(
            {
                n
                for n in read
                if not (late and self.symbols.get(n) and self.symbols[n].role == "variable")
            },
            side,
        )

    def _at_edge(self, read: set[str], outer: str) -> list[str]:
        lines = self.names.values_at(read, "edge")
        if outer == "row" and self.shape.pre_split:
            lines = (
                self.names.values_at(
                    {n for n in read if n in self.symbols and self.symbols[n].role == "variable"},
                    "pre",
                )
                + lines
            )
        return lines


def _pre_first(code: RuleProgram) -> bool:
    """Whether an arriving spike acts before a post-spike of the same step."""
    triggers = [trigger for trigger, _ in code.handlers]
    return triggers.index("pre") < triggers.index("post")


def _event(number: str) -> str:
    return f"load_index(first, {number}, '_events') if first != 0 else {number}"


def _inner(bounds: tuple[str, str], edge: list[str]) -> list[str]:
    return [f"for _k in range({bounds[0]}, {bounds[1]}):", *edge]


def _bracketed(value: str) -> str:
    return value if value.isidentifier() else f"({value})"
