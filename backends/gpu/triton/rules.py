"""Prints the statements of a rule as kernels over edges, or over the delay groups of one side.

Neighbouring statements of one domain share a kernel. A kernel ends with a sum over edges: it writes
the terms, and a fold of `kernels` adds them up in their order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from neurosim.expr.printing import docstring
from neurosim.expr.tree import Draw, Expr, Name, draws, names
from neurosim.ir.program import PlasticProjection, Program
from neurosim.model.binding import BoundStatement, Symbol
from neurosim.model.names import Domain

from .printing import Arguments, Key, indent, line, local

# Arguments that every kernel of a rule takes: the clock, the keys of its draws, and the number of
# lanes.
FIRST = ("_clock", "_keys", "_count")


@dataclass(frozen=True)
class Segment:
    """Statements that run in one kernel.

    Attributes
    ----------
    side : Domain
        The lanes: edges, or the delay groups of "pre" or "post".
    trigger : str
    statements : tuple of BoundStatement
        They assign or compute.
    sum : BoundStatement or None
        What is summed over edges afterwards, or assigned to the neurons at one end of them.
    """

    side: Domain
    trigger: str
    statements: tuple[BoundStatement, ...]
    sum: BoundStatement | None


def segments(trigger: str, statements: Iterable[BoundStatement]) -> list[Segment]:
    """Cut statements into parts that run one after the other.

    Parameters
    ----------
    trigger : str
        Of the handler; "step" for equations.
    statements : iterable of BoundStatement
    """
    result: list[Segment] = []
    group: list[BoundStatement] = []

    def close(side: Domain, sum_: BoundStatement | None = None) -> None:
        if group or sum_ is not None:
            result.append(Segment(side, trigger, tuple(group), sum_))
            group.clear()

    for statement in statements:
        if statement.action not in ("assign", "compute"):
            if group and (group[0].side != "edge" or statement.action == "assign_cell"):
                close(group[0].side)
            close("edge", statement)
            continue
        if group and group[0].side != statement.side:
            close(group[0].side)
        group.append(statement)
    if group:
        close(group[0].side)
    return result


class RulePrinter:
    """Prints the kernels of a projection.

    Parameters
    ----------
    program : Program
    projection : PlasticProjection
    single : bool
        Whether numbers are float32.
    """

    def __init__(self, program: Program, projection: PlasticProjection, *, single: bool) -> None:
        self.program = program
        self.projection = projection
        self.single = single
        everything = list(projection.code.integrate)
        for _, statements in projection.code.handlers:
            everything += statements
        occurring = set[Draw]()
        for statement in everything:
            occurring |= draws(statement.value)
        # Draws of all handlers, since one array of keys serves all kernels of the projection.
        # The keys of draws stand in this order in memory.
        self.draws = sorted(occurring, key=lambda draw: draw.key)

    def print_segment(self, segment: Segment, *, out: str) -> tuple[str, Arguments]:
        """Return the source of kernel ``run`` and its arguments.

        Parameters
        ----------
        segment : Segment
        out : str
            Name of the array of the terms of a sum.
        """
        self._begin(segment.side)
        lines = self._active(segment)
        trees = [statement.value for statement in segment.statements]
        if segment.sum is not None:
            trees.append(segment.sum.value)
        computed = set()
        assigned: dict[str, None] = {}
        for statement in segment.statements:
            if statement.action == "compute":
                computed.add(statement.target)
            elif statement.action == "assign":
                assigned[statement.target] = None
        # What the kernel computes itself is in registers, and in no array.
        read = set().union(*map(names, trees)) - computed
        lines += self._loads(read)
        lines += self._draws(trees)
        for statement in segment.statements:
            lines.append(f"{local(statement.target)} = {self._line(statement.value)}")
        # Stored once at the end: statements read each other's values from registers.
        for name in assigned:
            lines += self._store(name)
        if segment.sum is not None:
            address = self.arguments.row(out, (self.projection.name, out))
            term = self._line(segment.sum.value)
            lines.append(f"tl.store({address} + _n, {term}, mask=_lanes)")
        return self._kernel(lines)

    def print_addition(self, name: str, *, totals: str, reached: str) -> tuple[str, Arguments]:
        """Return the kernel ``run`` that adds sums to a variable of one side, and its arguments.

        Parameters
        ----------
        name : str
            Of the variable.
        totals, reached : str
            Names of the arrays of the sums, and of marks: others are not assigned.
        """
        self._begin(self.projection.symbols[name].side)
        mark = self.arguments.row("_reached", (self.projection.name, reached))
        lines = [
            *self._setup(),
            f"_lanes = _lanes & (tl.load({mark} + _n, mask=_lanes, other=0) != 0)",
            *self._loads({name}),
        ]
        address = self.arguments.row("_totals", (self.projection.name, totals))
        total = f"tl.load({address} + _n, mask=_lanes)"
        # One sum from 0 is added to the variable: so all engines round alike.
        lines += [f"{local(name)} = {local(name)} + {total}", *self._store(name)]
        return self._kernel(lines)

    def print_change(
        self, statement: BoundStatement, *, totals: str, reached: str
    ) -> tuple[str, Arguments]:
        """Return the kernel ``run`` that changes a state of the cells at one end of edges.

        Parameters
        ----------
        statement : BoundStatement
        totals, reached : str
            Names of the arrays of sums over edges, and of marks of the neurons that have some.
        """
        side = statement.side
        name = statement.target
        self._begin(side)
        # The lanes are the neurons themselves, not their delay groups.
        self._indices[f"_{side}"] = "_n"
        mark = self.arguments.row("_reached", (self.projection.name, reached))
        lines = [
            *self._setup(),
            f"_lanes = _lanes & (tl.load({mark} + _n, mask=_lanes, other=0) != 0)",
        ]
        owner = self.projection.source if side == "pre" else self.projection.target
        state = (owner, self.projection.symbols[name].origin)
        if statement.action == "add_to_cell":
            total = self.arguments.row("_totals", (self.projection.name, totals))
            lines += self._loads({name})
            lines.append(f"{local(name)} += tl.load({total} + _n, mask=_lanes)")
        else:
            lines += [*self._loads(names(statement.value)), *self._draws([statement.value])]
            lines.append(f"{local(name)} = {self._line(statement.value)}")
        # After the loads: a neuron in its refractory time is read by others, but keeps its state.
        if statement.frozen:
            until = self.arguments.row("_until", (owner, "_until"))
            lines.append(f"_lanes = _lanes & (_step > tl.load({until} + _n, mask=_lanes))")
        address = self.arguments.row(name, state)
        lines.append(f"tl.store({address} + _n, {local(name)}, mask=_lanes)")
        return self._kernel(lines)

    # ---- the frame of a kernel

    def _begin(self, side: Domain) -> None:
        self.arguments = Arguments()
        self.side: Domain = side
        self._indices: dict[str, str] = {}

    def _kernel(self, lines: list[str]) -> tuple[str, Arguments]:
        title = docstring(f"Rule {self.projection.code.name!r}, printed from its statements.")
        head = f"def run({self.arguments.signature(FIRST)}):"
        return "\n".join([head, *indent([title, *lines])]) + "\n", self.arguments

    @staticmethod
    def _setup() -> list[str]:
        return [
            "_step = tl.load(_clock)",
            "_sample = tl.program_id(1).to(tl.int64)",
            "_n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)",
            "_lanes = (_n < _count) & _running(_clock, _n)",
        ]

    def _active(self, segment: Segment) -> list[str]:
        """Return lines that select the lanes that an event reaches."""
        lines = self._setup()
        trigger = segment.trigger
        # Statements about the other side, and those of steps and signals, run for all lanes.
        if trigger not in ("pre", "post") or segment.side not in ("edge", trigger):
            return lines
        arrived = self.arguments.row("_arrived", (self.projection.name, f"@{trigger}_arrived"))
        lines += self._index(f"_{trigger}_group")
        group = self._indices[f"_{trigger}_group"]
        mark = f"tl.load({arrived} + {group}, mask=_lanes, other=0)"
        return [*lines, f"_lanes = _lanes & ({mark} != 0)"]

    # ---- values

    def _loads(self, read: set[str]) -> list[str]:
        """Return lines that load what statements read; coefficients stand before variables."""
        lines = []
        if "dt" in read:
            lines.append(f"dt = _spread({self.program.dt!r}, _n)")
        if "t" in read:
            # A product in float64, rounded once: in float32 the step itself may not be exact.
            lines.append(f"t = _real((_step + _n * 0).to(tl.float64) * {self.program.dt!r})")
        for end, population in (("pre", self.projection.source), ("post", self.projection.target)):
            if f"N_{end}" in read:
                size = float(self.program.populations[population].size)
                lines.append(f"N_{end} = _spread({size!r}, _n)")
        # Sorted: the same rule prints the same source, which is compiled once.
        for name in sorted(read - {"t", "dt", "N_pre", "N_post"}):
            lines += self._load(name)
        return lines

    def _load(self, name: str) -> list[str]:
        symbol = self.projection.symbols.get(name)
        if symbol is None or (symbol.side == "one" and symbol.role == "parameter"):
            address = self.arguments.row(name, (self.projection.name, name))
            return [f"{local(name)} = tl.load({address} + _n * 0)"]
        if symbol.role == "variable":
            index = f"_{symbol.side}_group" if symbol.side != "edge" else "_edge"
            lines = self._index(index)
            address = self._indices[index]
            return [*lines, *self._variable(self.projection, name, address, to=name, prefix="")]
        index = self._neuron(symbol)
        lines = self._index(index) if index else []
        neuron = self._indices[index] if index else "(_n * 0)"
        if symbol.role == "word":
            return [*lines, f"{local(name)} = _real({neuron})"]
        if symbol.role == "parameter":
            return [*lines, self._plain(name, (self.projection.name, name), neuron)]
        if symbol.role == "cell":
            owner = self.projection.source if symbol.side == "pre" else self.projection.target
            return [*lines, *self._of_owner(name, (owner, symbol.origin), neuron)]
        return [*lines, *self._linked(name, neuron)]

    @staticmethod
    def _neuron(symbol: Symbol) -> str:
        """Return the index by which a value that is no variable is read, empty if all share it."""
        return "" if symbol.side == "one" else f"_{symbol.side}"

    def _index(self, name: str) -> list[str]:
        """Return lines that compute an index of each lane: edge, delay group or neuron."""
        if name in self._indices:
            return []
        lane = "_edge" if self.side == "edge" else f"_{self.side}_group"
        if name == lane:
            self._indices[name] = "_n"
            return []
        self._indices[name] = name
        if name.endswith("_group"):
            array = f"@{name[1:-6]}_of_edge"
        elif self.side == "edge":
            array = "@source" if name == "_pre" else "@target"
        else:
            array = f"@{self.side}_neuron"
        address = self.arguments.read(f"_at{name}", "array", (self.projection.name, array))
        return [f"{name} = tl.load({address} + _n, mask=_lanes, other=0)"]

    def _linked(self, name: str, neuron: str) -> list[str]:
        link = self.projection.links[name]
        lines = []
        index = neuron
        if link.index is not None:
            key = (self.projection.name, f"@link_{name}")
            address = self.arguments.read(f"_index_{name}", "array", key)
            index = f"_linked_{name}"
            lines.append(f"{index} = tl.load({address} + {neuron})")
        return [*lines, *self._of_owner(name, (link.owner, link.name), index)]

    def _of_owner(self, name: str, key: Key, index: str) -> list[str]:
        """Return lines that load a value of a population, or of another projection."""
        owner, origin = key
        if owner in self.program.plastic:
            projection = self.program.plastic[owner]
            if projection.symbols[origin].role == "variable":
                return self._variable(projection, origin, index, to=name, prefix=f"{name}_")
            return [self._plain(name, key, index)]
        code = self.program.populations[owner].code
        address = self.arguments.row(name, key)
        # Of a table, the row in force is found on the device: steps run there without the host.
        if origin in code.tables:
            rows = self.arguments.row(f"rows_{name}", (owner, f"{origin}@rows"))
            width = self.arguments.read(f"_width_{name}", "width", key)
            address = f"{address} + _row({rows}, _step) * {width}"
        stride = self.arguments.read(f"_stride_{name}", "stride", key)
        return [f"{local(name)} = tl.load({address} + {index} * {stride}, mask=_lanes)"]

    def _plain(self, name: str, key: Key, index: str) -> str:
        address = self.arguments.row(name, key)
        stride = self.arguments.read(f"_stride_{name}", "stride", key)
        return f"{local(name)} = tl.load({address} + {index} * {stride}, mask=_lanes)"

    def _variable(
        self,
        projection: PlasticProjection,
        name: str,
        index: str,
        *,
        to: str,
        prefix: str,
    ) -> list[str]:
        """Return lines that load a variable of a rule, its closed form applied."""
        symbol = projection.symbols[name]
        address = self.arguments.row(f"{prefix}{name}", (projection.name, name))
        value = f"tl.load({address} + {index}, mask=_lanes)"
        if symbol.decay is None:
            return [f"{local(to)} = {value}"]
        # As it was computed when it was last assigned: nothing is done in a step without events.
        last = self.arguments.row(f"last_{prefix}{name}", (projection.name, f"{name}@last"))
        since = f"tl.load({last} + {index}, mask=_lanes, other=0)"
        elapsed = f"_elapsed(_step, {since}, {self.program.dt!r})"
        tau = self._coefficient(projection, symbol, symbol.decay, index, prefix=prefix)
        if symbol.inflow is None:
            return [f"{local(to)} = _decayed({value}, {elapsed}, {tau})"]
        inflow = self._coefficient(projection, symbol, symbol.inflow, index, prefix=prefix)
        return [f"{local(to)} = _relaxed({value}, {elapsed}, {tau}, {inflow})"]

    def _coefficient(
        self,
        projection: PlasticProjection,
        symbol: Symbol,
        name: str,
        index: str,
        *,
        prefix: str,
    ) -> str:
        address = self.arguments.row(f"{prefix}{name}", (projection.name, name))
        if projection.symbols[name].side == "one":
            return f"tl.load({address} + _n * 0)"
        member = index
        # Coefficients belong to neurons, variables of a side to its delay groups.
        if symbol.side != "edge":
            key = (projection.name, f"@{symbol.side}_neuron")
            neurons = self.arguments.read(f"_neurons_{prefix}{symbol.side}", "array", key)
            member = f"tl.load({neurons} + {index}, mask=_lanes, other=0)"
        return f"tl.load({address} + {member}, mask=_lanes, other=1.0)"

    def _store(self, name: str) -> list[str]:
        address = self.arguments.row(name, (self.projection.name, name))
        lines = [f"tl.store({address} + _n, {local(name)}, mask=_lanes)"]
        if self.projection.symbols[name].decay is not None:
            last = self.arguments.row(f"last_{name}", (self.projection.name, f"{name}@last"))
            # Its course starts here; nothing is computed in steps without an event.
            lines.append(f"tl.store({last} + _n, _step, mask=_lanes)")
        return lines

    # ---- expressions

    def _draws(self, trees: Iterable[Expr]) -> list[str]:
        lines = []
        # A draw of a side belongs to the neuron: its delay groups share the number.
        member = "_edge" if self.side == "edge" else f"_{self.side}"
        occurring = set[Draw]().union(*map(draws, trees))
        for draw in sorted(occurring, key=lambda draw: draw.key):
            lines += self._index(member)
            index = self._indices[member]
            function = "_uniform" if draw.kind == "uniform" else "_normal"
            # A key has two words.
            key = f"_keys + {2 * self.draws.index(draw)}"
            lines.append(f"_draw{draw.key} = {function}({index}, {key}, _clock, _sample)")
        return lines

    def _line(self, tree: Expr) -> str:
        return line(tree, lambda draw: f"_draw{draw.key}", single=self.single)


def bare_variable(segment: Segment, projection: PlasticProjection) -> str | None:
    """Return the edge variable that is summed as it stands, if it is one without a closed form."""
    # Statements before the sum may change the variable, and a closed form needs its own kernel.
    if segment.statements or segment.sum is None or not isinstance(segment.sum.value, Name):
        return None
    symbol = projection.symbols.get(segment.sum.value.name)
    if symbol is None or symbol.role != "variable" or symbol.side != "edge":
        return None
    return symbol.name if symbol.decay is None else None
