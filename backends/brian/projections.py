"""Projections in Brian 2: its synapses and delays, and one pathway for each statement.

Pathways have an order, so that statements run in ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

import numpy as np
from brian2 import Synapses

from neurosim.ir.delay_groups import DelayGroups
from neurosim.ir.program import PlasticProjection, Program, StaticProjection
from neurosim.model.binding import BoundStatement

from .names import Members, Names
from .schedule import DELIVER, slot, stage_of
from .sites import Site, Store
from .text import STEP, draw_at, line

FIRST = 0  # in the order of phase 4


class Wiring:
    """One projection: code is written first, and given to Brian 2 by `build`."""

    def __init__(
        self, p: StaticProjection | PlasticProjection, program: Program, store: Store
    ) -> None:
        self.p = p
        self.program = program
        self.store = store
        self.sources = np.repeat(np.arange(p.pointer.size - 1), np.diff(p.pointer))
        self.groups: dict[str, DelayGroups] = {"pre": p.pre_groups}
        if isinstance(p, PlasticProjection) and p.post_groups is not None:
            self.groups["post"] = p.post_groups
        self.targets = p.targets.astype(np.int64)
        of_edge = {side: g.of_edge.astype(np.int64) for side, g in self.groups.items()}
        self.edges = Members(store, "edge", {"pre": self.sources, "post": self.targets}, of_edge)
        self.ends = {
            side: Members(store, side, {side: g.neuron.astype(np.int64)}, {})
            for side, g in self.groups.items()
        }
        if isinstance(p, PlasticProjection):
            self.names = Names(p, program, store)
        # Of edges that a spike reaches: side of the spike, position in the order, code.
        self.pathways: list[tuple[str, int, list[str]]] = []
        # Of all members: trigger, position in the order, code, members.
        self.runners: list[tuple[str, int, list[str], Members]] = []
        # By side, the variable that marks the members that a spike reaches in this step.
        self.active: dict[str, str] = {}
        # By side, the sum over the edges of each member, and the number of those that were active.
        self.sums: dict[str, tuple[str, str]] = {}
        # By side, the neurons whose states rules change.
        self.cells: dict[str, Members] = {}
        self.landing: str | None = None
        # Pathway, population whose spikes it carries, longest delay.
        self.queues: list[tuple[Any, str, int]] = []
        # The slot in which spikes of sources arrive.
        self.arrival = slot("within", stage_of(p.target, program)) if p.same_step else DELIVER

    def integrate(self, order: Iterator[int]) -> None:
        """Write the equations that are integrated in each step, one runner for each side."""
        if isinstance(self.p, StaticProjection):
            return
        for side, group in groupby(self.p.code.integrate, key=lambda s: s.side):
            members = self.edges if side == "edge" else self.ends[side]
            code: list[str] = []
            # Local names of what only these statements read; users' names have no underscore.
            computed: dict[str, str] = {}
            for s in group:
                value = self._value(s, members, computed)
                if s.action == "compute":
                    computed[s.target] = f"computed_{len(computed)}"
                    code.append(f"{computed[s.target]} = {value}")
                else:
                    code += self._assign(members, s.target, value)
            self.runners.append(("step", next(order), code, members))

    def write(self, order: Iterator[int], *, steps: bool) -> None:
        """Write the statements of the "step" handlers, or all others, in the order of the step."""
        # Brian 2 refuses a pathway from a group without a threshold; its handlers would never run.
        silent = {side for side in ("pre", "post") if self._never_spikes(self._population(side))}
        if isinstance(self.p, StaticProjection):
            if not steps and "pre" not in silent:
                at = None if self.p.shared is None else self.p.shared.astype(np.int64)
                weight = self.edges.read((self.p.name, "w"), at)
                self._over_edges("pre", next(order), [f"{self._landing()} += {weight}"])
            return
        for trigger, statements in self.p.code.handlers:
            if steps == (trigger == "step") and trigger not in silent:
                self._add(trigger, statements, order)

    def _add(
        self, trigger: str, statements: tuple[BoundStatement, ...], order: Iterator[int]
    ) -> None:
        for s in statements:
            if s.action in ("add_to_cell", "assign_cell"):
                self._change_cell(trigger, s, order)
            # Once per neuron, not once per edge: a statement must not see its own effect.
            elif s.action == "assign" and s.side != "edge":
                end = self.ends[s.side]
                where = self._active(s.side) if trigger in ("pre", "post") else None
                self.runners.append(
                    (
                        trigger,
                        next(order),
                        self._assign(end, s.target, self._value(s, end), where),
                        end,
                    )
                )
            elif s.action == "assign":
                self._over_edges(
                    trigger,
                    next(order),
                    self._assign(self.edges, s.target, self._value(s, self.edges)),
                )
            elif s.action == "deliver":
                self._over_edges(
                    trigger, next(order), [f"{self._landing()} += {self._value(s, self.edges)}"]
                )
            else:
                # Two stages: the edges sum into arrays of their own, then each member takes its sum
                # once.
                group = self.edges.constant("slot", self.edges.group_of[s.side])
                total, touched = (self.edges.refer(name, group) for name in self._sums(s.side))
                self._over_edges(
                    trigger,
                    next(order),
                    [f"{total} += {self._value(s, self.edges)}", f"{touched} += 1.0"],
                )
                end = self.ends[s.side]
                total, touched = (end.refer(name, None) for name in self._sums(s.side))
                code = self._assign(
                    end, s.target, f"{self.names(s.target, end)} + {total}", touched
                )
                self.runners.append(
                    (trigger, next(order), [*code, f"{total} = 0.0", f"{touched} = 0.0"], end)
                )

    def _change_cell(self, trigger: str, s: BoundStatement, order: Iterator[int]) -> None:
        """Let the edges mark their neurons and add their terms, then change each neuron once."""
        owner = self._population(s.side)
        size = self.program.populations[owner].size
        if s.side not in self.cells:
            self.cells[s.side] = Members(self.store, s.side, {s.side: np.arange(size)}, {})
        end = self.cells[s.side]
        ends = self.sources if s.side == "pre" else self.targets
        marks = [self.store.add(name, np.zeros(size)) for name in ("total", "touched")]
        at_edge = [self.edges.refer(name, self.edges.constant("slot", ends)) for name in marks]
        lines = [f"{at_edge[1]} += 1.0"]
        if s.action == "add_to_cell":
            lines.insert(0, f"{at_edge[0]} += {self._value(s, self.edges)}")
        self._over_edges(trigger, next(order), lines)
        total, touched = (end.refer(name, None) for name in marks)
        state = end.read((owner, self.names.p.symbols[s.target].origin))
        value = f"{state} + {total}" if s.action == "add_to_cell" else self._value(s, end)
        chosen = f"{touched} > 0"
        if s.frozen:
            chosen = f"({chosen}) and ({STEP} > {end.read((owner, '_until'))})"
        code = [
            f"fresh_{state} = pick({chosen}, {value}, {state})",
            f"{state} = fresh_{state}",
            f"{total} = 0.0",
            f"{touched} = 0.0",
        ]
        self.runners.append((trigger, next(order), code, end))

    def build(self, groups: dict[str, Any]) -> tuple[list[Any], dict[str, list[Any]]]:
        """Return the objects of a network of Brian 2, and those that run for each signal."""
        objects = []
        signals = {}
        # Without an edge there is nothing to connect, and nothing to run.
        if self.edges.size:
            delays = {"pre": self.p.axonal}
            if isinstance(self.p, PlasticProjection) and self.p.back is not None:
                delays["post"] = self.p.back
            events = {
                side: (self._population(side), np.full(self.edges.size, delays[side], np.int64))
                for side in self.groups
            }
            objects.append(
                self._synapses(
                    groups,
                    groups[self.p.target],
                    self.edges,
                    self.pathways,
                    (self.sources, self.targets),
                    events,
                )
            )
        for end in {
            id(members): members
            for *_, members in self.runners
            if members.side != "edge" and members.size
        }.values():
            end.attach(self.store.neurons(end.size))
            # A second set of synapses, from neurons to delay groups, only marks the groups that a
            # spike reaches: it has their delays.
            if end is self.ends.get(end.side) and end.side in self.active:
                site = Site(self.store, end.size)
                code = [f"{site.refer(self.active[end.side], None)} += 1.0"]
                events = {"pre": (self._population(end.side), self.groups[end.side].delay)}
                marks = self._synapses(
                    groups,
                    end.group,
                    site,
                    [("pre", FIRST, code)],
                    (end.number, np.arange(end.size)),
                    events,
                )
                objects += [end.group, marks]
        for trigger, order, code, members in self.runners:
            if members.size:
                target_list = (
                    objects
                    if trigger in ("pre", "post", "step")
                    else signals.setdefault(trigger, [])
                )
                when = self.arrival if trigger == "pre" else DELIVER
                target_list.append(members.runner(code, when=when, order=order))
        return objects, signals

    def put_in_flight(self, step: int) -> None:
        """Give Brian 2's queues the spikes of the steps before ``step``, as if it had run them."""
        for pathway, population, longest in self.queues:
            for _ in range(longest + 1):
                pathway.queue.advance()  # a full turn empties the queue
            for k in range(step - longest, step):
                spikes = self.store.memory.spikes(population, k)
                # A reset has dropped the spikes of earlier steps.
                if k >= self.store.memory[self.p.name, "_since"][0] and spikes.size:
                    pathway.queue.push(spikes)
                pathway.queue.advance()

    def _value(
        self, s: BoundStatement, members: Members, computed: Mapping[str, str] | None = None
    ) -> str:
        """Return the text of a statement's value; ``computed``: local names of names."""
        number = members.constant("place", members.number)
        local = computed or {}
        return line(
            s.value,
            lambda name: local[name] if name in local else self.names(name, members),
            draw_at(self.program.seed, self.p.name, number),
        )

    def _assign(
        self,
        members: Members,
        name: str,
        value: str,
        where: str | None = None,
    ) -> list[str]:
        """Return an assignment, and of a variable with a closed form that of its step.

        It goes through a fresh name: Brian 2 turns ``w = w + x`` into ``w += x``, after sympy has
        rewritten x. With ``where``, only members for which that is not 0 are assigned.
        """
        values = {members.read((self.p.name, name)): value}
        if (self.p.name, f"{name}@last") in self.store.memory:
            values[members.read((self.p.name, f"{name}@last"))] = STEP
        if where is not None:
            values = {
                variable: f"pick({where} > 0, {new}, {variable})"
                for variable, new in values.items()
            }
        return [f"fresh_{variable} = {new}" for variable, new in values.items()] + [
            f"{variable} = fresh_{variable}" for variable in values
        ]

    def _over_edges(self, trigger: str, order: int, code: list[str]) -> None:
        if trigger in ("pre", "post"):
            self.pathways.append((trigger, order, code))
        else:
            self.runners.append((trigger, order, code, self.edges))

    def _landing(self) -> str:
        """Return the name of the element of the ring to which an edge delivers."""
        p = self.p
        ring = (self.p.name, "_ring")
        rows, size = self.store.memory[ring].shape
        if rows == 1:
            return self.edges.read(ring, self.targets)
        # One index for all statements of a projection, computed once per step.
        if self.landing is None:
            dendritic = p.dendritic if isinstance(p, PlasticProjection) else 0
            self.landing = self.store.moves(
                "landing", self.targets, lambda k: (k + dendritic) % rows * size + self.targets
            )
        return self.edges.refer(self.store.name(ring), self.edges.refer(self.landing, None))

    def _sums(self, side: str) -> tuple[str, str]:
        if side not in self.sums:
            zeros = np.zeros(self.ends[side].size)
            self.sums[side] = self.store.add("total", zeros), self.store.add("touched", zeros)
        return self.sums[side]

    def _active(self, side: str) -> str:
        # Filled with 0 before each step; the marking synapses then add to it.
        if side not in self.active:
            self.active[side] = self.store.moves(
                "active", np.zeros(self.ends[side].size), lambda k: 0.0
            )
        return self.ends[side].refer(self.active[side], None)

    def _never_spikes(self, population: str) -> bool:
        p = self.program.populations[population]
        return not (p.is_spike_source or p.code.detect)

    def _population(self, side: str) -> str:
        return self.p.source if side == "pre" else self.p.target

    def _synapses(
        self,
        groups: dict[str, Any],
        target: Any,
        site: Site,
        pathways: list[tuple[str, int, list[str]]],
        pairs: tuple[np.ndarray, np.ndarray],
        events: dict[str, tuple[str, np.ndarray]],
    ) -> Synapses:
        """Return synapses in the order of ``pairs``.

        ``events`` maps a side to the population of its spikes and their delays in steps.
        """
        code = {
            f"on_{side}": {
                f"{side}_{order}": "\n".join(lines) for s, order, lines in pathways if s == side
            }
            for side in events
        }
        synapses = Synapses(
            groups[events["pre"][0]],
            target,
            clock=self.store.clock,
            namespace=self.store.functions,
            on_pre=code.get("on_pre") or None,
            on_post=code.get("on_post") or None,
        )
        # In our order of edges, so that indices of edges are the same on both sides.
        synapses.connect(i=pairs[0], j=pairs[1])
        site.attach(synapses)
        for side, order, _ in pathways:
            pathway, (population, delays) = getattr(synapses, f"{side}_{order}"), events[side]
            pathway.order = order
            if self.p.same_step and population == self.p.source:
                pathway.when = self.arrival
            # In seconds, from whole steps: Brian 2 rounds back to the same steps.
            pathway.variables["delay"].set_value(delays * self.store.clock.dt_)
            self.queues.append((pathway, population, int(delays.max())))
        return synapses
