"""What each name in a printed rule is: where its values lie, how one is read, and what a kernel's first lines declare."""

from __future__ import annotations

from dataclasses import dataclass

from neurosim.expr.tree import Draw, Expr, names
from neurosim.ir.program import RuleProgram
from neurosim.model.binding import BoundStatement, Symbol

from .cells import row_number
from .precision import Precision
from .printing import Layout, line, local


@dataclass(frozen=True)
class Shape:
    """What the printed source of a rule depends on besides its statements.

    pre_split, post_split : slots per (neuron, delay) instead of one per neuron
    dendritic : "none", "one" or "each"
    values : parameter or constant or cell symbol -> "one", "each", "row", "rows"
    links : symbol -> (shape, indexed, split decay) of what it reads
    deferred : handlers of post-spikes wait; see `neurosim.backends.cpu.kernels.deferral`
    neighbours : the edges of a source end in neighbours, so that loops over them vectorise
    narrow : entries of the table that are arrays of indices of 2 bytes, not 4
    precision : of the numbers
    """

    pre_split: bool
    post_split: bool
    dendritic: str
    values: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, tuple[str, bool, str | None]], ...]
    deferred: bool
    neighbours: bool
    narrow: frozenset[str]
    precision: Precision


class Names:
    """Prints accesses to the values of a rule, and collects the entries of its table."""

    def __init__(self, code: RuleProgram, shape: Shape) -> None:
        self.shape, self.precision, self.layout = shape, shape.precision, Layout()
        self.symbols: dict[str, Symbol] = dict(code.symbols)
        self.values = dict(shape.values)
        self.links = dict(shape.links)
        self.layout.position("@dt")

    def read(self, group: list[BoundStatement]) -> set[str]:
        """Names that statements read, time constants of decaying variables included."""
        read = set().union(*(names(s.value) for s in group)) | {
            s.target for s in group if s.action == "assign"
        }
        return read | {
            self.symbols[n].decay for n in read if n in self.symbols and self.symbols[n].decay
        }

    def store(self, name: str, index: str) -> list[str]:
        lines = [f"store(_at_{name}, {index}, {local(name)}, {name!r})"]
        if self.symbols[name].decay:
            lines.append(f"store_long(_last_{name}, {index}, step, '{name}@last')")
        return lines

    def ring(self) -> list[str]:
        lines = [self.entry("@ring", "_ring")]
        if self.shape.dendritic != "none":
            lines += [
                f"_ring_size = load_long(table, {self.layout.position('@ring_size')}, 'table')",
                f"_ring_slots = load_long(table, {self.layout.position('@ring_slots')}, 'table')",
            ]
        if self.shape.dendritic == "one":
            landing = f"step + load_long(table, {self.layout.position('@dendritic')}, 'table')"
            lines.append(
                f"_ring += {self.precision.size} * _ring_size * (({landing}) % _ring_slots)"
            )
        if self.shape.dendritic == "each":
            lines.append(self.entry("@dendritic_each", "_dendritic"))
        return lines

    def line(self, tree: Expr, index: str) -> str:
        """Print an expression whose draws are those of a place."""
        return line(tree, lambda d: self.draw(d, index), self.precision)

    def draw(self, draw: Draw, index: str) -> str:
        key = f"load_long(table, {self.layout.position(f'@key{draw.key}')}, 'table'), load_long(table, {self.layout.position(f'@key{draw.key}b')}, 'table')"
        replica = f"load_long(table, {self.layout.position('@replica')}, 'table')"
        return f"{'uniform_at' if draw.kind == 'uniform' else 'normal_at'}({key}, {index}, step, {replica})"

    def prologue(self, read: set[str]) -> list[str]:
        """Addresses of all that is read, and the values that are the same everywhere."""
        made = []
        if (
            read & {"t", "dt"}
            or any(self.symbols[n].decay for n in read if n in self.symbols)
            or any(self.links[n][2] for n in read if n in self.links)
        ):
            made += self.precision.dt
        if "t" in read:
            made.append(self.precision.t)
        for end in ("N_pre", "N_post"):
            if end in read:
                made.append(
                    f"{end} = float(load_long(table, {self.layout.position('@' + end)}, 'table'))"
                )
        for name in sorted(read):
            made += self._declare(name)
        return made

    def _declare(self, name: str) -> list[str]:
        symbol = self.symbols.get(name)
        if (
            symbol is not None
            and symbol.role == "word"
            or name in ("t", "dt")
            or name.startswith("@link")
        ):
            return []
        if symbol is not None and symbol.role == "variable":
            lines = [
                self.address(name),
                *(
                    [
                        f"_last_{name} = load_long(table, {self.layout.position(f'{name}@last')}, 'table')"
                    ]
                    if symbol.decay
                    else []
                ),
            ]
            return (
                [*lines, self.address(f"@decays_{symbol.decay}")] if self._tabled(symbol) else lines
            )
        lines = [self.address(name)]
        shape, _, decay = self.links.get(name, (self.values.get(name, "one"), False, None))
        if shape in ("row", "rows"):
            lines += row_number(name, self.layout)
            if shape == "rows":
                lines.append(
                    f"_at_{name} += {self.precision.size} * _row_{name} * load_long(table, {self.layout.position(f'{name}@size')}, 'table')"
                )
        if decay:
            lines.append(
                f"_last_{name} = load_long(table, {self.layout.position(f'{name}@last')}, 'table')"
            )
            lines.append(
                f"_tau_{name} = load_long(table, {self.layout.position(f'{name}@tau')}, 'table')"
            )
        if name in self.links and self.links[name][1]:
            lines.append(
                f"_index_{name} = load_long(table, {self.layout.position(f'{name}@index')}, 'table')"
            )
        if self._everywhere(name):
            lines.append(f"{local(name)} = {self._value(name)}")
        return lines

    def _tabled(self, symbol: Symbol) -> bool:
        """Whether the decay of a variable is looked up: all its values have one time constant."""
        return symbol.decay is not None and self.symbols[symbol.decay].side == "one"

    def _everywhere(self, name: str) -> bool:
        symbol = self.symbols.get(name)
        if name in self.links:
            return symbol.side == "one"
        return (
            symbol is None
            or symbol.side == "one"
            or self.values.get(name) in ("one", "row")
            and symbol.role == "cell"
        )

    def values_at(self, read: set[str], side: str) -> list[str]:
        lines = []
        if f"i_{side}" in read:
            lines.append(f"i_{side} = float(_{side})")
        here = [
            s
            for n, s in self.symbols.items()
            if n in read and s.side == side and s.role != "word" and not self._everywhere(n)
        ]
        for symbol in sorted(
            here, key=lambda s: (s.role == "variable", s.name)
        ):  # time constants before what decays with them
            lines.append(f"{local(symbol.name)} = {self._value(symbol.name)}")
        return lines

    def _value(self, name: str) -> str:
        symbol = self.symbols.get(name)
        index = (
            "0"
            if symbol is None or symbol.side == "one"
            else "_edge"
            if symbol.side == "edge"
            else f"_{symbol.side}"
        )
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
        if symbol is not None and symbol.role == "variable":
            index = f"_{symbol.side}_slot" if symbol.side != "edge" else "_edge"
            value = f"load(_at_{name}, {index}, {name!r})"
            if symbol.decay is None:
                return value
            since = f"step - load_long(_last_{name}, {index}, '{name}@last')"
            if self._tabled(symbol):
                return f"{value} * decayed(_decays_{symbol.decay}, {since}, {self.precision.exact_dt}, {local(symbol.decay)})"
            return f"{value} * exp(-(float({since}) * dt) / {local(symbol.decay)})"
        shape = self.values.get(name, "one")
        if shape == "one":
            index = "0"
        if shape == "row":
            index = f"_row_{name}"
        return f"load(_at_{name}, {index}, {name!r})"

    # ---- the table

    def address(self, entry: str) -> str:
        return self.entry(entry, self.name(entry))

    def name(self, entry: str) -> str:
        return f"_{entry[1:]}" if entry.startswith("@") else f"_at_{entry}"

    def entry(self, entry: str, name: str | None = None) -> str:
        return (
            f"{name or '_' + entry[1:]} = load_long(table, {self.layout.position(entry)}, 'table')"
        )

    def loader(self, entry: str) -> str:
        """The function that reads elements of an array of indices."""
        return "load_short" if entry in self.shape.narrow else "load_index"

    def index(self, entry: str, place: str) -> str:
        """An element of an array of indices."""
        return f"{self.loader(entry)}({self.name(entry)}, {place}, {self.name(entry)!r})"

    def split(self, side: str) -> bool:
        return self.shape.pre_split if side == "pre" else self.shape.post_split

    def neuron_of_slot(self, side: str) -> str:
        return (
            self.index(f"@{side}_neuron", f"_{side}_slot") if self.split(side) else f"_{side}_slot"
        )

    def slot_setup(self, side: str) -> list[str]:
        return [self.entry(f"@{side}_neuron")] if self.split(side) else []
