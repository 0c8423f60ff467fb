"""Prints all steps of a population as two loops: one forward, one backward.

Neurons of all samples lie side by side, M of them; a series has a row of M numbers for each step.
Both loops handle a range of neurons, whose states lie in arrays of their own and are changed in
place from step to step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from neurosim.expr.printing import docstring
from neurosim.expr.tree import Expr, draws, names
from neurosim.ir.program import HELD, CellProgram

from ...tensors.printing import draw_name
from .operations import Tape


@dataclass(frozen=True)
class LoopCell:
    """A cell and what its loops depend on besides its equations.

    Attributes
    ----------
    code : CellProgram
    distance : Expr or None
        From the threshold; None: the cell never spikes.
    precision : str
    refractory : bool
        Whether any neuron is ever refractory.
    single : names
        Parameters and constants with one value for all neurons.
    series : names
        ``_port_x`` of ports with input, parameters that change from step to step, and draws.
    traced : names of states
        Whose values of all steps are returned.
    wanted : names
        Parameters, constants and series by which is differentiated; empty: no derivatives.
    differentiated : bool
    cut : bool
        Whether no gradient passes between some steps.
    """

    code: CellProgram = field(compare=False)
    distance: Expr | None = field(compare=False)
    precision: str
    refractory: bool
    single: frozenset[str]
    series: frozenset[str]
    traced: tuple[str, ...]
    wanted: frozenset[str]
    differentiated: bool
    cut: bool


def names_read(code: CellProgram, distance: Expr | None) -> frozenset[str]:
    """Return the names, words and draws that the equations of a cell read.

    Parameters
    ----------
    code : CellProgram
    distance : Expr or None
        From the threshold.
    """
    trees = [statement.value for statement in (*code.integrate, *code.after)]
    trees += [tree for tree in (code.detect, distance) if tree is not None]
    read: set[str] = set()
    for tree in trees:
        read |= names(tree)
        read |= {draw_name(draw) for draw in draws(tree)}
    return frozenset(read)


def print_loops(cell: LoopCell) -> tuple[str, dict[str, list[str]]]:
    """Return the source of the loops, and the entries of the arguments of each by its name.

    ``forward`` runs the steps. If they are differentiated it also stores what ``backward`` reads.

    Parameters
    ----------
    cell : LoopCell
    """
    printers = {"forward": _Printer(cell)}
    lines = printers["forward"].forward()
    if cell.differentiated:
        printers["backward"] = _Printer(cell)
        lines += ["", "", *printers["backward"].backward()]
    body = "\n".join(lines)
    header = [
        docstring(f"Cell {cell.code.name!r}: all steps in one loop, printed from its equations."),
        "",
        "from neurosim.backends.gpu.training.loops.words import WORDS",
        "from neurosim.compiled.cached import cfunc",
        "",
        'loop = cfunc("int64(int64, int64, int64)")',
        f"globals().update(WORDS[{cell.precision!r}])",
        "",
        "",
    ]
    entries = {name: printer.entries for name, printer in printers.items()}
    return "\n".join([*header, body]) + "\n", entries


# Arguments that are numbers: the first step, how many there are, and neurons of all samples.
_COUNTS = ("_first", "_steps", "_size")


class _Printer:
    """One of both loops."""

    def __init__(self, cell: LoopCell) -> None:
        self.cell = cell
        self.code = cell.code
        self.entries: list[str] = []
        self._setup: list[str] = []
        self._per_step: list[str] = []
        self._loads: list[str] = []
        self._addresses: dict[str, str] = {}
        self._values: dict[str, str] = {}
        self._active: set[str] = set()

    # ---- arrays

    def _argument(self, entry: str) -> str:
        # All arguments come as addresses in one array: a loop has one signature for all cells.
        if entry not in self.entries:
            self.entries.append(entry)
        return f"load_long(args, {self.entries.index(entry)}, 'args')"

    def _address(self, entry: str) -> str:
        if entry not in self._addresses:
            self._addresses[entry] = f"_at{len(self._addresses)}"
            self._setup.append(f"{self._addresses[entry]} = {self._argument(entry)}")
        return self._addresses[entry]

    def _load(self, entry: str, index: str = "_n", *, word: str = "load") -> str:
        return f"{word}({self._address(entry)}, {index}, {entry!r})"

    def _store(
        self,
        entry: str,
        value: str,
        index: str = "_n",
        *,
        word: str = "store",
    ) -> str:
        return f"{word}({self._address(entry)}, {index}, {value}, {entry!r})"

    # ---- values

    def _read_values(self) -> None:
        """Give all names that the equations read a name in printed source."""
        assigned = {statement.target for statement in self.code.integrate}
        read = names_read(self.code, self.cell.distance) - assigned - set(self.code.states)
        for number, name in enumerate(sorted(read)):
            self._values[name] = value = f"_value{number}"
            if name == "t":
                # The product is of float64: in float32, late steps could not be told apart.
                self._per_step.append(f"{value} = real((_first + _k) * _dt)")
                self._setup.append(f"_dt = {self._load('@dt', '0', word='load_double')}")
            elif name in self.cell.series:
                self._loads.append(f"{value} = {self._load(name, '_row + _n')}")
            # A port without a series has no input.
            elif name.startswith("_port_"):
                self._values[name] = "zero"
            elif name in self.cell.single:
                self._setup.append(f"{value} = {self._load(name, '0')}")
            else:
                self._loads.append(f"{value} = {self._load(name)}")
            if name in self.cell.wanted:
                self._active.add(value)

    def _step(self, tape: Tape) -> tuple[str | None, dict[str, str]]:
        """Record phase 2; return the distance from threshold and the states."""
        for statement in self.code.integrate:
            before = tape.values.get(statement.target)
            after = tape.assign(statement.target, statement.value)
            if statement.target in self.code.frozen and self.cell.refractory and before:
                tape.values[statement.target] = tape.select("_active", after, before)
        states = {name: tape.values[name] for name in self.code.states}
        if self.cell.distance is None:
            return None, states
        return tape.value(self.cell.distance), states

    def _reset(self, tape: Tape, states: dict[str, str]) -> dict[str, str]:
        """Record phase 5; return the states after it."""
        result = dict(states)
        for statement in self.code.after:
            tape.assign(statement.target, statement.value)
        for name in dict.fromkeys(statement.target for statement in self.code.after):
            # The mask has no derivative: the reset is detached from the spike.
            result[name] = tape.select("_spiking", tape.values[name], states[name])
        return result

    # ---- loops

    def forward(self) -> list[str]:
        cell = self.cell
        self._read_values()
        for name in self.code.states:
            self._values[name] = f"_state_{name}"
            self._loads.append(f"_state_{name} = {self._load(f'state {name}')}")
        # No active names: the forward loop records no derivatives.
        tape = Tape(self._values, set())
        inner: list[str] = []
        if cell.refractory:
            inner.append(f"_until = {self._load('until', word='load_long')}")
            inner.append("_active = _until < _first + _k")
        distance, states = self._step(tape)
        if self.code.detect is not None:
            # The condition must be known before the lines of the reset, which select by it.
            condition = tape.condition(self.code.detect)
            inner += tape.lines
            gate = " & _active" if cell.refractory else ""
            inner.append(f"_spiking = {condition}{gate}")
            done = len(tape.lines)
            states = self._reset(tape, states)
            inner += tape.lines[done:]
            inner += self._detection(distance)
        else:
            inner += tape.lines
        inner += [self._store(f"state {name}", value) for name, value in states.items()]
        stores = [(f"trace {name}", "_row + _n", name) for name in cell.traced]
        if cell.differentiated:
            # Row 0 has the states before the first step.
            stores += [(f"stored {name}", "_row + _size + _n", name) for name in self.code.states]
        inner += [self._store(entry, states[name], index) for entry, index, name in stores]
        return self._function("forward", "_k = _j", inner)

    def _detection(self, distance: str | None) -> list[str]:
        cell = self.cell
        lines = [self._store("spikes", "truth(_spiking)", "_row + _n")]
        if cell.differentiated and distance is not None:
            lines.append(self._store("distance", distance, "_row + _n"))
        if cell.refractory:
            pause = self._load("pause", word="load_long")
            until = f"({pause} + _first + _k) if _spiking else _until"
            lines.append(self._store("until", until, word="store_long"))
            if cell.differentiated:
                lines.append(self._store("active", "flag(_active)", "_row + _n", word="store_byte"))
        return lines

    def backward(self) -> list[str]:
        cell = self.cell
        self._read_values()
        for name in self.code.states:
            self._values[name] = f"_state_{name}"
            self._active.add(f"_state_{name}")
            self._loads.append(f"_state_{name} = {self._load(f'stored {name}', '_row + _n')}")
        tape = Tape(self._values, self._active)
        inner: list[str] = []
        if cell.refractory:
            inner.append(f"_active = {self._load('active', '_row + _n', word='load_byte')} != 0")
        # Spikes are read, not detected again: both loops must reset the same neurons.
        if self.code.detect is not None:
            inner.append(f"_spiking = {self._load('spikes', '_row + _n')} != zero")
        distance, states = self._step(tape)
        after = self._reset(tape, states)
        inner += tape.lines
        adjoints = self._errors_of_states(after, inner)
        if distance is not None:
            inner += self._gate(tape)
            adjoints[distance] = "_error"
        lines, known = tape.differentiate(adjoints)
        inner += lines
        for name in self.code.states:
            carried = known.get(f"_state_{name}", "zero")
            if cell.cut:
                carried += " * _pass"
            inner.append(self._store(f"carry {name}", carried))
        for name in sorted(cell.wanted):
            inner += self._gather(name, known.get(self._values.get(name, ""), "zero"))
        if cell.cut:
            self._per_step.append(f"_pass = {self._load('pass', '_k')}")
        return self._function("backward", "_k = _steps - 1 - _j", inner)

    def _errors_of_states(self, after: dict[str, str], inner: list[str]) -> dict[str, str]:
        """Add lines that read the errors of states after a step; return them by name of value."""
        adjoints: dict[str, str] = {}
        for number, name in enumerate(self.code.states):
            error = self._load(f"carry {name}")
            if name in self.cell.traced:
                error += f" + {self._load(f'traced {name}', '_row + _n')}"
            # Two states may be one value, whose errors add up.
            if after[name] in adjoints:
                error += f" + {adjoints[after[name]]}"
            inner.append(f"_end{number} = {error}")
            adjoints[after[name]] = f"_end{number}"
        return adjoints

    def _gate(self, tape: Tape) -> list[str]:
        """Return lines that read the error of a spike: none passes if the neuron must not spike."""
        masks = ["_active"] if self.cell.refractory else []
        if HELD in tape.values:
            masks.append(f"({tape.values[HELD]} == zero)")
        error = self._load("error", "_row + _n")
        if masks:
            error = f"where({' & '.join(masks)}, {error}, zero)"
        return [f"_error = {error}"]

    def _gather(self, name: str, gradient: str) -> Iterable[str]:
        if name in self.cell.series:
            yield self._store(f"gradient {name}", gradient, "_row + _n")
        else:
            total = f"{self._load(f'gradient {name}')} + {gradient}"
            yield self._store(f"gradient {name}", total)

    def _function(self, name: str, order: str, inner: list[str]) -> list[str]:
        # Steps are the outer loop, so that the states of a block stay in the first cache.
        counts = [f"{word} = {self._argument(f'@{word}')}" for word in _COUNTS]
        steps = [order, "_row = _k * _size", *self._per_step, "for _n in range(start, stop):"]
        setup = [*counts, *self._setup, "for _j in range(_steps):"]
        return [
            "@loop",
            f"def {name}(args, start, stop):",
            *(f"    {text}" for text in setup),
            *(f"        {text}" for text in steps),
            *(f"            {text}" for text in [*self._loads, *inner] or ["pass"]),
            "    return 0",
        ]
