"""Prints the statements of a cell as two kernels: phases 2 and 3 of a step, and phase 5."""

from __future__ import annotations

from collections.abc import Iterable

from neurosim.expr.printing import docstring
from neurosim.expr.tree import Draw, Expr, draws, names
from neurosim.ir.program import PopulationProgram

from .printing import Arguments, indent, line, local

# Arguments that every kernel of a population takes: the clock, the keys of its draws, the ring of
# spikes with its depth and width, the population's first column there, and its size.
FIRST = ("_clock", "_keys", "_fired", "_depth", "_width", "_column", "_size")


class CellPrinter:
    """Prints the kernels of a population.

    Parameters
    ----------
    population : PopulationProgram
    dt : float, ms
    single : bool
        Whether numbers are float32.

    Attributes
    ----------
    integrate, reset : str
        Source of the kernels of phases 2 and 3, and 5; the second is empty if no neuron spikes.
    arguments : kernel -> Arguments
    """

    def __init__(self, population: PopulationProgram, *, dt: float, single: bool) -> None:
        self.population = population
        self.code = population.code
        self.dt = dt
        self.single = single
        self.arguments = {"integrate": Arguments(), "reset": Arguments()}
        self._now = self.arguments["integrate"]
        self.integrate = self._print_integrate()
        self._now = self.arguments["reset"]
        self.reset = self._print_reset() if self.code.detect is not None else ""

    # ---- phases 2 and 3

    def _print_integrate(self) -> str:
        code = self.code
        trees = [statement.value for statement in code.integrate]
        if code.detect is not None:
            trees.append(code.detect)
        targets = {statement.target for statement in code.integrate}
        assigned = [state for state in code.states if state in targets]
        body = [*self._setup("2 * _step"), *self._values(trees, code.states)]
        for port in code.ports:
            address = self._address(f"_port_{port}")
            body += [
                f"_port_{port} = tl.load({address}, mask=_lanes)",
                f"tl.store({address}, _spread(0.0, _n), mask=_lanes)",
            ]
        if code.refractory:
            body.append(f"_active = _step > tl.load({self._address('_until')}, mask=_lanes)")
        for statement in code.integrate:
            target = local(statement.target)
            value = self._line(statement.value)
            if statement.target in code.frozen:
                # Computed for all, then discarded: draws and other states do not depend on it.
                value = f"tl.where(_active, {value}, {target})"
            body.append(f"{target} = {value}")
        body += [*self._store(assigned), *self._check(code.states, "2 * _step")]
        spiking = "_lanes"
        if code.detect is not None:
            spiking += f" & ({self._line(code.detect)} != 0)"
            if code.refractory:
                spiking += " & _active"
        else:
            spiking += " & (_n < 0)"
        body.append(f"tl.store({_FIRED}, ({spiking}).to(tl.uint8), mask=_lanes)")
        return self._kernel("integrate", body)

    # ---- phase 5

    def _print_reset(self) -> str:
        code = self.code
        assigned = list(dict.fromkeys(statement.target for statement in code.after))
        body = self._setup("2 * _step + 1")
        body.append(f"_lanes = _lanes & (tl.load({_FIRED}, mask=_lanes, other=0) != 0)")
        body += self._values([statement.value for statement in code.after], ())
        for statement in code.after:
            body.append(f"{local(statement.target)} = {self._line(statement.value)}")
        body += [*self._store(assigned), *self._check(assigned, "2 * _step + 1")]
        if self.population.refractory is not None:
            pause = f"tl.load({self._read('_refractory')}, mask=_lanes)"
            body.append(f"tl.store({self._address('_until')}, _step + {pause}, mask=_lanes)")
        return self._kernel("reset", body)

    # ---- both

    def _kernel(self, name: str, body: list[str]) -> str:
        arguments = self.arguments[name].signature(FIRST)
        title = docstring(f"Cell {self.code.name!r}, printed from its equations.")
        return "\n".join([f"def {name}({arguments}):", *indent([title, *body])]) + "\n"

    @staticmethod
    def _setup(half_step: str) -> list[str]:
        return [
            "_step = tl.load(_clock)",
            "_sample = tl.program_id(1).to(tl.int64)",
            "_n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)",
            # Once a value is not finite, everything stays as it was found.
            f"_lanes = (_n < _size) & _runs(_clock, _n, {half_step})",
        ]

    def _values(self, trees: Iterable[Expr], states: Iterable[str]) -> list[str]:
        """Return lines that load what expressions read, and some states besides."""
        trees = list(trees)
        read = set().union(*map(names, trees))
        lines = []
        if "dt" in read:
            lines.append(f"dt = _spread({self.dt!r}, _n)")
        if "t" in read:
            # In float64: in float32, late steps could not be told apart.
            lines.append(f"t = _real((_step + _n * 0).to(tl.float64) * {self.dt!r})")
        if "i" in read:
            lines.append("i = _real(_n)")
        if "N" in read:
            lines.append("N = _real(_size + _n * 0)")
        computed = {statement.target for statement in self.code.integrate} - set(self.code.states)
        for name in sorted(read - computed - {"t", "dt", "i", "N"} - set(self.code.states)):
            if not name.startswith("_port_"):
                lines.append(f"{local(name)} = tl.load({self._read(name)}, mask=_lanes)")
        for name in self.code.states:
            if name in read or name in set(states):
                lines.append(f"{local(name)} = tl.load({self._address(name)}, mask=_lanes)")
        occurring = set[Draw]().union(*map(draws, trees))
        for draw in sorted(occurring, key=lambda draw: draw.key):
            function = "_uniform" if draw.kind == "uniform" else "_normal"
            key = f"_keys + {2 * self._occurrence(draw)}"
            lines.append(f"_draw{draw.key} = {function}(_n, {key}, _clock, _sample)")
        return lines

    def _occurrence(self, draw: Draw) -> int:
        return [draw.key for draw in self.code.draws].index(draw.key)

    def _read(self, name: str) -> str:
        """Return the address of a parameter or constant, of each neuron or of all."""
        key = (self.population.name, name)
        address = self._now.row(name, key)
        stride = self._now.read(f"_stride_{name}", "stride", key)
        if name in self.code.tables:
            rows = self._now.row(f"rows_{name}", (self.population.name, f"{name}@rows"))
            width = self._now.read(f"_width_{name}", "width", key)
            address = f"{address} + _row({rows}, _step) * {width}"
        return f"{address} + _n * {stride}"

    def _address(self, name: str) -> str:
        """Return the address of a value that each neuron of each sample has."""
        address = self._now.read(f"_at_{name}", "array", (self.population.name, name))
        return f"{address} + _sample * _size + _n"

    def _store(self, states: Iterable[str]) -> list[str]:
        return [
            f"tl.store({self._address(state)}, {local(state)}, mask=_lanes)" for state in states
        ]

    @staticmethod
    def _check(states: Iterable[str], half_step: str) -> list[str]:
        # x - x is 0 for finite numbers alone.
        total = " + ".join(f"({local(state)} - {local(state)})" for state in states)
        if not total:
            return []
        mark = f"tl.atomic_min(_clock + 2 + _n * 0, {half_step}, mask=_lanes & ({total} != 0))"
        return [mark]

    def _line(self, tree: Expr) -> str:
        return line(tree, lambda draw: f"_draw{draw.key}", single=self.single)


_FIRED = "_fired + (_sample * _depth + _step % _depth) * _width + _column + _n"
