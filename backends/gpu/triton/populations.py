"""The launches of populations: phases 2 and 3, the terms of ports, and phase 5."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from neurosim.draws.streams import key_of
from neurosim.ir.memory import Key
from neurosim.ir.program import PlasticProjection, PopulationProgram, StaticProjection
from neurosim.model.binding import BoundStatement

from ..tensors.draws import PoissonTable
from . import kernels
from .cells import CellPrinter
from .launches import Device, Launch
from .projections import StaticTerms


class Populations:
    """Builds the launches of all populations.

    Parameters
    ----------
    device : Device
    terms : StaticTerms
        How static projections reach their ports.
    """

    def __init__(self, device: Device, terms: StaticTerms) -> None:
        self.device = device
        self.terms = terms
        self.program = device.program
        self._printers = {
            population.name: CellPrinter(population, dt=self.program.dt, single=device.single)
            for population in self.program.populations.values()
            if not population.is_spike_source
        }

    def integrate(self, names: Iterable[str]) -> list[Launch]:
        """Return phases 2 and 3 of the populations of a stage."""
        launches: list[Launch] = []
        for population in (self.program.populations[name] for name in names):
            if population.is_spike_source:
                launches += self._give(population)
            else:
                launches.append(self._cell(population, "integrate"))
        return launches

    def reset(self) -> list[Launch]:
        """Return phase 5."""
        return [
            self._cell(population, "reset")
            for population in self.program.populations.values()
            if not population.is_spike_source and population.code.detect is not None
        ]

    def check(self) -> list[Launch]:
        """Return what finds states that are not finite because a rule changed them."""
        device = self.device
        # Other states are checked where they are integrated. Each state once, in a fixed order.
        changed: dict[Key, None] = {}
        for population in self.program.plastic.values():
            for statement in _statements_of_handlers(population):
                if statement.action in ("add_to_cell", "assign_cell"):
                    owner = population.source if statement.side == "pre" else population.target
                    changed[owner, population.symbols[statement.target].origin] = None
        launches = []
        for key in changed:
            size = self.program.populations[key[0]].size
            launches.append(device.launch(kernels.check, size, device.tensor(key), size))
        return launches

    def sum_within(self, names: Iterable[str]) -> list[Launch]:
        """Return what adds the same-step terms of ports of the populations of a stage."""
        launches: list[Launch] = []
        for projection in (self.program.populations[name] for name in names):
            for port, inputs in projection.same_step.items():
                for name in inputs:
                    launches += self._term(projection, port, name)
        return launches

    def sum_ports(self) -> list[Launch]:
        """Return the end of phase 4: the terms of each port, in creation order."""
        launches: list[Launch] = []
        for population in self.program.populations.values():
            for port, inputs in population.contributions.items():
                launches += self.terms.pushed(population.name, port)
                for name in inputs:
                    launches += self._term(population, port, name)
        return launches

    def _cell(self, population: PopulationProgram, kernel: str) -> Launch:
        printer = self._printers[population.name]
        device = self.device
        name, size = population.name, population.size
        draws = population.code.draws
        streams = [key_of(self.program.seed, f"{name}/draw{draw.key}") for draw in draws]
        first = (device.keys(streams), *device.ring, device.columns[name], size)
        return device.printed(
            printer.integrate if kernel == "integrate" else printer.reset,
            kernel,
            arguments=printer.arguments[kernel],
            first=first,
            lanes=size,
        )

    def _give(self, population: PopulationProgram) -> list[Launch]:
        device = self.device
        steps = device.tensor((population.name, "_given_step"))
        where = (*device.ring, device.columns[population.name])
        count = steps.shape[-1]
        return [
            device.launch(kernels.clear_spikes, population.size, *where, population.size),
            device.launch(
                kernels.give_spikes,
                count,
                *where,
                steps,
                device.tensor((population.name, "_given_index")),
                count,
            ),
        ]

    def _term(self, population: PopulationProgram, port: str, name: str) -> list[Launch]:
        device = self.device
        port_tensor = device.tensor((population.name, f"_port_{port}"))
        if name in self.program.drives:
            return [self._drive(population, port, name)]
        projection = self.program.projections[name]
        if isinstance(projection, StaticProjection):
            return self.terms.folded(projection, port_tensor)
        ring = device.tensor((name, "_ring"))
        size = population.size
        depth = ring.shape[-2]
        return [device.launch(kernels.take_ring, size, ring, depth, port_tensor, size)]

    def _drive(self, population: PopulationProgram, port: str, name: str) -> Launch:
        device = self.device
        drive = self.program.drives[name]
        stream = key_of(self.program.seed, f"{name}/counts")
        count = drive.indices.size
        # A host may have given one sample a rate, and another one a rate for each target.
        rates = np.stack([np.broadcast_to(m[name, "rate"], count) for m in device.samples.memories])
        mean = rates * self.program.dt
        table = PoissonTable.of(np.ascontiguousarray(mean), device.device)
        columns = table.cumulated.shape[-1]
        half = 1 << (max(columns, 1).bit_length() - 1)
        weights = device.tensor((name, "weight"))
        return device.launch(
            kernels.drive,
            count,
            device.keys([stream]),
            device.hold((name, "@targets"), drive.indices),
            table.cumulated.contiguous(),
            columns,
            device.hold((name, "@rows_of_targets"), table.row.cpu().numpy()),
            device.hold((name, "@draws_of_targets"), table.draws.cpu().numpy()),
            count if rates.shape[0] > 1 else 0,
            table.most,
            weights,
            device.size((name, "weight")),
            device.tensor((population.name, f"_port_{port}")),
            population.size,
            count,
            half,
            STRIDE=int(weights.shape[-1] > 1),
        )


def _statements_of_handlers(projection: PlasticProjection) -> list[BoundStatement]:
    result: list[BoundStatement] = []
    for _, statements in projection.code.handlers:
        result += statements
    return result
