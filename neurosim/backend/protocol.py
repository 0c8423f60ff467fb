"""What a backend offers: a report of what it can run, and an engine that runs it; backends are found by their entry points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np

from ..errors import LoweringError, NetworkError, describe_unknown
from ..ir.concrete import ConcreteNetwork
from ..ir.memory import Memory
from ..ir.program import Program
from ..model.rule import Rule
from ..network.network import Network

STATUSES = ("exact", "approximated", "impossible")


@dataclass(frozen=True)
class Row:
    """One line of a report: a place in the network, what happens to it, why, and what to do."""

    place: str
    status: str
    reason: str
    remedy: str = ""


@dataclass(frozen=True)
class Report:
    """What a backend will run exactly, approximate, or refuse."""

    backend: str
    network: str
    rows: tuple[Row, ...]

    @property
    def possible(self) -> bool:
        """Whether no row is impossible."""
        return all(row.status != "impossible" for row in self.rows)

    def of(self, status: str) -> tuple[Row, ...]:
        """Return the rows of one status."""
        return tuple(row for row in self.rows if row.status == status)

    def demand(self) -> None:
        """Raise LoweringError if anything is impossible."""
        wrong = self.of("impossible")
        if wrong:
            listed = "\n".join(
                f"  {r.place}: {r.reason}" + (f" {r.remedy}" if r.remedy else "") for r in wrong
            )
            raise LoweringError(
                f"backend {self.backend!r} cannot run network {self.network!r}:\n{listed}", self
            )

    def __str__(self) -> str:
        counts = (
            ", ".join(f"{len(self.of(s))} {s}" for s in STATUSES if self.of(s)) or "nothing in it"
        )
        width = max((len(r.place) for r in self.rows), default=0)
        lines = [f"network {self.network!r} on backend {self.backend!r}: {counts}"]
        lines += [
            f"  {r.status:<12} {r.place:<{width}}  {r.reason}"
            + (f" {r.remedy}" if r.remedy else "")
            for r in self.rows
        ]
        return "\n".join(lines)


@dataclass
class Chunk:
    """What an engine recorded in some steps; traces and spikes by the number of their probe.

    Attributes
    ----------
    steps : number of whole steps done
    finite : False if the next one, left after phase 3, brought a value that is not finite
    spikes : probe -> (neurons, steps), by step, then neuron
    traces : probe -> (T, M)
    """

    steps: int
    finite: bool = True
    spikes: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    traces: dict[int, np.ndarray] = field(default_factory=dict)


class Stretch:
    """What probes record in some steps, for engines that go step by step."""

    def __init__(self, program: Program, memory: Memory) -> None:
        self._program, self._memory, self.steps = program, memory, 0
        self._found: dict[int, list[Any]] = {i: [] for i in range(len(program.probes))}

    def keep(self, step: int) -> None:
        """Record the end of a step."""
        for i, probe in enumerate(self._program.probes):
            if probe.variable == "spikes":
                fired = self._memory.spikes(probe.owner.name, step)
                fired = fired if probe.owner.whole else fired[np.isin(fired, probe.owner.indices)]
                self._found[i].append((fired, np.full(fired.size, step, np.int64)))
            elif (step + 1) % probe.every == 0:
                self._found[i].append(self._memory.sample(probe, step))
        self.steps += 1

    def chunk(self, *, finite: bool) -> Chunk:
        """Return what was recorded."""
        none = (np.zeros(0, np.int32), np.zeros(0, np.int64))
        spikes = {i for i, probe in enumerate(self._program.probes) if probe.variable == "spikes"}
        return Chunk(
            self.steps,
            finite,
            {
                i: tuple(np.concatenate(part) for part in zip(none, *self._found[i], strict=True))
                for i in spikes
            },
            {i: np.array(found, np.float64) for i, found in self._found.items() if i not in spikes},
        )


class Engine(Protocol):
    """Runs a Program over a Memory."""

    memory: Memory

    def advance(self, first: int, steps: int, *, more: bool = False) -> Chunk:
        """Run at most ``steps`` steps from step ``first``; fewer if a buffer is full or a value is not finite.

        ``more``: other steps follow before anybody looks at memory, so that work on it may be put off.
        """
        ...

    def emit(self, signal: str, step: int) -> None:
        """Run the handlers of a signal at the end of ``step``."""
        ...

    def refresh(self) -> None:
        """Take notice that the host changed memory between stretches; arrays may have been replaced."""
        ...

    def source(self) -> str:
        """Return the generated source, or a sentence that says why there is none."""
        ...


class Backend(Protocol):
    """A way to run networks."""

    name: str
    summary: str

    def missing(self) -> str | None:
        """Return what is not installed, with the command that installs it; None if all is there."""
        ...

    def check(self, network: Network, **options: Any) -> Report:
        """Say what will be exact, approximated, impossible under the options of `prepare`; never runs."""
        ...

    def prepare(self, program: Program, network: Any, **options: Any) -> Engine:
        """Return an engine; options are checked by the backend."""
        ...


class Simulator(Protocol):
    """A way to run networks that has a clock and a memory of its own: another simulator, or a machine. Its runs may lack verbs, as its report says."""

    name: str
    summary: str

    def missing(self) -> str | None:
        """Return what is not installed, with the command that installs it; None if all is there."""
        ...

    def check(self, network: Network, **options: Any) -> Report:
        """Say what will be exact, approximated, impossible under the options of `open`; never runs."""
        ...

    def open(self, network: ConcreteNetwork, report: Report, **options: Any) -> Any:
        """Return a run with ``run``, ``result``, ``time`` and ``source``."""
        ...

    def export(
        self, network: ConcreteNetwork, report: Report, folder: Any, *, time: float, **options: Any
    ) -> Any:
        """Write a folder that runs without neurosim, and return its path."""
        ...


class Configured:
    """A backend that is given the same options each time; ``str`` names it with them.

    Raises
    ------
    NetworkError
        From its verbs: if the caller gives one of the options as well.
    """

    def __init__(self, backend: Backend | Simulator, options: Mapping[str, Any]) -> None:
        self.name, self.summary, self.missing, self.options = (
            backend.name,
            backend.summary,
            backend.missing,
            options,
        )
        for verb in (
            "check",
            "prepare",
            "open",
        ):  # `prepare` and `open` tell apart what has an engine and what has a clock of its own
            if hasattr(backend, verb):
                setattr(self, verb, partial(self._call, getattr(backend, verb)))

    def __str__(self) -> str:
        return ", ".join([self.name, *(f"{name}={value}" for name, value in self.options.items())])

    def _call(self, verb: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        for name in self.options.keys() & more.keys():
            raise NetworkError(
                f"backend {self.name!r}, option {name!r}: found {self.options[name]!r}, expected none: "
                f"the model sets it, to {more[name]!r}. Leave it out."
            )
        return verb(*arguments, **self.options, **more)


def _entries() -> Iterable[Any]:
    from importlib.metadata import (
        entry_points,
    )  # slow to import, and not needed before the first run

    return entry_points(group="neurosim.backends")


def names() -> list[str]:
    """Return the names of the backends on this machine."""
    return sorted(entry.name for entry in _entries())


def find(name: str | Backend | Simulator) -> Any:
    """Return a backend by name.

    Raises
    ------
    NetworkError
        If there is none of this name, or what it needs is not installed.
    """
    if not isinstance(name, str):
        return name
    for entry in _entries():
        if entry.name == name:
            backend = entry.load()
            missing = backend.missing()
            if missing:
                raise NetworkError(f"backend {name!r} is not installed: {missing}")
            return backend
    raise NetworkError(describe_unknown("backend", name, names()))


def middle_rows(network: Network) -> Iterable[Row]:
    """Yield the rows that every engine of the explicit step shares: methods of cells, projections, sources."""
    from ..draws.values import Shared, Table
    from ..ir.discretise import cell_program

    for p in network.populations.values():
        if p.given is not None:
            yield Row(f"population {p.name!r}", "exact", f"{p.given[0].size} given spikes.")
            continue
        tables = tuple(n for n, v in p.values.items() if isinstance(v, Table))
        try:
            code = cell_program(p.cell, tables)
        except ValueError as error:
            yield Row(f"population {p.name!r}", "impossible", str(error))
            continue
        methods = "; ".join(f"{s}: {m.replace('_', ' ')}" for s, m in code.methods)
        how = (
            "explicit step statements"
            if p.cell.step is not None
            else methods or "no equations to integrate"
        )
        yield Row(f"population {p.name!r}", "exact", f"{how}.")
    for item in network.inputs:
        place = f"{'projection' if hasattr(item, 'connector') else 'drive'} {item.name!r}"
        if getattr(item, "same_step", False):
            yield Row(
                place,
                "impossible",
                "same-step projections are not implemented on this backend.",
                "Use a delay of 0, which the next step feels.",
            )
        elif isinstance(item.weight, Shared):
            yield Row(
                place,
                "impossible",
                "weights shared between edges are not implemented on this backend.",
                "Give one weight per edge: values[index].",
            )
        elif getattr(item, "rule", None) is not None:
            yield Row(place, "exact", f"rule {item.rule.name!r}.{_unseen(item.rule)}")
        else:
            yield Row(
                place,
                "exact",
                "static weights." if hasattr(item, "connector") else "Poisson counts.",
            )


def _unseen(rule: Rule) -> str:
    """Say what nobody sees in a picture of the network: signals that must be emitted, and that nothing is delivered."""
    signals = (
        f" It listens to {'signal' if len(rule.signals) == 1 else 'signals'} {', '.join(map(repr, rule.signals))}."
        if rule.signals
        else ""
    )
    delivers = any(s.target == "out" for h in rule.handlers for s in h.statements)
    return signals + ("" if delivers else " It delivers nothing.")
