"""Symbols of a rule in printed source: where their values lie, and how one is read and stored.

An event concerns delay groups: a neuron, or a pair (neuron, delay) if the edges of a neuron have
several delays. Variables of either end have one value per delay group, all else of an end has one
value per neuron.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from neurosim.expr.tree import Draw, Expr, names
from neurosim.ir.program import RuleProgram
from neurosim.model.binding import BoundStatement, Symbol

from .precision import Precision
from .printing import Arguments, Layout, find_series_row, line, local

# Delays from synapse to port: none, one for all edges, or one for each.
Dendritic = Literal["none", "shared", "per_edge"]


@dataclass(frozen=True)
class LinkVariant:
    """How a symbol reads a value of another population or projection.

    Attributes
    ----------
    layout : Layout
    indexed : bool
        Whether an array holds the index of the value that each neuron or edge reads.
    tau, inflow : Layout or None
        Layouts of the coefficients if the value is a variable with a closed form.
    """

    layout: Layout
    indexed: bool
    tau: Layout | None
    inflow: Layout | None


@dataclass(frozen=True)
class RuleVariant:
    """The facts about a projection on which the printed source of its rule depends.

    Attributes
    ----------
    pre_split, post_split : bool
        Whether a neuron has several delay groups.
    dendritic : Dendritic
    layouts : tuple of (str, Layout)
        Parameter or constant of one value, or state of a cell -> how its values lie.
    links : tuple of (str, LinkVariant)
        Symbol -> how it is read.
    deferred : bool
        Whether handlers of post-spikes are deferred; see `kernels.deferral`.
    neighbours : bool
        Whether the edges of a source end in consecutive neurons: loops over them vectorise.
    short : frozenset of str
        Arguments that are arrays of indices of 2 bytes, not 4.
    precision : Precision
    """

    pre_split: bool
    post_split: bool
    dendritic: Dendritic
    layouts: tuple[tuple[str, Layout], ...]
    links: tuple[tuple[str, LinkVariant], ...]
    deferred: bool
    neighbours: bool
    short: frozenset[str]
    precision: Precision

    def split(self, side: str) -> bool:
        """Return whether neurons of a side have several delay groups."""
        return self.pre_split if side == "pre" else self.post_split


class RuleSymbols:
    """Prints accesses to the values of a rule, and collects the arguments of its kernels."""

    def __init__(self, code: RuleProgram, variant: RuleVariant) -> None:
        self.variant, self.precision, self.arguments = variant, variant.precision, Arguments()
        self.symbols: dict[str, Symbol] = dict(code.symbols)
        self.layouts = dict(variant.layouts)
        self.links = dict(variant.links)
        self.arguments.read("@dt")  # at position 0, where `Precision.dt` reads it

    def names_read(self, group: list[BoundStatement]) -> set[str]:
        """Return the names that statements read, with the coefficients of closed forms."""
        # Targets too: one with a closed form is stored with its step, whose address `prologue`
        # declares.
        read = set().union(*(names(s.value) for s in group))
        read |= {s.target for s in group if s.action == "assign"}
        read -= {s.target for s in group if s.action == "compute"}
        return read.union(*(self.coefficients(n) for n in read))

    def coefficients(self, name: str) -> set[str]:
        """Return the coefficients of a variable's closed form; none of any other name."""
        symbol = self.symbols.get(name)
        return set() if symbol is None else {n for n in (symbol.decay, symbol.inflow) if n}

    # ---- statements

    def store(self, name: str, index: str) -> list[str]:
        """Return lines that store a variable; one with a closed form with its step."""
        lines = [f"store(_at_{name}, {index}, {local(name)}, {name!r})"]
        if self.symbols[name].decay:
            lines.append(f"store_long(_last_{name}, {index}, step, '{name}@last')")
        return lines

    def line(self, tree: Expr, index: str) -> str:
        """Return an expression whose random draws are those of an index."""
        return line(tree, lambda d: self._draw(d, index), self.precision)

    def _draw(self, draw: Draw, index: str) -> str:
        # Computed for this index and step alone, with no buffer: few edges are active in a step.
        key = f"{self.arguments.read(f'@key{draw.key}')}, {self.arguments.read(f'@key{draw.key}b')}"
        function = "uniform_at" if draw.kind == "uniform" else "normal_at"
        return f"{function}({key}, {index}, step, {self.arguments.read('@replica')})"

    def ring_setup(self) -> list[str]:
        """Return lines that find the term that deliveries are added to."""
        # A dendritic delay selects the position in a ring of terms, one per step of arrival.
        lines = [self.address("@ring")]
        dendritic = self.variant.dendritic
        if dendritic != "none":
            lines += [self.address("@ring_size"), self.address("@ring_depth")]
        if dendritic == "shared":
            landing = f"(step + {self.arguments.read('@dendritic')}) % _ring_depth"
            lines.append(f"_ring += {self.precision.size} * _ring_size * ({landing})")
        if dendritic == "per_edge":
            lines.append(self.address("@dendritic_delays"))
        return lines

    def ring_of_edge(self) -> str:
        """Return the address of the term that a delivery of an edge is added to."""
        if self.variant.dendritic != "per_edge":
            return "_ring"
        delay = "load_index(_dendritic_delays, _edge, '_dendritic')"
        position = f"(step + {delay}) % _ring_depth"
        return f"_ring + {self.precision.size} * _ring_size * ({position})"

    # ---- before the loops

    def prologue(self, read: set[str]) -> list[str]:
        """Return addresses of all that is read, and the values that are the same everywhere."""
        lines: list[str] = []
        linked_decay = any(self.links[n].tau for n in read if n in self.links)
        if read & {"t", "dt"} or any(map(self.coefficients, read)) or linked_decay:
            lines += self.precision.dt
        if "t" in read:
            lines.append(self.precision.t)
        for size in ("N_pre", "N_post"):
            if size in read:
                lines.append(f"{size} = float({self.arguments.read('@' + size)})")
        # Sorted: the order of a set differs between processes, and the text names its cached code.
        for name in sorted(read):
            lines += self._declare(name)
        return lines

    def _declare(self, name: str) -> list[str]:
        symbol = self.symbols.get(name)
        if name in ("t", "dt") or name.startswith("@link"):
            return []
        if symbol is not None and symbol.role == "word":
            return []
        lines = [self.address(name)]
        if symbol is not None and symbol.role == "variable":
            if symbol.decay:
                lines.append(f"_last_{name} = {self.arguments.read(f'{name}@last')}")
            if self._looked_up(symbol):
                lines.append(self.address(f"@decays_{symbol.decay}"))
            if self._looked_up(symbol) and symbol.inflow:
                lines.append(self.address(f"@gains_{symbol.decay}"))
            return lines
        lines += self._declare_series(name)
        if name in self.links:
            lines += self._declare_link(name, self.links[name])
        if self._everywhere(name):
            lines.append(f"{local(name)} = {self._value(name)}")
        return lines

    def _declare_series(self, name: str) -> list[str]:
        link = self.links.get(name)
        layout = link.layout if link else self.layouts.get(name)
        if layout not in ("series", "series_per_neuron"):
            return []
        lines = find_series_row(name, self.arguments)
        if layout == "series_per_neuron":
            width = f"_row_{name} * {self.arguments.read(f'{name}@size')}"
            lines.append(f"_at_{name} += {self.precision.size} * {width}")
        return lines

    def _declare_link(self, name: str, link: LinkVariant) -> list[str]:
        lines = []
        if link.tau:
            lines.append(f"_last_{name} = {self.arguments.read(f'{name}@last')}")
            lines.append(f"_tau_{name} = {self.arguments.read(f'{name}@tau')}")
        if link.inflow:
            lines.append(f"_flow_{name} = {self.arguments.read(f'{name}@inflow')}")
        if link.indexed:
            lines.append(f"_index_{name} = {self.arguments.read(f'{name}@index')}")
        return lines

    # ---- values

    def values_at(self, read: Iterable[str], side: str) -> list[str]:
        """Return lines that load the values of one side: of its neuron, delay group or edge.

        Parameters
        ----------
        read : iterable of str
            Names that statements read; those of other sides are skipped.
        side : str
            "pre", "post" or "edge".
        """
        read = set(read)
        lines = [f"i_{side} = float(_{side})"] if f"i_{side}" in read else []
        at_side = [
            s
            for n, s in self.symbols.items()
            if n in read and s.side == side and s.role != "word" and not self._everywhere(n)
        ]
        # Coefficients stand before the variables whose closed forms read them.
        at_side.sort(key=lambda s: (s.role == "variable", s.name))
        return lines + [f"{local(s.name)} = {self._value(s.name)}" for s in at_side]

    def _everywhere(self, name: str) -> bool:
        """Return whether a value is the same for all edges."""
        symbol = self.symbols.get(name)
        if symbol is None or symbol.side == "one":
            return True
        if name in self.links:
            return False
        return symbol.role == "cell" and self.layouts.get(name) in ("scalar", "series")

    def _value(self, name: str) -> str:
        symbol = self.symbols.get(name)
        if name in self.links:
            return self._linked_value(name, self.links[name])
        if symbol is not None and symbol.role == "variable":
            return self._variable_value(symbol)
        return f"load(_at_{name}, {self._index(name, self.layouts.get(name))}, {name!r})"

    def _index(self, name: str, layout: Layout | None) -> str:
        symbol = self.symbols.get(name)
        if layout == "series":
            return f"_row_{name}"
        if layout == "scalar" or symbol is None or symbol.side == "one":
            return "0"
        return f"_{symbol.side}"

    def _linked_value(self, name: str, link: LinkVariant) -> str:
        index = self._index(name, None if link.indexed else link.layout)
        # One value for all has no use for the index that a link to a view brings along.
        if link.indexed:
            index = f"load_index(_index_{name}, {index}, '{name}@index')"
            if link.layout in ("scalar", "series"):
                index = self._index(name, link.layout)
        value = f"load(_at_{name}, {index}, {name!r})"
        if link.tau:
            elapsed = f"float(step - load_long(_last_{name}, {index}, '{name}@last')) * dt"
            tau_index = index if link.tau == "per_neuron" else "0"
            tau = f"load(_tau_{name}, {tau_index}, '{name}@tau')"
            if not link.inflow:
                return f"{value} * exp(-({elapsed}) / {tau})"
            inflow_index = index if link.inflow == "per_neuron" else "0"
            inflow = f"load(_flow_{name}, {inflow_index}, '{name}@inflow')"
            return f"relaxed({value}, {inflow}, {elapsed}, {tau})"
        return value

    def _variable_value(self, symbol: Symbol) -> str:
        name = symbol.name
        decay = symbol.decay
        index = "_edge" if symbol.side == "edge" else f"_{symbol.side}_group"
        value = f"load(_at_{name}, {index}, {name!r})"
        if decay is None:
            return value
        # In closed form since the last event, as on the reference engine: no work per step.
        steps = f"step - load_long(_last_{name}, {index}, '{name}@last')"
        if self._looked_up(symbol):
            since = f"{steps}, {self.precision.exact_dt}, {local(decay)}"
            decayed = f"{value} * decayed(_decays_{decay}, {since})"
            gain = f"gained(_gains_{decay}, {since})"
            return decayed if symbol.inflow is None else f"{decayed} + {symbol.inflow} * {gain}"
        elapsed = f"float({steps}) * dt"
        if symbol.inflow is not None:
            return f"relaxed({value}, {symbol.inflow}, {elapsed}, {local(decay)})"
        return f"{value} * exp(-({elapsed}) / {local(decay)})"

    def _looked_up(self, symbol: Symbol) -> bool:
        """Return whether factors lie in a table: all values have one time constant."""
        return symbol.decay is not None and self.symbols[symbol.decay].side == "one"

    # ---- arguments

    def address(self, entry: str) -> str:
        """Return the line that reads an argument."""
        return f"{self.name(entry)} = {self.arguments.read(entry)}"

    def name(self, entry: str) -> str:
        """Return the name of an argument in printed source."""
        return f"_{entry[1:]}" if entry.startswith("@") else f"_at_{entry}"

    def loader(self, entry: str) -> str:
        """Return the function that reads elements of an array of indices."""
        return "load_short" if entry in self.variant.short else "load_index"

    def index(self, entry: str, position: str) -> str:
        """Return an element of an array of indices."""
        return f"{self.loader(entry)}({self.name(entry)}, {position}, {self.name(entry)!r})"

    def neuron_of_group(self, side: str) -> str:
        """Return the neuron of a delay group."""
        if not self.variant.split(side):
            return f"_{side}_group"
        return self.index(f"@{side}_neuron", f"_{side}_group")

    def group_setup(self, side: str) -> list[str]:
        """Return the lines that `neuron_of_group` needs before the loops."""
        return [self.address(f"@{side}_neuron")] if self.variant.split(side) else []
