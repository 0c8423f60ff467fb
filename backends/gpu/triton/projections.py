"""The launches of projections: spikes that arrive, handlers of rules, static terms."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import numpy as np
import torch

from neurosim.draws.streams import key_of
from neurosim.ir.delay_groups import DelayGroups, incoming
from neurosim.ir.program import PlasticProjection, ProjectionProgram, StaticProjection
from neurosim.model.binding import BoundStatement
from neurosim.model.names import Side

from . import kernels
from .folds import Fold, arrange
from .launches import Device, Launch
from .pushing import Pushed
from .rules import RulePrinter, Segment, bare_variable, segments

_SIDES: tuple[Side, Side] = ("pre", "post")
_NO_DELAY = np.zeros(1, np.int64)


def arrivals(
    device: Device,
    projection: ProjectionProgram,
    side: Side,
    groups: DelayGroups,
) -> Launch:
    """Return the launch that marks the delay groups of one side that a spike reaches.

    Parameters
    ----------
    device : Device
    p : ProjectionProgram
    side : "pre" or "post"
    groups : DelayGroups
    """
    neurons = (projection.name, f"@{side}_neuron")
    delays = (projection.name, f"@{side}_delay")
    if neurons not in device.structure:
        # Those of a rule are on the device already.
        device.hold(neurons, groups.neuron)
        device.hold(delays, groups.delay)
    size = groups.neuron.size
    return device.launch(
        kernels.arrive,
        size,
        *device.ring,
        device.columns[projection.source if side == "pre" else projection.target],
        device.tensor((projection.name, "_since")),
        device.tensor(neurons),
        device.tensor(delays),
        device.room((projection.name, f"@{side}_arrived"), size, torch.uint8),
        size,
    )


class StaticTerms:
    """The terms of static projections: folded by their targets, or pushed by their sources.

    Parameters
    ----------
    device : Device
    pushed : Pushed or None
        The projections that are pushed; None: none is.
    """

    def __init__(self, device: Device, pushed: Pushed | None) -> None:
        self.device = device
        self._pushed = pushed
        self._folds: dict[str, Fold] = {}

    def pushed(self, population: str, port: str) -> list[Launch]:
        """Return the launch that adds all pushed terms of a port."""
        return [] if self._pushed is None else self._pushed.take(population, port)

    def folded(self, projection: StaticProjection, port: torch.Tensor) -> list[Launch]:
        """Return the launches that fold a projection into its port."""
        # Its weights are in the sums of its port, which `pushed` adds once for all projections.
        if self._pushed is not None and projection.name in self._pushed.names:
            return []
        device = self.device
        if projection.name not in self._folds:
            groups = projection.pre_groups
            # The order of edges depends on the structure alone, which the host does not change:
            # it stays when launches are laid out anew.
            self._folds[projection.name] = arrange(
                projection.targets,
                projection.size,
                delay=_delays(groups),
                group=groups.of_edge,
                block=device.lanes,
                device=device.device,
                value=projection.shared,
            )
        fold = self._folds[projection.name]
        weights = device.tensor((projection.name, "w"))
        # Marks of groups, not of edges: a neuron with many edges of one delay is looked up once.
        arrive = arrivals(device, projection, "pre", projection.pre_groups)
        size = projection.pre_groups.neuron.size
        launch = device.launch(
            kernels.fold_port,
            projection.size,
            fold.edges,
            fold.groups,
            fold.begins,
            fold.mosts,
            device.tensor((projection.name, "@pre_arrived")),
            size,
            weights,
            device.size((projection.name, "w")),
            port,
            projection.size,
            block=fold.block,
            TRIGGERED=True,
            STRIDE=int(weights.shape[-1] > 1),
        )
        return [arrive, launch]


@dataclass(frozen=True)
class RuleSteps:
    """The launches of a projection with a rule.

    Attributes
    ----------
    equations : list of Launch
        Its equations that are integrated in each step.
    within : list of Launch
        The "pre" handlers of a same-step projection, before its target is integrated.
    events : list of Launch
        The "pre" and "post" handlers of phase 4, in order.
    handlers : trigger -> list of Launch
        "step" and signals among them.
    """

    equations: list[Launch]
    within: list[Launch]
    events: list[Launch]
    handlers: dict[str, list[Launch]]


class RuleLaunches:
    """Builds the launches of one projection with a rule.

    Parameters
    ----------
    device : Device
    p : PlasticProjection
    """

    def __init__(self, device: Device, projection: PlasticProjection) -> None:
        self.device = device
        self.projection = projection
        self._printer = RulePrinter(device.program, projection, single=device.single)
        self._folds: dict[tuple[str, str], Fold] = {}
        self._edges = projection.targets.size
        self._number = count()
        self._ring_lanes: DelayGroups | None = None
        self._hold_structure()

    def _hold_structure(self) -> None:
        projection = self.projection
        device = self.device
        device.hold((projection.name, "@source"), projection.sources)
        device.hold((projection.name, "@target"), projection.targets)
        for side, groups in (("pre", projection.pre_groups), ("post", projection.post_groups)):
            if groups is not None:
                device.hold((projection.name, f"@{side}_neuron"), groups.neuron)
                device.hold((projection.name, f"@{side}_delay"), groups.delay)
                device.hold((projection.name, f"@{side}_of_edge"), groups.of_edge)
                device.room((projection.name, f"@{side}_arrived"), groups.neuron.size, torch.uint8)
        for name, link in projection.links.items():
            if link.index is not None:
                device.hold((projection.name, f"@link_{name}"), link.index)
        # Folds of all edges read no marks, but take their address.
        device.room((projection.name, "@step_arrived"), 1, torch.uint8)

    def build(self) -> RuleSteps:
        """Return all launches; they hold until an array is replaced."""
        # From 0 again: the arrays of the last layout have the same names and are used again.
        self._number = count()
        parts = []
        for trigger, statements in self.projection.code.handlers:
            parts.append((trigger, self._run(trigger, statements)))
        named: dict[str, list[Launch]] = {}
        for trigger, part in parts:
            named.setdefault(trigger, []).extend(part)
        # The "pre" handlers of a same-step projection have run before its target was integrated.
        triggers = {"post"} if self.projection.same_step else {"pre", "post"}
        within = self._events(parts, {"pre"}) if self.projection.same_step else []
        return RuleSteps(
            equations=self._run("step", self.projection.code.integrate),
            within=within,
            events=self._events(parts, triggers),
            handlers=named,
        )

    def _events(self, parts: list[tuple[str, list[Launch]]], triggers: set[str]) -> list[Launch]:
        """Return the launches of handlers of spikes, after those that say where spikes arrive."""
        # Marks are computed for sides with a handler alone: nobody reads the others.
        handled = {trigger for trigger, _ in parts} & triggers
        launches = [
            arrivals(self.device, self.projection, side, self.projection.groups(side))
            for side in _SIDES
            if side in handled
        ]
        for trigger, part in parts:
            if trigger in triggers:
                launches += part
        return launches

    def _run(self, trigger: str, statements: tuple[BoundStatement, ...]) -> list[Launch]:
        launches: list[Launch] = []
        for segment in segments(trigger, statements):
            launches += self._segment(segment)
        return launches

    def _segment(self, segment: Segment) -> list[Launch]:
        projection = self.projection
        device = self.device
        out = bare_variable(segment, projection)
        launches: list[Launch] = []
        if segment.sum is not None and segment.sum.action == "assign_cell":
            return self._change(segment.trigger, segment.sum, "@nothing")
        # A bare variable is summed where it stands; other terms are written to an array first.
        if out is None:
            out = f"_out{next(self._number)}"
            if segment.sum is not None:
                device.room((projection.name, out), self._edges, device.real)
            source, arguments = self._printer.print_segment(segment, out=out)
            lanes = self._lanes(segment.side)
            launches.append(self._printed(source, arguments, lanes))
        if segment.sum is None:
            return launches
        if segment.sum.action == "deliver":
            return [*launches, self._deliver(segment.trigger, out)]
        if segment.sum.action == "add_to_cell":
            return [*launches, *self._change(segment.trigger, segment.sum, out)]
        return [*launches, *self._add(segment.trigger, segment.sum, out)]

    def _printed(self, source: str, arguments, lanes: int) -> Launch:
        program = self.device.program
        # Keys depend on the names of projection and draw alone: all engines draw the same numbers.
        name = self.projection.name
        draws = self._printer.draws
        streams = [key_of(program.seed, f"{name}/draw{draw.key}") for draw in draws]
        return self.device.printed(
            source,
            "run",
            arguments=arguments,
            first=(self.device.keys(streams), lanes),
            lanes=lanes,
        )

    def _lanes(self, side: str) -> int:
        return self._edges if side == "edge" else self.projection.groups(_side(side)).neuron.size

    # ---- sums

    def _deliver(self, trigger: str, out: str) -> Launch:
        projection = self.projection
        device = self.device
        if self._ring_lanes is None:
            # A lane for each target and delay: no two lanes add to the same term.
            self._ring_lanes = incoming(projection.size, projection.targets, projection.dendritic)
            device.hold((projection.name, "@ring_target"), self._ring_lanes.neuron)
            device.hold((projection.name, "@ring_delay"), self._ring_lanes.delay)
        lanes = self._ring_lanes
        fold = self._fold("ring", trigger, lanes.of_edge, lanes.neuron.size)
        ring = device.tensor((projection.name, "_ring"))
        return device.launch(
            kernels.fold_ring,
            fold.lanes,
            *self._folded(fold, trigger, out),
            ring,
            ring.shape[-2],
            projection.size,
            device.tensor((projection.name, "@ring_target")),
            device.tensor((projection.name, "@ring_delay")),
            fold.lanes,
            block=fold.block,
            **self._constants(trigger, 1),
        )

    def _add(self, trigger: str, statement: BoundStatement, out: str) -> list[Launch]:
        groups = self.projection.groups(_side(statement.side))
        fold = self._fold(statement.side, trigger, groups.of_edge, groups.neuron.size)
        launch, marks = self._sum(fold, trigger, out)
        source, arguments = self._printer.print_addition(statement.target, **marks)
        return [launch, self._printed(source, arguments, fold.lanes)]

    def _change(self, trigger: str, statement: BoundStatement, out: str) -> list[Launch]:
        """Return the launches that change a state of the cells at one end of active edges."""
        projection = self.projection
        ends = projection.sources if statement.side == "pre" else projection.targets
        owner = projection.source if statement.side == "pre" else projection.target
        size = self.device.program.populations[owner].size
        fold = self._fold(f"{statement.side} neurons", trigger, ends, size)
        # Of an assignment only the marks count, and the values of all edges are one 0.
        self.device.room((projection.name, "@nothing"), 1, self.device.real)
        launch, marks = self._sum(fold, trigger, out, stride=int(out != "@nothing"))
        source, arguments = self._printer.print_change(statement, **marks)
        return [launch, self._printed(source, arguments, size)]

    def _sum(
        self,
        fold: Fold,
        trigger: str,
        out: str,
        *,
        stride: int = 1,
    ) -> tuple[Launch, dict[str, str]]:
        """Return the launch that sums over edges, and the names of sums and of marks."""
        # A number for each sum: a later one must not write over totals that are still to be read.
        number = next(self._number)
        marks = {"totals": f"_totals{number}", "reached": f"_reached{number}"}
        device = self.device
        launch = device.launch(
            kernels.fold_side,
            fold.lanes,
            *self._folded(fold, trigger, out),
            device.room((self.projection.name, marks["totals"]), fold.lanes, device.real),
            device.room((self.projection.name, marks["reached"]), fold.lanes, torch.uint8),
            fold.lanes,
            block=fold.block,
            **self._constants(trigger, stride),
        )
        return launch, marks

    def _fold(
        self,
        name: str,
        trigger: str,
        lane: np.ndarray,
        lanes: int,
    ) -> Fold:
        """Return the edges of lanes in the order in which a trigger's events reach them."""
        # Steps and signals reach all edges: they share one order.
        event = trigger if trigger in ("pre", "post") else "step"
        if (name, event) not in self._folds:
            delay = _NO_DELAY
            group: np.ndarray = np.zeros(self._edges, np.int32)
            if event != "step":
                groups = self.projection.groups(_side(event))
                delay = _delays(groups)
                group = groups.of_edge
            self._folds[name, event] = arrange(
                lane,
                lanes,
                delay=delay,
                group=group,
                block=self.device.lanes,
                device=self.device.device,
            )
        return self._folds[name, event]

    def _folded(self, fold: Fold, trigger: str, out: str) -> tuple:
        event = trigger if trigger in ("pre", "post") else "step"
        arrived = (self.projection.name, f"@{event}_arrived")
        values = (self.projection.name, out)
        return (
            fold.edges,
            fold.groups,
            fold.begins,
            fold.mosts,
            self.device.tensor(arrived),
            self.device.size(arrived),
            self.device.tensor(values),
            self.device.size(values),
        )

    @staticmethod
    def _constants(trigger: str, stride: int) -> dict[str, int]:
        return {"TRIGGERED": int(trigger in ("pre", "post")), "STRIDE": stride}


def _delays(groups: DelayGroups) -> np.ndarray:
    return groups.delay[groups.of_edge] if groups.delays.size > 1 else _NO_DELAY


def _side(name: str) -> Side:
    return "pre" if name == "pre" else "post"
