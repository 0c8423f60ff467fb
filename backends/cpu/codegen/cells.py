"""Prints the statements of a cell: phases 2 and 3 as a loop over neurons, phase 5 over spikes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from neurosim.expr.printing import docstring
from neurosim.expr.tree import Assign, Draw, Expr, Name, names
from neurosim.ir.program import CellProgram
from neurosim.model.integration.sub_steps import SHORTEST, SubSteps

from .precision import DOUBLE, Precision
from .printing import Arguments, Layout, find_series_row, indent, line, local


def print_cell(
    code: CellProgram, layouts: Mapping[str, Layout], *, precision: Precision = DOUBLE
) -> tuple[str, list[str]]:
    """Return the source of kernels ``integrate`` and ``reset``, and the entries of their arguments.

    Parameters
    ----------
    code : CellProgram
    layouts : mapping of str to Layout
        Parameter or constant -> how its values lie.
    precision : Precision

    Returns
    -------
    tuple of str and list of str

    Notes
    -----
    The source depends on the equations and layouts alone, so that equal cells share one compiled
    file.
    """
    printer = _CellPrinter(code, layouts, precision)
    body = [
        docstring(f"Cell {code.name!r}: phases 2, 3 and 5 of a step, printed from its equations."),
        "",
        precision.header,
        *([] if code.sub_steps is None else ["from math import nan"]),
        "",
        *printer.integrate(),
    ]
    if code.detect is not None:
        body += ["", "", *printer.reset()]
    return "\n".join(body) + "\n", printer.arguments.entries


class _CellPrinter:
    def __init__(
        self, code: CellProgram, layouts: Mapping[str, Layout], precision: Precision
    ) -> None:
        self.code = code
        self.layouts = layouts
        self.precision = precision
        self.arguments = Arguments()
        # "@dt" at position 0, where `Precision.dt` reads it.
        for entry in ("@dt", *code.states):
            self.arguments.read(entry)

    # ---- phases 2 and 3

    def integrate(self) -> list[str]:
        code = self.code
        trees = [s.value for s in code.integrate]
        if code.detect is not None:
            trees.append(code.detect)
        if code.sub_steps is not None:
            trees += [*code.sub_steps.trees, Name("t")]
        # Frozen states are read even if no equation does: while refractory they keep their value.
        read = set().union(*map(names, trees)) | set(code.frozen)
        assigned = {a.target for a in code.integrate}
        assigned |= set() if code.sub_steps is None else set(code.sub_steps.states)
        states = [s for s in code.states if s in read | assigned]
        head = ["@kernel", "def integrate(args, start, stop, step, partition):"]
        setup = [*self._prologue(read), *self._integration_addresses(states)]
        setup += ["_wrong = 0", "for _n in range(start, stop):"]
        # Every value is a local variable from its load to its only store. A state that is not
        # assigned is not stored: that would be as much traffic as the load.
        inner = [
            *self._load_states(states),
            *self._per_neuron(read),
            *self._take_ports(),
            *self._assignments(),
            *self._store_states(s for s in states if s in assigned),
            *self._check_finite(states),
            *self._detection(),
        ]
        return [*head, *indent(setup), *indent(inner or ["pass"], 2), "    return _wrong"]

    def _integration_addresses(self, states: list[str]) -> list[str]:
        lines = self._addresses([*states, *(f"_port_{p}" for p in self.code.ports)])
        if self.code.refractory:
            lines.append(f"_until = {self.arguments.read('_until')}")
        if self.code.detect is not None:
            lines.append(f"_fired = {self.arguments.read('@fired')}")
        return [*lines, *self._draw_addresses()]

    def _take_ports(self) -> list[str]:
        """Return lines that read the sums at ports and reset them to 0."""
        # Here and not in phase 4: the values are in the cache now, and a projection whose term is
        # the port itself (`plan.context.Context.ring`) finds zeros.
        lines = []
        zero = self.precision.number(0.0)
        for p in self.code.ports:
            lines += [
                f"_port_{p} = load(_at__port_{p}, _n, '_port_{p}')",
                f"store(_at__port_{p}, _n, {zero}, '_port_{p}')",
            ]
        return lines

    def _assignments(self) -> list[str]:
        lines = []
        if self.code.refractory:
            lines.append("_active = step > load_long(_until, _n, '_until')")
        before, behind = self.code.around_sub_steps
        lines += map(self._assignment, before)
        if self.code.sub_steps is not None:
            lines += self._sub_steps(self.code.sub_steps)
        return [*lines, *map(self._assignment, behind)]

    def _assignment(self, statement: Assign) -> str:
        value = self._line(statement.value)
        state = local(statement.target)
        # A selection, not a branch: the loop over neurons stays vectorised.
        if statement.target in self.code.frozen:
            value = f"where(_active, {value}, {state})"
        return f"{state} = {value}"

    def _sub_steps(self, loop: SubSteps) -> list[str]:
        """Return the loop of the adaptive method, as `SubSteps` describes it."""
        states = [local(s) for s in loop.states]
        moved = [f"{s} = _new_{name}" for s, name in zip(states, loop.states, strict=True)]
        accepted = [*moved, "_left -= _share", *self._mark_spike(loop)]
        accepted += [
            f"if {self._line(loop.small)} != 0.0:",
            "    if floor(_left / (2.0 * _share)) * (2.0 * _share) == _left:",
            "        _share *= 2.0",
        ]
        stuck = [*(f"{s} = nan" for s in states), "_left = 0.0"]
        body = [
            "_length = _share * dt",
            "_now = t + (1.0 - _left) * dt",
            *(f"{a.target} = {self._line(a.value)}" for a in loop.trial),
            f"if {self._line(loop.accepted)} != 0.0:",
            *indent(accepted),
            "else:",
            "    _share *= 0.5",
            "_tries += 1",
            f"if (_share < {SHORTEST!r} or _tries == {loop.tolerances.most}) and _left > 0.0:",
            *indent(stuck),
        ]
        active = "truth(_active)" if self.code.refractory else "1.0"
        setup = ["_left = 1.0", "_share = 1.0", "_tries = 0", f"_awake = {active}", "_below = 1.0"]
        return [*setup, "while _left > 0.0:", *indent(body)]

    def _mark_spike(self, loop: SubSteps) -> list[str]:
        if loop.spike is None:
            return []
        awake = " and _active" if self.code.refractory else ""
        return [f"if {self._line(loop.spike)} != 0.0{awake}:", "    _below = 0.0"]

    def _check_finite(self, states: Iterable[str]) -> list[str]:
        # x - x is 0 for finite numbers alone: one comparison for all states. The kernel returns a
        # mark after the loop, since a return within it would prevent vectorisation.
        total = " + ".join(f"({local(s)} - {local(s)})" for s in states)
        if not total:
            return []
        return [f"_wrong = 1 if {total} != {self.precision.number(0.0)} else _wrong"]

    def _detection(self) -> list[str]:
        if self.code.detect is None:
            return []
        # A mark per neuron instead of a list, which would need a branch; `kernels.loop.collect`
        # makes the list. "&" and not "and", which branches too.
        condition = f"({self._line(self.code.detect)} != {self.precision.number(0.0)})"
        if self.code.refractory:
            condition += " & _active"
        return [f"store_byte(_fired, _n, flag({condition}), '_fired')"]

    # ---- phase 5

    def reset(self) -> list[str]:
        code = self.code
        read = set().union(*(names(s.value) for s in code.after))
        # A dict, not a set: its order is that of the statements, so the text is always the same.
        assigned = dict.fromkeys(a.target for a in code.after)
        states = [s for s in code.states if s in read or s in assigned]
        head = ["@kernel", "def reset(args, spikes, count, step, partition):"]
        setup = [*self._prologue(read), *self._addresses(states), *self._refractory_addresses()]
        setup += [*self._draw_addresses(), "_wrong = 0", "for _s in range(count):"]
        inner = [
            "_n = load_index(spikes, _s, '_spikes')",
            *self._load_states(states),
            *self._per_neuron(read),
            *(f"{local(a.target)} = {self._line(a.value)}" for a in code.after),
            *self._store_states(assigned),
            *self._check_finite(assigned),
        ]
        if code.refractory:
            pause = "load_long(_refractory, _n if _own_pause else 0, '_refractory')"
            inner.append(f"store_long(_until, _n, step + {pause}, '_until')")
        return [*head, *indent(setup), *indent(inner, 2), "    return _wrong"]

    def _refractory_addresses(self) -> list[str]:
        if not self.code.refractory:
            return []
        return [
            f"_until = {self.arguments.read('_until')}",
            f"_refractory = {self.arguments.read('_refractory')}",
            f"_own_pause = {self.arguments.read('#_refractory')} > 1",
        ]

    # ---- both

    def _prologue(self, read: set[str]) -> list[str]:
        """Return lines before the loop: words, addresses, values that are the same for all."""
        lines: list[str] = []
        if read & {"t", "dt"}:
            lines += self.precision.dt
        if "t" in read:
            lines.append(self.precision.t)
        if "N" in read:
            lines.append(f"N = float({self.arguments.read('@size')})")
        for name, layout in self._values(read):
            lines += self._declare(name, layout)
        return lines

    def _declare(self, name: str, layout: Layout) -> list[str]:
        address = self.arguments.read(name)
        if layout == "scalar":
            return [f"{local(name)} = load({address}, 0, {name!r})"]
        lines = [f"_at_{name} = {address}"]
        if layout == "per_neuron":
            return lines
        # The row is found once per step and range; the loop then reads a series like a parameter.
        lines += find_series_row(name, self.arguments)
        if layout == "series":
            lines.append(f"{local(name)} = load(_at_{name}, _row_{name}, {name!r})")
        else:
            width = f"{self.precision.size} * _row_{name} * {self.arguments.read('@size')}"
            lines.append(f"_at_{name} += {width}")
        return lines

    def _values(self, read: set[str]) -> Iterable[tuple[str, Layout]]:
        return [(name, layout) for name, layout in self.layouts.items() if name in read]

    def _per_neuron(self, read: set[str]) -> list[str]:
        lines = ["i = float(_n)"] if "i" in read else []
        for name, layout in self._values(read):
            if layout in ("per_neuron", "series_per_neuron"):
                lines.append(f"{local(name)} = load(_at_{name}, _n, {name!r})")
        return lines

    def _load_states(self, states: list[str]) -> list[str]:
        return [f"{local(s)} = load(_at_{s}, _n, {s!r})" for s in states]

    def _store_states(self, states: Iterable[str]) -> list[str]:
        return [f"store(_at_{s}, _n, {local(s)}, {s!r})" for s in states]

    def _addresses(self, entries: list[str]) -> list[str]:
        return [f"_at_{e} = {self.arguments.read(e)}" for e in entries]

    def _draw_addresses(self) -> list[str]:
        return [f"_draw{d.key} = {self.arguments.read(f'@draw{d.key}')}" for d in self.code.draws]

    def _line(self, tree: Expr) -> str:
        return line(tree, self._draw, self.precision)

    def _draw(self, draw: Draw) -> str:
        # From the buffer that phase 1 has filled: the generator makes four numbers at once.
        return f"load(_draw{draw.key}, _n, '_draw{draw.key}')"
