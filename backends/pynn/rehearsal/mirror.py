"""The memory that users read and set, and the machine's: changes of one are copied to the other.

The machine's own arrays are in memory as well, so that snapshots and files hold everything.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neurosim.errors import NetworkError
from neurosim.ir.memory import OF_ENGINE, Key, Memory
from neurosim.ir.program import Program

from ..translation.plan import Plan, PlannedPopulation, PlannedProjection
from .arithmetic.numbers import to_fixed, to_float
from .layout import Layout, store_weights
from .loop import Spikes

_COPIES = f"{OF_ENGINE}told "  # the name stands in files of states
# Currents of the standard cell; the machine's are both positive, and it subtracts the second.
_CURRENTS = {"isyn_exc": ("exc", 1.0), "isyn_inh": ("inh", -1.0)}


class Mirror:
    """Keeps the memory of a run and the machine's arrays equal.

    Parameters
    ----------
    memory : Memory
        Gets the machine's arrays.
    program : Program
    plan : Plan
    layout : Layout
    """

    def __init__(
        self,
        memory: Memory,
        program: Program,
        *,
        plan: Plan,
        layout: Layout,
    ) -> None:
        self._memory = memory
        self._program = program
        self._plan = plan
        self._layout = layout
        neurons = layout.numbering.neurons
        self._cells = [population for population in plan.populations if population.name in neurons]
        projections = plan.projections
        self._learning = [projection for projection in projections if projection.rule is not None]
        for population in self._cells:
            self._share_neurons(population)
        for projection in self._learning:
            self._share_edges(projection)
        for key in self._settable():
            memory.arrays[_copy_of(key)] = memory[key].copy()
        self._planned = {key: memory[key].copy() for key in self._keys_of_plan()}
        self.update_memory(0)

    def _share_neurons(self, population: PlannedPopulation) -> None:
        """Put the machine's arrays of a population into memory."""
        numbering = self._layout.numbering
        neurons = self._layout.neurons
        inside = self._inside(population.name)
        count = numbering.neuron_count
        inhibitory = slice(inside.start + count, inside.stop + count)
        # Views, not copies: snapshots and files read and write the machine's own arrays.
        names = ("v", "u", "h", "timer", "exc", "inh")
        arrays = {name: getattr(neurons, name)[inside] for name in names}
        saturated = self._layout.saturated
        arrays["exc_saturated"] = saturated[inside]
        arrays["inh_saturated"] = saturated[inhibitory]
        arrays["exc_ring"] = neurons.slots[:, inside]
        arrays["inh_ring"] = neurons.slots[:, inhibitory]
        if population.name in numbering.learners:
            learners = self._learners(population.name)
            arrays["history_count"] = self._layout.history.entries[learners]
            arrays["history@at"] = self._layout.history.times[learners]
            arrays["history"] = self._layout.history.traces[learners]
        for name, array in arrays.items():
            self._memory.arrays[population.name, f"{OF_ENGINE}{name}"] = array

    def _share_edges(self, projection: PlannedProjection) -> None:
        """Put the machine's arrays of edges that learn into memory."""
        edges = self._layout.plastic
        rows = self._rows(projection)
        inside = self._inside_of_edges(projection)
        arrays = {
            "weight": edges.weight[inside],
            "trace": edges.trace[rows],
            "last@at": edges.last[rows],
        }
        for name, array in arrays.items():
            self._memory.arrays[projection.origin, f"{OF_ENGINE}{projection.name} {name}"] = array

    def _inside(self, population: str) -> slice:
        begin = self._layout.numbering.neurons[population]
        return slice(begin, begin + self._layout.numbering.sizes[population])

    def _learners(self, population: str) -> slice:
        begin = self._layout.numbering.learners[population]
        return slice(begin, begin + self._layout.numbering.sizes[population])

    def _inside_of_edges(self, projection: PlannedProjection) -> slice:
        positions = self._layout.positions[projection.name]
        begin = int(positions.min(initial=0))
        return slice(begin, begin + positions.size)

    def _rows(self, projection: PlannedProjection) -> slice:
        # Rows are sorted by rule, and rules are numbered as the projections that learn.
        number = self._learning.index(projection)
        rule_of_row = self._layout.plastic.rule
        begin, end = np.searchsorted(rule_of_row, [number, number + 1])
        return slice(int(begin), int(end))

    # ---- from the machine to memory

    def _settable(self) -> Iterator[Key]:
        """Yield the arrays of memory in which the host may change the machine's state."""
        for population in self._cells:
            for state in dict.fromkeys(state.name for state in population.states.values()):
                yield population.name, state
            if (population.name, "_until") in self._memory:
                yield population.name, "_until"
        for projection in self._learning:
            yield projection.origin, "w"
        for name in self._program.projections:
            yield name, "_since"

    def update_memory(self, step: int) -> None:
        """Write the machine's state into memory.

        Parameters
        ----------
        step : int
            The step that comes next.
        """
        memory = self._memory
        for population in self._cells:
            for name, values in self._states(population).items():
                memory[population.name, name][...] = values
            if (population.name, "_until") in memory:
                timer = self._layout.neurons.timer[self._inside(population.name)].astype(np.int64)
                # The machine counts steps down; memory has the last refractory step.
                until = step - 1 + timer
                memory[population.name, "_until"][...] = np.where(timer > 0, until, -1)
        for projection in self._learning:
            weights = self._layout.plastic.weight[self._layout.positions[projection.name]]
            values = weights * self._step_of(projection) / projection.scale
            memory[projection.origin, "w"][projection.edges] = values
        # Copies of all that was written: a difference from them is a change by the host.
        for key in self._settable():
            memory.arrays[_copy_of(key)][...] = memory[key]

    def _step_of(self, projection: PlannedProjection) -> float:
        # Stored weights, shifted to the left, are S16.15, which has 15 places.
        return 2.0 ** (self._layout.shifts[projection.target, projection.receptor] - 15)

    def _states(self, population: PlannedPopulation) -> dict[str, np.ndarray]:
        """Return the states of a population in the network's units."""
        neurons = self._layout.neurons
        inside = self._inside(population.name)
        values: dict[str, np.ndarray] = {}
        for standard, state in population.states.items():
            array, sign = _CURRENTS.get(standard, (standard, 1.0))
            numbers = getattr(neurons, array)[inside]
            current = sign * to_float(numbers) / state.scale
            # One state of ours may stand for both currents.
            values[state.name] = values.get(state.name, 0.0) + current
        return values

    def keep_spikes(self, spikes: Spikes, first: int, steps: int) -> None:
        """Store the spikes of the last steps in memory, as other engines do.

        Parameters
        ----------
        spikes : Spikes
            Of a stretch, ascending.
        first, steps : int
            First step of the stretch, and their number.
        """
        numbering = self._layout.numbering
        for name, population in self._program.populations.items():
            base = numbering.sources[name]
            # Older spikes than a population's history are read by nobody.
            end_step = first + steps
            for step in range(max(first, end_step - population.history), end_step):
                begin, end = np.searchsorted(spikes.step, [step, step + 1])
                sources = spikes.source[begin:end]
                inside = (sources >= base) & (sources < base + population.size)
                self._memory.put_spikes(name, step, sources[inside] - base)

    # ---- from memory to the machine

    def update_machine(self) -> None:
        """Write changes that the host made in memory into the machine's arrays.

        Raises
        ------
        NetworkError
            If some of the projections onto a population were reset, others not.
        """
        changed = [key for key in self._settable() if self._differs(key)]
        for owner, name in changed:
            if name == "w":
                self._take_weights(owner)
            elif name == "_until":
                freed = self._memory[owner, name] < 0
                self._layout.neurons.timer[self._inside(owner)][freed] = 0
            elif name != "_since":
                self._take_state(owner, name)
        reset = {owner for owner, name in changed if name == "_since"}
        if reset:
            for population in self._cells:
                self._drop_arrivals(population, reset)
        for key in changed:
            self._memory.arrays[_copy_of(key)][...] = self._memory[key]

    def _differs(self, key: Key) -> bool:
        return not np.array_equal(self._memory[key], self._memory[_copy_of(key)])

    def _take_state(self, owner: str, name: str) -> None:
        population = self._plan.population(owner)
        inside = self._inside(owner)
        neurons = self._layout.neurons
        values = self._memory[owner, name]
        states = population.states
        standards = [standard for standard, state in states.items() if state.name == name]
        for standard in standards:
            array, sign = _CURRENTS.get(standard, (standard, 1.0))
            numbers = to_fixed(np.asarray(sign * values * states[standard].scale))
            # Of both currents that a state stands for, its sign decides which one it is.
            is_shared = len(standards) > 1
            getattr(neurons, array)[inside] = np.maximum(numbers, 0) if is_shared else numbers

    def _take_weights(self, origin: str) -> None:
        weights = self._memory[origin, "w"]
        for projection in self._plan.parts(origin):
            shift = self._layout.shifts[projection.target, projection.receptor]
            stored = store_weights(weights[projection.edges] * projection.scale, shift)
            self._layout.plastic.weight[self._layout.positions[projection.name]] = stored

    def _drop_arrivals(self, population: PlannedPopulation, reset: set[str]) -> None:
        """Clear what is on its way to a population, and the traces of its edges."""
        inputs = set()
        for projection in self._plan.projections:
            is_projection = projection.origin in self._program.projections
            if is_projection and projection.target == population.name:
                inputs.add(projection.origin)
        if not inputs & reset:
            return
        if not inputs <= reset:
            raise NetworkError(
                f"reset: found {', '.join(sorted(inputs & reset))} of the projections onto "
                f"{population.name!r}, expected all of them: their spikes meet in the same slots "
                f"of the machine. Reset {', '.join(sorted(inputs - reset))} as well."
            )
        for receptor in ("exc_ring", "inh_ring"):
            self._memory[population.name, f"{OF_ENGINE}{receptor}"][...] = 0
        if population.name in self._layout.numbering.learners:
            # Entry 0 stands for the start and is never forgotten.
            learners = self._learners(population.name)
            history = self._layout.history
            history.entries[learners] = 1
            history.times[learners] = 0
            history.traces[learners] = 0
        for projection in self._learning:
            if projection.target == population.name:
                rows = self._rows(projection)
                self._layout.plastic.trace[rows] = 0
                self._layout.plastic.last[rows] = 0

    # ---- what the plan fixes

    def _keys_of_plan(self) -> Iterator[Key]:
        """Yield the arrays of memory that the plan was made of: parameters and fixed weights."""
        for population in self._cells:
            for parameter in self._program.populations[population.name].code.parameters:
                yield population.name, parameter
        for name in self._program.projections:
            if name in self._program.plastic:
                # Variables, too: the machine has traces of its own in their place.
                for word, symbol in self._program.plastic[name].symbols.items():
                    is_planned = symbol.role in ("parameter", "variable") and word != "w"
                    if is_planned and (name, word) in self._memory:
                        yield name, word
            else:
                yield name, "w"
        for name in self._program.drives:
            yield name, "weight"

    def find_changed(self) -> str:
        """Return the name of something that is no longer as the plan has it; empty if nothing."""
        for (owner, name), planned in self._planned.items():
            if not np.array_equal(self._memory[owner, name], planned):
                return f"{name} of {owner!r}"
        return ""


def _copy_of(key: Key) -> Key:
    owner, name = key
    # Names that end in "@at" are those of arrays of steps.
    ending = "@at" if name in ("_until", "_since") else ""
    return owner, f"{_COPIES}{name}{ending}"
