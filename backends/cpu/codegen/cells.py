"""Prints the statements of a cell: phases 2 and 3 as one loop over neurons, phase 5 as one loop over spikes."""

from __future__ import annotations

from collections.abc import Iterable

from neurosim.expr.tree import Draw, Expr, names
from neurosim.ir.program import CellProgram

from .precision import DOUBLE, Precision
from .printing import Layout, indent, line, local


def print_cell(
    code: CellProgram, shapes: dict[str, str], *, precision: Precision = DOUBLE
) -> tuple[str, list[str]]:
    """Return the source of kernels ``integrate`` and ``reset``, and the entries of their table.

    Parameters
    ----------
    shapes : parameter or constant -> "one", "each", "row" (one value per row of a table), "rows" (one per row and neuron)

    Notes
    -----
    The source depends on the equations and shapes alone, so that equal cells share one compiled file.
    """
    printer = _CellPrinter(code, shapes, precision)
    body = [
        f'"""Cell {code.name!r}: phases 2, 3 and 5 of a step, printed from its equations."""',
        "",
        precision.header,
        "",
        *printer.integrate(),
    ]
    if code.detect is not None:
        body += ["", "", *printer.reset()]
    return "\n".join(body) + "\n", printer.layout.entries


class _CellPrinter:
    def __init__(self, code: CellProgram, shapes: dict[str, str], precision: Precision) -> None:
        self.code, self.shapes, self.precision, self.layout = code, shapes, precision, Layout()
        for entry in ("@dt", *code.states):
            self.layout.position(entry)

    def integrate(self) -> list[str]:
        code = self.code
        trees = [s.value for s in code.integrate] + (
            [code.detect] if code.detect is not None else []
        )
        read = set().union(*(names(t) for t in trees)) | set(code.frozen)
        head = [
            "@kernel",
            "def integrate(table, start, stop, step, thread):",
            *self._prologue(read),
        ]
        states = [s for s in code.states if s in read or any(s == a.target for a in code.integrate)]
        changed = [s for s in states if any(a.target == s for a in code.integrate)]
        loop = self._addresses([*states, *(f"_port_{p}" for p in code.ports)])
        if code.refractory:
            loop.append(f"_until = load_long(table, {self.layout.position('_until')}, 'table')")
        if code.detect is not None:
            loop.append(f"_fired = load_long(table, {self.layout.position('@fired')}, 'table')")
        loop += [*self._draw_addresses(), "_wrong = 0", "for _n in range(start, stop):"]
        inner = [f"{local(s)} = load(_at_{s}, _n, {s!r})" for s in states]
        inner += self._per_neuron(read, "_n")
        for p in code.ports:
            inner += [
                f"_port_{p} = load(_at__port_{p}, _n, '_port_{p}')",
                f"store(_at__port_{p}, _n, {self.precision.number(0.0)}, '_port_{p}')",
            ]
        if code.refractory:
            inner.append("_active = step > load_long(_until, _n, '_until')")
        for a in code.integrate:
            value = self._line(a.value)
            to = local(a.target)
            inner.append(
                f"{to} = where(_active, {value}, {to})"
                if a.target in code.frozen
                else f"{to} = {value}"
            )
        inner += [f"store(_at_{s}, _n, {local(s)}, {s!r})" for s in changed]
        if states:
            inner.append(
                f"_wrong = 1 if {' + '.join(f'({local(s)} - {local(s)})' for s in states)} != {self.precision.number(0.0)} else _wrong"
            )
        if code.detect is not None:
            condition = f"({self._line(code.detect)} != {self.precision.number(0.0)})"
            inner.append(
                f"store_byte(_fired, _n, flag({condition + (' & _active' if code.refractory else '')}), '_fired')"
            )
        return head + indent(loop) + indent(inner or ["pass"], 2) + ["    return _wrong"]

    def reset(self) -> list[str]:
        code = self.code
        read = set().union(*(names(s.value) for s in code.after)) if code.after else set()
        states = [s for s in code.states if s in read or any(s == a.target for a in code.after)]
        head = ["@kernel", "def reset(table, spikes, count, step, thread):", *self._prologue(read)]
        loop = self._addresses(states)
        if code.refractory:
            loop += [
                f"_until = load_long(table, {self.layout.position('_until')}, 'table')",
                f"_refractory = load_long(table, {self.layout.position('_refractory')}, 'table')",
                f"_each = load_long(table, {self.layout.position('#_refractory')}, 'table') > 1",
            ]
        loop += [*self._draw_addresses(), "for _s in range(count):"]
        inner = [
            "_n = load_index(spikes, _s, '_spikes')",
            *(f"{local(s)} = load(_at_{s}, _n, {s!r})" for s in states),
            *self._per_neuron(read, "_n"),
        ]
        inner += [f"{local(a.target)} = {self._line(a.value)}" for a in code.after]
        inner += [
            f"store(_at_{s}, _n, {local(s)}, {s!r})"
            for s in dict.fromkeys(a.target for a in code.after)
        ]
        if code.refractory:
            inner.append(
                "store_long(_until, _n, step + load_long(_refractory, _n if _each else 0, '_refractory'), '_until')"
            )
        return head + indent(loop) + indent(inner, 2) + ["    return 0"]

    def _prologue(self, read: set[str]) -> list[str]:
        made = []
        if read & {"t", "dt"}:
            made += self.precision.dt
        if "t" in read:
            made.append(self.precision.t)
        if "N" in read:
            made.append(f"N = float(load_long(table, {self.layout.position('@size')}, 'table'))")
        for name, shape in self._values(read):
            at = f"_at_{name} = load_long(table, {self.layout.position(name)}, 'table')"
            if shape == "one":
                made.append(
                    f"{local(name)} = load(load_long(table, {self.layout.position(name)}, 'table'), 0, {name!r})"
                )
            elif shape == "each":
                made.append(at)
            else:
                made += [at, *row_number(name, self.layout)]
                if shape == "row":
                    made.append(f"{local(name)} = load(_at_{name}, _row_{name}, {name!r})")
                else:
                    made.append(
                        f"_at_{name} += {self.precision.size} * _row_{name} * load_long(table, {self.layout.position('@size')}, 'table')"
                    )
        return indent(made)

    def _values(self, read: set[str]) -> Iterable[tuple[str, str]]:
        return [(name, shape) for name, shape in self.shapes.items() if name in read]

    def _per_neuron(self, read: set[str], n: str) -> list[str]:
        made = [f"i = float({n})"] if "i" in read else []
        return made + [
            f"{local(name)} = load(_at_{name}, {n}, {name!r})"
            for name, shape in self._values(read)
            if shape in ("each", "rows")
        ]

    def _addresses(self, entries: list[str]) -> list[str]:
        return [f"_at_{e} = load_long(table, {self.layout.position(e)}, 'table')" for e in entries]

    def _draw_addresses(self) -> list[str]:
        return [
            f"_draw{d.key} = load_long(table, {self.layout.position(f'@draw{d.key}')}, 'table')"
            for d in self.code.draws
        ]

    def _line(self, tree: Expr) -> str:
        return line(tree, self._draw, self.precision)

    def _draw(self, draw: Draw) -> str:
        return f"load(_draw{draw.key}, _n, '_draw{draw.key}')"


def row_number(name: str, layout: Layout) -> list[str]:
    """Return lines that find the row of a table in force at ``step``."""
    at = f"load_long(table, {layout.position(f'{name}@rows')}, 'table')"
    return [
        f"_rows = {at}",
        f"_row_{name} = (step - load_long(_rows, 1, '_rows')) // load_long(_rows, 0, '_rows')",
        f"_row_{name} = 0 if _row_{name} < 0 else _row_{name}",
        f"_row_{name} = load_long(_rows, 2, '_rows') - 1 if _row_{name} >= load_long(_rows, 2, '_rows') else _row_{name}",
    ]
