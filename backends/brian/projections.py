"""Projections in Brian 2: its synapses and delays, and one pathway for each statement.

Pathways have an order, so that statements run in ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from brian2 import Synapses

from neurosim.ir.delay_groups import DelayGroups
from neurosim.ir.program import PlasticProjection, Program, StaticProjection
from neurosim.model.binding import BoundStatement

from .names import Members, Names
from .sites import DELIVER, Site, Store
from .text import STEP, draw_at, line

FIRST = 0  # in the order of phase 4


class Wiring:
    """One projection: code is written first, and given to Brian 2 by `build`."""

    def __init__(
        self, p: StaticProjection | PlasticProjection, program: Program, store: Store
    ) -> None:
        self.p, self.program, self.store = p, program, store
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
        self.pathways: list[
            tuple[str, int, list[str]]
        ] = []  # of edges: side of the spike, place in the order, code
        self.runners: list[
            tuple[str, int, list[str], Members]
        ] = []  # over all members: trigger, place in the order, code
        self.active: dict[
            str, str
        ] = {}  # side -> which of its members a spike reaches in this step
        self.sums: dict[
            str, tuple[str, str]
        ] = {}  # side -> sum over the edges of each member, how many of them were active
        self.landing: str | None = None
        self.queues: list[
            tuple[Any, str, int]
        ] = []  # pathway, population whose spikes it carries, longest delay

    def write(self, order: Iterator[int], *, steps: bool) -> None:
        """Write the statements of the "step" handlers, or all others, in the order of the step."""
        if isinstance(self.p, StaticProjection):
            if steps:
                return
            self._over_edges(
                "pre", next(order), [f"{self._landing()} += {self.edges.read((self.p.name, 'w'))}"]
            )
            return
        ends = (("pre", self.p.source), ("post", self.p.target))
        silent = {
            side
            for side, name in ends
            if not (
                self.program.populations[name].given or self.program.populations[name].code.detect
            )
        }
        for trigger, statements in self.p.code.handlers:
            if steps == (trigger == "step") and trigger not in silent:
                self._add(trigger, statements, order)

    def _add(
        self, trigger: str, statements: tuple[BoundStatement, ...], order: Iterator[int]
    ) -> None:
        for s in statements:
            if s.action == "assign" and s.side != "edge":
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

    def build(self, groups: dict[str, Any]) -> tuple[list[Any], dict[str, list[Any]]]:
        """Return what a network of Brian 2 runs, and what it runs when a signal is emitted."""
        objects, signals = [], {}
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
            if end.side in self.active:
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
                found = (
                    objects
                    if trigger in ("pre", "post", "step")
                    else signals.setdefault(trigger, [])
                )
                found.append(members.runner(code, when=DELIVER, order=order))
        return objects, signals

    def put_in_flight(self, step: int) -> None:
        """Give Brian 2's queues the spikes of the steps before ``step``, as if it had run them."""
        for pathway, population, longest in self.queues:
            for _ in range(longest + 1):
                pathway.queue.advance()  # which forgets what was there
            for k in range(step - longest, step):
                spikes = self.store.memory.spikes(population, k)
                if k >= self.store.memory[self.p.name, "_since"][0] and spikes.size:
                    pathway.queue.push(spikes)
                pathway.queue.advance()

    def _value(self, s: BoundStatement, members: Members) -> str:
        place = members.constant("place", members.number)
        return line(
            s.value,
            lambda name: self.names(name, members),
            draw_at(self.program.seed, self.p.name, place),
        )

    def _assign(
        self, members: Members, name: str, value: str, where: str | None = None
    ) -> list[str]:
        """Return an assignment, and of a decaying variable that of its step.

        It goes through a fresh name: Brian 2 turns ``w = w + x`` into ``w += x``, after sympy has
        rewritten x. With ``where``, only members where that is not 0 are assigned.
        """
        values = {members.read((self.p.name, name)): value}
        if (self.p.name, f"{name}@last") in self.store.memory:
            values[members.read((self.p.name, f"{name}@last"))] = STEP
        if where is not None:
            values = {place: f"pick({where} > 0, {new}, {place})" for place, new in values.items()}
        return [f"fresh_{place} = {new}" for place, new in values.items()] + [
            f"{place} = fresh_{place}" for place in values
        ]

    def _over_edges(self, trigger: str, order: int, code: list[str]) -> None:
        if trigger in ("pre", "post"):
            self.pathways.append((trigger, order, code))
        else:
            self.runners.append((trigger, order, code, self.edges))

    def _landing(self) -> str:
        """Return the name of the element of the ring to which an edge delivers."""
        p, ring = self.p, (self.p.name, "_ring")
        rows, size = self.store.memory[ring].shape
        if rows == 1:
            return self.edges.read(ring, self.targets)
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
        if side not in self.active:
            self.active[side] = self.store.moves(
                "active", np.zeros(self.ends[side].size), lambda k: 0.0
            )
        return self.ends[side].refer(self.active[side], None)

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
        made = Synapses(
            groups[events["pre"][0]],
            target,
            clock=self.store.clock,
            namespace=self.store.functions,
            on_pre=code.get("on_pre") or None,
            on_post=code.get("on_post") or None,
        )
        made.connect(i=pairs[0], j=pairs[1])
        site.attach(made)
        for side, order, _ in pathways:
            pathway, (population, delays) = getattr(made, f"{side}_{order}"), events[side]
            pathway.order = order
            pathway.variables["delay"].set_value(delays * self.store.clock.dt_)
            self.queues.append((pathway, population, int(delays.max())))
        return made
