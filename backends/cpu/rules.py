"""Prints the handlers of a rule: runs of statements over edges become one loop, statements over neurons another."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.binding import BoundStatement, Symbol
from neurosim.expr.tree import Draw, names
from neurosim.ir.program import RuleProgram

from .cells import row_number
from .printing import HEADER, Layout, indent, line, local


@dataclass(frozen=True)
class Shape:
    """What the printed source of a rule depends on besides its statements.

    pre_split, post_split : slots per (neuron, delay) instead of one per neuron
    indexed : the edges of a slot are listed (source slots that are split)
    dendritic : "none", "one" or "each"
    values : parameter or constant or cell symbol -> "one", "each", "row", "rows"
    links : symbol -> (shape, indexed, split decay) of what it reads
    """

    pre_split: bool
    post_split: bool
    dendritic: str
    values: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, tuple[str, bool, str | None]], ...]


@dataclass(frozen=True)
class Kernel:
    """A printed function: ``over`` says what it runs over: edges or slots of events (pre, post), or all of them."""

    name: str
    trigger: str
    over: str  # "edges", "pre", "post"


def print_rule(code: RuleProgram, shape: Shape) -> tuple[str, list[str], list[Kernel]]:
    """Return the source, the entries of its table, and its kernels in the order in which they run."""
    printer = _RulePrinter(code, shape)
    texts, kernels = [], []
    for number, (trigger, statements) in enumerate(code.handlers):
        for part, group in enumerate(groups(statements)):
            over = "edges" if group[0].kind != "assign" or group[0].side == "edge" else group[0].side
            kernel = Kernel(f"handler{number}_{part}", trigger, over)
            kernels.append(kernel)
            texts.append("\n".join(printer.edges(kernel, group) if over == "edges" else printer.neurons(kernel, group)))
            for variable in dict.fromkeys(s.target for s in group if s.kind == "sum"):
                fold = Kernel(f"{kernel.name}_{variable}", trigger, "fold " + printer.symbols[variable].side)
                kernels.append(fold)
                texts.append("\n".join(printer.fold(fold, variable)))
    body = [f'"""Rule {code.name!r}: its handlers, printed from its statements."""', "", HEADER, ""]
    return "\n".join(body) + "\n\n\n".join(texts) + "\n", printer.layout.entries, kernels


def groups(statements: tuple[BoundStatement, ...]) -> list[list[BoundStatement]]:
    """Split statements into runs that one loop can carry out, as if each were finished before the next began.

    Statements over edges may share a loop while none reads what an earlier one of the run adds to; statements over the neurons of
    one side touch nothing of other neurons.
    """
    found: list[list[BoundStatement]] = []
    for statement in statements:
        kind = "edge" if statement.kind != "assign" else statement.side
        if found:
            last = found[-1]
            same = kind == ("edge" if last[0].kind != "assign" else last[0].side)
            summed = {s.target for s in last if s.kind == "sum"}
            if same and not summed & (names(statement.value) | {statement.target}):
                last.append(statement)
                continue
        found.append([statement])
    return found


class _RulePrinter:
    def __init__(self, code: RuleProgram, shape: Shape) -> None:
        self.code, self.shape, self.layout = code, shape, Layout()
        self.symbols: dict[str, Symbol] = dict(code.symbols)
        self.values = dict(shape.values)
        self.links = dict(shape.links)
        self.layout.position("@dt")

    # ---- loops

    def edges(self, kernel: Kernel, group: list[BoundStatement]) -> list[str]:
        read = self._read(group)
        head = ["@kernel", f"def {kernel.name}(table, first, count, step, thread):", *indent(self._prologue(read))]
        setup = [self._address(entry) for entry in ("@targets", "@sources")]
        setup += [self._address(s.target) for s in group if s.kind == "assign"]
        setup += self._ring() if any(s.kind == "deliver" for s in group) else []
        for s in group:
            setup += [self._address(f"@sum_{s.target}"), self._address(f"@touched_{s.target}")] if s.kind == "sum" else []
        outer = {"pre": "pre", "post": "post"}.get(kernel.trigger, "row")
        loops, inner = self._edge_loops(outer)
        row = self._at_neuron(read, "pre" if outer != "post" else "post", outer)
        edge = [*self._at_neuron(read, "post" if outer != "post" else "pre", outer), *self._at_edge(read)]
        for s in group:
            edge += self._statement(s)
        lines = [*head, *indent([*dict.fromkeys(setup), loops[0]]), *indent([*loops[1:], *row], 2), *indent(inner[:1], 2), *indent([*inner[1:], *edge], 3)]
        return [*lines, "    return 0"]

    def neurons(self, kernel: Kernel, group: list[BoundStatement]) -> list[str]:
        side = kernel.over
        read = self._read(group)
        head = ["@kernel", f"def {kernel.name}(table, first, count, step, thread):", *indent(self._prologue(read))]
        setup = [self._address(s.target) for s in group]
        setup += [self._address(f"@{side}_neuron")] if self._split(side) else []
        event = kernel.trigger == side
        loop = ["for _j in range(count):", f"    _{side}_slot = load_index(first, _j, '_events')" if event else f"    _{side}_slot = first + _j"]
        body = [f"_{side} = {self._neuron_of_slot(side)}", *self._values_at(read, side)]
        for s in group:
            body += [f"{local(s.target)} = {line(s.value, lambda d: self._draw(d, f'_{side}'))}", *self._store(s.target, f"_{side}_slot")]
        return [*head, *indent([*dict.fromkeys(setup), loop[0]]), *indent(loop[1:]), *indent(body, 2), "    return 0"]

    def fold(self, kernel: Kernel, variable: str) -> list[str]:
        """Add what edges summed up, once, where there was an active edge."""
        side = self.symbols[variable].side
        read = {variable, *filter(None, [self.symbols[variable].decay])}
        head = ["@kernel", f"def {kernel.name}(table, first, count, step, thread):", *indent(self._prologue(read))]
        setup = [self._address(variable), self._address(f"@sum_{variable}"), self._address(f"@touched_{variable}")]
        setup += [self._address(f"@{side}_neuron")] if self._split(side) else []
        body = [f"_{side}_slot = first + _j", f"if load_byte({self._name(f'@touched_{variable}')}, _{side}_slot, 'touched') != 0:"]
        inside = [f"_{side} = {self._neuron_of_slot(side)}", *self._values_at(read, side),
                  f"{local(variable)} = {local(variable)} + load({self._name(f'@sum_{variable}')}, _{side}_slot, 'sum_{variable}')",
                  *self._store(variable, f"_{side}_slot"),
                  f"store({self._name(f'@sum_{variable}')}, _{side}_slot, 0.0, 'sum_{variable}')",
                  f"store_byte({self._name(f'@touched_{variable}')}, _{side}_slot, 0, 'touched')"]
        return [*head, *indent([*setup, "for _j in range(count):"]), *indent(body, 2), *indent(inside, 3), "    return 0"]

    def _read(self, group: list[BoundStatement]) -> set[str]:
        """Names that statements read, time constants of decaying variables included."""
        read = set().union(*(names(s.value) for s in group)) | {s.target for s in group if s.kind == "assign"}
        return read | {self.symbols[n].decay for n in read if n in self.symbols and self.symbols[n].decay}

    def _edge_loops(self, outer: str) -> tuple[list[str], list[str]]:
        """Lines of the outer loop (slots or rows) and of the inner one (edges of this thread)."""
        if outer == "post":
            head = [self._entry("@post_pointer"), self._entry("@post_edges")]
            slot = "load_index(first, _j, '_events')"
            bounds = ("load_long(_post_pointer, _post_slot, '_pointer')", "load_long(_post_pointer, _post_slot + 1, '_pointer')")
            neuron = f"_post = {self._neuron_of_slot('post')}"
            edge = ["_edge = load_index(_post_edges, _k, '_edges')", "_pre = load_index(_sources, _edge, '_sources')"]
            edge += ["_pre_slot = load_index(_pre_of_edge, _edge, '_of_edge')" if self.shape.pre_split else "_pre_slot = _pre"]
            self._prologue_extra = [*head, *([self._entry("@pre_of_edge")] if self.shape.pre_split else []), *self._slot_setup("post")]
            return self._loops("_post_slot", slot, bounds, neuron, edge)
        split = outer == "pre" and self.shape.pre_split
        pointer = "_pre_bounds" if outer == "pre" else "_edge_bounds"
        head = [self._entry("@" + pointer[1:]), "_stride = load_long(table, " + str(self.layout.position("@threads")) + ", 'table') + 1"]
        slot = "load_index(first, _j, '_events')" if outer == "pre" else "first + _j"
        name = "_pre_slot" if outer == "pre" else "_pre"
        bounds = (f"load_long({pointer}, {name} * _stride + thread, '_bounds')", f"load_long({pointer}, {name} * _stride + thread + 1, '_bounds')")
        neuron = f"_pre = {self._neuron_of_slot('pre')}" if outer == "pre" else "_pre_slot = _pre" if not self.shape.pre_split else "pass"
        edge = ["_edge = load_index(_pre_edges, _k, '_edges')" if split else "_edge = _k", "_post = load_index(_targets, _edge, '_targets')"]
        edge += ["_post_slot = load_index(_post_of_edge, _edge, '_of_edge')" if self.shape.post_split else "_post_slot = _post"]
        if outer == "row" and self.shape.pre_split:
            edge.append("_pre_slot = load_index(_pre_of_edge, _edge, '_of_edge')")
            head.append(self._entry("@pre_of_edge"))
        head += [self._entry("@pre_edges")] if split else []
        head += [self._entry("@post_of_edge")] if self.shape.post_split else []
        self._prologue_extra = [*head, *(self._slot_setup("pre") if outer == "pre" else [])]
        return self._loops(name, slot, bounds, neuron, edge)

    def _loops(self, name: str, slot: str, bounds: tuple[str, str], neuron: str, edge: list[str]) -> tuple[list[str], list[str]]:
        setup = "\n    ".join([*self._prologue_extra, "for _j in range(count):"])
        return [setup, f"{name} = {slot}", neuron], [f"for _k in range({bounds[0]}, {bounds[1]}):", *edge]

    def _slot_setup(self, side: str) -> list[str]:
        return [self._entry(f"@{side}_neuron")] if self._split(side) else []

    # ---- statements

    def _statement(self, s: BoundStatement) -> list[str]:
        value = line(s.value, lambda d: self._draw(d, "_edge"))
        if s.kind == "assign":
            return [f"{local(s.target)} = {value}", *self._store(s.target, "_edge")]
        if s.kind == "deliver":
            at = "_ring" if self.shape.dendritic != "each" else (
                "_ring + 8 * _ring_size * ((step + load_index(_dendritic, _edge, '_dendritic')) % _ring_slots)")
            return [f"_at = {at}", f"store(_at, _post, load(_at, _post, '_ring') + {_bracketed(value)}, '_ring')"]
        total, slot = self._name(f"@sum_{s.target}"), f"_{s.side}_slot"
        return [f"store({total}, {slot}, load({total}, {slot}, 'sum_{s.target}') + {_bracketed(value)}, 'sum_{s.target}')",
                f"store_byte({self._name(f'@touched_{s.target}')}, {slot}, 1, 'touched')"]

    def _store(self, name: str, index: str) -> list[str]:
        lines = [f"store(_at_{name}, {index}, {local(name)}, {name!r})"]
        if self.symbols[name].decay:
            lines.append(f"store_long(_last_{name}, {index}, step, '{name}@last')")
        return lines

    def _ring(self) -> list[str]:
        lines = [self._entry("@ring", "_ring")]
        if self.shape.dendritic != "none":
            lines += [f"_ring_size = load_long(table, {self.layout.position('@ring_size')}, 'table')",
                      f"_ring_slots = load_long(table, {self.layout.position('@ring_slots')}, 'table')"]
        if self.shape.dendritic == "one":
            lines.append(f"_ring += 8 * _ring_size * ((step + load_long(table, {self.layout.position('@dendritic')}, 'table')) % _ring_slots)")
        if self.shape.dendritic == "each":
            lines.append(self._entry("@dendritic_each", "_dendritic"))
        return lines

    def _draw(self, draw: Draw, index: str) -> str:
        key = f"load_long(table, {self.layout.position(f'@key{draw.key}')}, 'table'), load_long(table, {self.layout.position(f'@key{draw.key}b')}, 'table')"
        replica = f"load_long(table, {self.layout.position('@replica')}, 'table')"
        return f"{'uniform_at' if draw.kind == 'uniform' else 'normal_at'}({key}, {index}, step, {replica})"

    # ---- values

    def _prologue(self, read: set[str]) -> list[str]:
        """Addresses of all that is read, and the values that are the same everywhere."""
        made = []
        if read & {"t", "dt"} or any(self.symbols[n].decay for n in read if n in self.symbols) or any(self.links[n][2] for n in read if n in self.links):
            made.append("dt = load(load_long(table, 0, 'table'), 0, 'dt')")
        if "t" in read:
            made.append("t = step * dt")
        for end in ("N_pre", "N_post"):
            if end in read:
                made.append(f"{end} = float(load_long(table, {self.layout.position('@' + end)}, 'table'))")
        for name in sorted(read):
            made += self._declare(name)
        return made

    def _declare(self, name: str) -> list[str]:
        symbol = self.symbols.get(name)
        if symbol is not None and symbol.kind == "word" or name in ("t", "dt") or name.startswith("@link"):
            return []
        if symbol is not None and symbol.kind == "variable":
            return [self._address(name), *([f"_last_{name} = load_long(table, {self.layout.position(f'{name}@last')}, 'table')"] if symbol.decay else [])]
        lines = [self._address(name)]
        shape, _, decay = self.links.get(name, (self.values.get(name, "one"), False, None))
        if shape in ("row", "rows"):
            lines += row_number(name, self.layout)
            if shape == "rows":
                lines.append(f"_at_{name} += 8 * _row_{name} * load_long(table, {self.layout.position(f'{name}@size')}, 'table')")
        if decay:
            lines.append(f"_last_{name} = load_long(table, {self.layout.position(f'{name}@last')}, 'table')")
            lines.append(f"_tau_{name} = load_long(table, {self.layout.position(f'{name}@tau')}, 'table')")
        if name in self.links and self.links[name][1]:
            lines.append(f"_index_{name} = load_long(table, {self.layout.position(f'{name}@index')}, 'table')")
        if self._everywhere(name):
            lines.append(f"{local(name)} = {self._value(name)}")
        return lines

    def _everywhere(self, name: str) -> bool:
        symbol = self.symbols.get(name)
        if name in self.links:
            return symbol.side == "one"
        return symbol is None or symbol.side == "one" or self.values.get(name) in ("one", "row") and symbol.kind == "cell"

    def _at_neuron(self, read: set[str], side: str, outer: str) -> list[str]:
        """Values at one end; where slots are split and the slot is known per edge only, variables wait for the edge."""
        late = outer == "row" and side == "pre" and self.shape.pre_split
        return self._values_at({n for n in read if not (late and self.symbols.get(n) and self.symbols[n].kind == "variable")}, side)

    def _at_edge(self, read: set[str]) -> list[str]:
        lines = self._values_at(read, "edge")
        if self.shape.pre_split:  # in loops over rows; elsewhere the value is there already and is read again
            lines = self._values_at({n for n in read if n in self.symbols and self.symbols[n].kind == "variable"}, "pre") + lines
        return lines

    def _values_at(self, read: set[str], side: str) -> list[str]:
        lines = []
        if f"i_{side}" in read:
            lines.append(f"i_{side} = float(_{side})")
        here = [s for n, s in self.symbols.items() if n in read and s.side == side and s.kind != "word" and not self._everywhere(n)]
        for symbol in sorted(here, key=lambda s: (s.kind == "variable", s.name)):  # time constants before what decays with them
            lines.append(f"{local(symbol.name)} = {self._value(symbol.name)}")
        return lines

    def _value(self, name: str) -> str:
        symbol = self.symbols.get(name)
        index = "0" if symbol is None or symbol.side == "one" else "_edge" if symbol.side == "edge" else f"_{symbol.side}"
        if name in self.links:
            shape, indexed, decay = self.links[name]
            if indexed:
                index = f"load_index(_index_{name}, {index}, '{name}@index')"
            if shape == "one":
                index = "0"
            if shape == "row":
                index = f"_row_{name}"
            value = f"load(_at_{name}, {index}, {name!r})"
            if decay:
                tau = f"load(_tau_{name}, {index if decay == 'each' else '0'}, '{name}@tau')"
                value += f" * exp(-(float(step - load_long(_last_{name}, {index}, '{name}@last')) * dt) / {tau})"
            return value
        if symbol is not None and symbol.kind == "variable":
            index = f"_{symbol.side}_slot" if symbol.side != "edge" else "_edge"
            value = f"load(_at_{name}, {index}, {name!r})"
            since = f"float(step - load_long(_last_{name}, {index}, '{name}@last')) * dt"
            return f"{value} * exp(-({since}) / {local(symbol.decay)})" if symbol.decay else value
        shape = self.values.get(name, "one")
        if shape == "one":
            index = "0"
        if shape == "row":
            index = f"_row_{name}"
        return f"load(_at_{name}, {index}, {name!r})"

    # ---- the table

    def _address(self, entry: str) -> str:
        return self._entry(entry, self._name(entry))

    def _name(self, entry: str) -> str:
        return f"_{entry[1:]}" if entry.startswith("@") else f"_at_{entry}"

    def _entry(self, entry: str, name: str | None = None) -> str:
        return f"{name or '_' + entry[1:]} = load_long(table, {self.layout.position(entry)}, 'table')"

    def _split(self, side: str) -> bool:
        return self.shape.pre_split if side == "pre" else self.shape.post_split

    def _neuron_of_slot(self, side: str) -> str:
        return f"load_index(_{side}_neuron, _{side}_slot, '_neuron')" if self._split(side) else f"_{side}_slot"


def _bracketed(value: str) -> str:
    return value if value.isidentifier() else f"({value})"
