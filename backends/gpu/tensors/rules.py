"""Phase 4 of a projection with a rule: the domains of its statements, events, sums, deliveries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from neurosim.draws import streams
from neurosim.expr.printing import docstring
from neurosim.expr.tree import Draw, Name, draws, names
from neurosim.ir.program import PlasticProjection, Program
from neurosim.model.binding import BoundStatement
from neurosim.model.names import Domain

from . import draws as tensor_draws
from .compiled import Compiler
from .delivery import EVERYONE, ArrivingSpikes, Reach, whole_numbers
from .populations import Clock, TensorPopulation
from .printing import draw_name, line, load, local
from .reading import Read, Reader, draw_indices, draw_replicas
from .samples import Samples

Active = Mapping[str, Reach]
"""By side ("pre", "post", "edge"), the elements on which statements act."""


@dataclass(frozen=True)
class Statement:
    """A statement of a rule, printed and loaded.

    Attributes
    ----------
    bound : BoundStatement
    side : Domain or "neurons"
        The elements for which it is evaluated; "neurons" of the side whose state it assigns.
    value : values -> tensor
    names : names that it reads, its draws not
    draws : its random numbers
    """

    bound: BoundStatement
    side: Domain | Literal["neurons"]
    value: Callable[[Mapping[str, Any]], Any]
    names: tuple[str, ...]
    draws: tuple[Draw, ...]


class TensorRule:
    """A projection with a rule over tensors.

    Parameters
    ----------
    p : PlasticProjection
    program : Program
    samples : Samples
    populations : name -> TensorPopulation
    reader : Reader
    words : names of functions -> functions
    replica : int or (B, 1) int64
    compiler : Compiler, optional
        Of its draws, and of the statements that all elements execute in each step.

    Attributes
    ----------
    source : str
        Of its statements, as they run.
    changes_cells : bool
        Whether handlers change states of the cells at its ends.
    """

    def __init__(
        self,
        p: PlasticProjection,
        program: Program,
        samples: Samples,
        *,
        populations: Mapping[str, TensorPopulation],
        reader: Reader,
        words: Mapping[str, Any],
        replica: Any,
        compiler: Compiler | None = None,
    ) -> None:
        self.p = p
        self._seed = program.seed
        self._samples = samples
        self._rings = {"pre": populations[p.source].ring, "post": populations[p.target].ring}
        self._reader = reader
        self._replica = replica
        self.repeat = 0
        self._handlers, self._integrate, self.source = _load(p, words)
        self._draw_functions = tensor_draws.PLAIN
        if compiler is not None:
            self._draw_functions = compiler.draws
            self._integrate = _compiled(self._integrate, compiler)
            # Events reach other edges each time: compiling for all sizes costs more than it saves.
            self._handlers = tuple(
                (trigger, _compiled(body, compiler) if trigger == "step" else body)
                for trigger, body in self._handlers
            )
        self.changes_cells = changes_cells(p)
        # Spikes are followed for the sides that have handlers alone.
        count = len(samples.memories)
        triggers = {trigger for trigger, _ in self._handlers}
        self._arriving = {
            side: ArrivingSpikes(p.groups(side), samples=count, device=samples.device)
            for side in ("pre", "post")
            if side in triggers
        }
        self._targets = whole_numbers(p.targets, samples.device)
        self._dendritic: int | Tensor
        if isinstance(p.dendritic, np.ndarray):
            self._dendritic = whole_numbers(p.dendritic, samples.device)
        else:
            self._dendritic = p.dendritic
        self.since = np.zeros(count, np.int64)
        self.follow()

    def follow(self) -> None:
        """Follow changes of memory by the host."""
        self.since = np.array([m[self.p.name, "_since"][0] for m in self._samples.memories])

    # ---- triggers

    def integrate(self, clock: Clock) -> None:
        """Run the equations that have no closed form, for all members of a side."""
        if self._integrate:
            self._run(self._integrate, _everyone(EVERYONE), clock)

    def deliver(self, clock: Clock, sides: Set[str]) -> None:
        """Run the "pre" and "post" handlers in their order, those that are named."""
        for trigger, statements in self._handlers:
            if trigger in sides:
                # Spikes before a reset do not arrive any more.
                arriving = self._arriving[trigger]
                groups = arriving.groups(self._rings[trigger], clock.step, self.since)
                if groups is not None:
                    edges = arriving.edges(groups)
                    active = _everyone(EVERYONE) | {trigger: groups, "edge": edges}
                    self._run(statements, active, clock)

    def handle_step(self, clock: Clock) -> None:
        """Run the "step" handlers."""
        self.handle_signal("step", clock, None)

    def handle_signal(self, signal: str, clock: Clock, sample: int | None) -> None:
        """Run the handlers of a signal.

        Parameters
        ----------
        signal : str
        clock : Clock
        sample : int, optional
            The only one to which it is emitted; None: all.
        """
        for trigger, statements in self._handlers:
            if trigger == signal:
                active = _everyone(EVERYONE) if sample is None else self._all_of(sample)
                self._run(statements, active, clock)

    def _all_of(self, sample: int) -> dict[str, Reach]:
        """Return all elements of one sample."""

        def reach(size: int) -> Reach:
            element = torch.arange(size, device=self._samples.device)
            return Reach(torch.full_like(element, sample), element)

        active = {"edge": reach(self.p.targets.size), "pre": reach(self.p.pre_groups.neuron.size)}
        if self.p.post_groups is not None:
            active["post"] = reach(self.p.post_groups.neuron.size)
        return active

    # ---- statements

    def _run(self, statements: tuple[Statement, ...], active: Active, clock: Clock) -> None:
        """Run statements, each for all its edges or groups before the next."""
        computed: dict[str, Any] = {}
        for statement in statements:
            if statement.bound.action in ("add_to_cell", "assign_cell"):
                self._change_cell(statement, active["edge"], clock)
                continue
            reach = active[statement.side]
            value = self._evaluate(statement, reach, computed, clock)
            match statement.bound.action:
                case "compute":
                    # A copy of a bare name: its tensor may be assigned before this is read.
                    bare = isinstance(statement.bound.value, Name)
                    computed[statement.bound.target] = value.clone() if bare else value
                case "deliver":
                    self._deliver(value, reach, clock)
                case "sum":
                    self._sum(statement.bound, value, reach, clock)
                case _:
                    self._assign(statement.bound.target, value, reach, clock)

    def _evaluate(
        self,
        s: Statement,
        reach: Reach,
        computed: Mapping[str, Any],
        clock: Clock,
    ) -> Any:
        # Names that the handler has computed are read from there, all others from tensors.
        values: dict[str, Any] = {}
        for name in s.names:
            if name in computed:
                values[name] = computed[name]
            else:
                read = self._read(s, name)
                values[name] = read(reach, clock)
        for node in s.draws:
            values[draw_name(node)] = self._draw(node, s.side, reach, clock)
        return s.value(values)

    def _read(self, s: Statement, name: str) -> Read:
        if s.side == "neurons":
            return self._reader.read_at_neurons(self.p, name)
        return self._reader.read(self.p, name, s.side)

    def _draw(
        self,
        node: Draw,
        side: Domain | Literal["neurons"],
        reach: Reach,
        clock: Clock,
    ) -> Tensor:
        key = streams.key_of(self._seed, f"{self.p.name}/draw{node.key}")
        if side == "edge" or side == "neurons":
            index = reach.element
            if index is None:
                # A draw has the number of its edge, whichever other edges are active.
                index = torch.arange(self.p.targets.size, device=self._samples.device)
        else:
            index = draw_indices(reach, self._reader.neurons(self.p, side))
        numbers = tensor_draws.draw(
            node.kind,
            streams.repeated(key, self.repeat),
            index,
            clock.step,
            replica=draw_replicas(reach, self._replica),
            functions=self._draw_functions,
        )
        return numbers.to(clock.dt.dtype)

    def _assign(
        self,
        name: str,
        value: Any,
        reach: Reach,
        clock: Clock,
    ) -> None:
        tensor = self._samples.tensors[self.p.name, name]
        last = self._samples.tensors.get((self.p.name, f"{name}@last"))
        if reach.element is None:
            tensor.copy_(torch.as_tensor(value))
            if last is not None:
                last.fill_(clock.step)
            return
        index = reach.flat(reach.element, tensor.shape[1])
        tensor.view(-1)[index] = torch.as_tensor(value, dtype=tensor.dtype)
        if last is not None:
            # Its course is computed from here when it is next read; nothing is done per step.
            last.view(-1)[index] = clock.step

    def _deliver(self, value: Any, reach: Reach, clock: Clock) -> None:
        ring = self._samples.tensors[self.p.name, "_ring"]  # (B, depth, N)
        samples, depth, size = ring.shape
        row = self._dendritic
        if isinstance(row, Tensor) and reach.element is not None:
            row = row[reach.element]
        # The ring has one row more than the longest dendritic delay, so no row is used twice.
        row = (clock.step + row) % depth
        if reach.element is None:
            target = row * size + self._targets
            sample = torch.arange(samples, device=target.device)[:, None]
            index = sample * (depth * size) + target
        else:
            target = row * size + self._targets[reach.element]
            index = reach.flat(target, depth * size)
        add(ring.view(-1), index, value)

    def _sum(
        self,
        s: BoundStatement,
        value: Any,
        reach: Reach,
        clock: Clock,
    ) -> None:
        tensor = self._samples.tensors[self.p.name, s.target]
        groups_of_edges = self._reader.groups_of_edges(self.p, s.side)
        index = _positions(groups_of_edges, reach, tensor)
        # Summed from 0 and then added to the variable: so all engines round alike.
        total = torch.zeros_like(tensor).view(-1)
        add(total, index, value)
        # Only groups with an active edge are assigned; the course of others continues.
        position, groups = _reached(index, tensor)
        read = self._reader.variable(self.p, s.target)
        new = read(groups, clock) + total[position]
        self._assign(s.target, new, groups, clock)

    def _change_cell(self, s: Statement, edges: Reach, clock: Clock) -> None:
        """Change a state of the neurons at one end of the active edges, of each once."""
        side = s.bound.side
        owner = self.p.source if side == "pre" else self.p.target
        state = self._samples.tensors[owner, self.p.symbols[s.bound.target].origin]
        index = _positions(self._reader.ends(self.p, side), edges, state)
        position, neurons = _reached(index, state)
        if s.bound.action == "add_to_cell":
            total = torch.zeros_like(state).view(-1)
            terms = self._evaluate(s, edges, {}, clock)
            add(total, index, terms)
            new = state.view(-1)[position] + total[position]
        else:
            value = self._evaluate(s, neurons, {}, clock)
            # One number may hold for all neurons: it is expanded, so that the mask below fits.
            number = torch.as_tensor(value, dtype=state.dtype, device=state.device)
            new = number.expand(position.shape)
        # A frozen state keeps its value while its neuron is refractory.
        if s.bound.frozen:
            until = self._samples.tensors[owner, "_until"].view(-1)
            free = clock.step > until[position]
            position = position[free]
            new = new[free]
        state.view(-1)[position] = new


def changes_cells(p: PlasticProjection) -> bool:
    """Return whether handlers of a projection's rule change states of the cells at its ends."""
    statements = (s for _, body in p.code.handlers for s in body)
    return any(s.action in ("add_to_cell", "assign_cell") for s in statements)


def add(total: Tensor, index: Tensor, value: Any) -> None:
    """Add values to a flat tensor in their order, several to one element included.

    Parameters
    ----------
    total : (n,)
        Changed in place.
    index : int64 of any shape
    value : number or tensor that broadcasts with the index
    """
    value = torch.as_tensor(value, dtype=total.dtype, device=total.device).expand(index.shape)
    # In one dimension and on one thread of the CPU, torch adds from the first to the last.
    total.index_add_(0, index.reshape(-1), value.reshape(-1))


def _positions(element: Tensor, reach: Reach, like: Tensor) -> Tensor:
    """Return the flat positions of what active edges belong to: their groups or neurons.

    Parameters
    ----------
    element : (E,) int64
        Of each edge.
    reach : Reach
        The active edges.
    like : (B, n)
        Holds the values of all elements.
    """
    samples, size = like.shape
    if reach.element is not None:
        return reach.flat(element[reach.element], size)
    sample = torch.arange(samples, device=element.device)[:, None]
    return sample * size + element


def _reached(index: Tensor, like: Tensor) -> tuple[Tensor, Reach]:
    """Return positions, each once and ascending, flat and by sample and element."""
    samples, size = like.shape
    is_reached = torch.zeros(like.numel(), dtype=torch.bool, device=like.device)
    is_reached[index.reshape(-1)] = True
    # By marks, not by `unique`, which sorts all edges.
    position = is_reached.nonzero().squeeze(-1)
    sample = position // size if samples > 1 else None
    return position, Reach(sample, position % size)


def _everyone(reach: Reach) -> dict[str, Reach]:
    return {"pre": reach, "post": reach, "edge": reach}


Handlers = tuple[tuple[str, tuple[Statement, ...]], ...]


def _compiled(statements: tuple[Statement, ...], compiler: Compiler) -> tuple[Statement, ...]:
    return tuple(replace(s, value=compiler.compiled(s.value)) for s in statements)


def _load(
    p: PlasticProjection, words: Mapping[str, Any]
) -> tuple[Handlers, tuple[Statement, ...], str]:
    """Print and load the statements of a rule; return handlers, equations and the source."""
    bodies = [("integrate", p.code.integrate), *p.code.handlers]
    lines = [docstring(f"Rule {p.code.name!r}: its statements over tensors."), ""]
    for number, (trigger, statements) in enumerate(bodies):
        for position, s in enumerate(statements):
            target = f"{s.action} {s.target}" if s.action != "deliver" else "deliver"
            title = docstring(f"{trigger!r}, statement {position}: {target}.")
            lines += ["", "", *_function(f"value_{number}_{position}", s, title)]
    source = "\n".join(lines) + "\n"
    functions = load(source, words, title=f"rule {p.code.name}")
    loaded: list[tuple[str, tuple[Statement, ...]]] = []
    for number, (trigger, statements) in enumerate(bodies):
        body = []
        for position, s in enumerate(statements):
            value = functions[f"value_{number}_{position}"]
            body.append(_statement(s, value))
        loaded.append((trigger, tuple(body)))
    (_, equations), *handlers = loaded
    return tuple(handlers), equations, source


def _function(name: str, s: BoundStatement, title: str) -> list[str]:
    # Sorted: sets have no order, and the same rule is to print the same source.
    read = sorted(names(s.value))
    read += sorted(draw_name(d) for d in draws(s.value))
    assignments = [f"{local(n)} = values[{n!r}]" for n in read]
    body = [title, *assignments, f"return {line(s.value)}"]
    return [f"def {name}(values):", *(f"    {text}" for text in body)]


def _statement(s: BoundStatement, value: Callable[[Mapping[str, Any]], Any]) -> Statement:
    side: Domain | Literal["neurons"] = "edge"
    if s.action in ("assign", "compute"):
        side = s.side
    elif s.action == "assign_cell":
        side = "neurons"
    return Statement(
        bound=s,
        side=side,
        value=value,
        names=tuple(sorted(names(s.value))),
        draws=tuple(sorted(draws(s.value), key=repr)),
    )
