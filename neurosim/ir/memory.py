"""Memory: every array that a run changes or may be asked for, by owner and name; and the constants computed from parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..draws.values import Table
from ..expr.evaluate import evaluate
from ..expr.functions import FUNCTIONS
from ..model.methods import Propagator
from ..network.populations import View
from ..network.probes import Probe
from ..network.validation import to_steps
from .concrete import ConcreteNetwork
from .derived import Derived
from .edge_values import Drawn
from .program import PlasticProjection, PopulationProgram, Program, StaticProjection
from .propagators import linear_matrix, propagate

Key = tuple[str, str]
# Arrays that hold absolute steps, and rings that are indexed by the step; both move when a snapshot is put at another time.
_STEPS, _RINGS = ("_until", "_since"), ("_history", "_count", "_ring")


class Memory:
    """Arrays by (owner, name).

    Of a population: its states and parameters, ``_port_x``, constants, ``_until`` (last refractory step), ``_refractory`` (steps), ``_history`` and ``_count``
    (spikes of the last steps, in segments that begin at ``bounds``). Of a projection: its variables (``x@last``: step of the last assignment of a decaying
    one), parameters, ``w``, ``_ring`` (what lands in later steps), ``_since`` (earlier spikes are no longer in flight). Of a drive: ``rate`` (float64 always)
    and ``weight``. A parameter is (1,), (N,) or a table (T, 1 or N) with ``x@rows`` = (steps per row, first step, T); ``x@follows``: whether it still follows
    the others that its text reads, (1,) or (N,).

    Parameters
    ----------
    bounds : population -> (T + 1,)
        First neurons of the segments in which spikes are kept, one segment per thread.
    dtype : of all numbers that are not whole
        What is put into memory is rounded to it, once.
    """

    def __init__(
        self,
        program: Program,
        network: ConcreteNetwork,
        bounds: dict[str, np.ndarray],
        *,
        dtype: type = np.float64,
    ) -> None:
        self.dtype = np.dtype(dtype)
        self.arrays: dict[Key, np.ndarray] = {}
        self.replaced: set[Key] = (
            set()
        )  # since an engine last looked: arrays at another place in memory
        self._matrices: dict[
            str, np.ndarray
        ] = {}  # of linear groups: their propagators are computed when these change
        self.bounds = bounds
        self.initial: dict[Key, np.ndarray | Drawn] = {}
        self._program = program
        for name in program.populations:
            self._population(name, network)
        for name in program.projections:
            self._projection(program.projections[name], network)
        for drive in program.drives.values():
            self[drive.name, "rate"] = np.atleast_1d(np.array(drive.rate, np.float64))
            self[drive.name, "weight"] = np.atleast_1d(np.array(drive.weight, np.float64))
        for owner in (*program.populations, *program.projections):
            self.compute_constants(owner)

    def __getitem__(self, key: Key) -> np.ndarray:
        return self.arrays[key]

    def __setitem__(self, key: Key, value: np.ndarray) -> None:
        whole = value.dtype.kind != "f" or key[1] == "rate" and key[0] in self._program.drives
        self.arrays[key] = value if whole else value.astype(self.dtype, copy=False)
        self.replaced.add(key)

    def __contains__(self, key: Key) -> bool:
        return key in self.arrays

    def _population(self, name: str, network: ConcreteNetwork) -> None:
        program, concrete = self._program.populations[name], network.populations[name]
        n = program.size
        for state, values in concrete.initial.items():
            self[name, state] = values.copy()
            self.initial[name, state] = values
        for parameter, value in concrete.parameters.items():
            self.put_parameter(name, parameter, value, 0)
        self._follow(name, concrete.derived)
        for port in program.code.ports:
            self[name, f"_port_{port}"] = np.zeros(n, self.dtype)
        if program.refractory is not None:
            self[name, "_until"] = np.full(n, -1, np.int64)
        if program.given:
            self[name, "_given_step"], self[name, "_given_index"] = (
                concrete.given[0].copy(),
                concrete.given[1].copy(),
            )
        self[name, "_history"] = np.zeros((program.history, n), np.int32)
        self[name, "_count"] = np.zeros((program.history, self.bounds[name].size - 1), np.int64)

    def _projection(
        self, p: StaticProjection | PlasticProjection, network: ConcreteNetwork
    ) -> None:
        concrete, depth = network.projections[p.name], 1
        if isinstance(p, StaticProjection):
            weight = np.atleast_1d(np.asarray(concrete.weight, np.float64))
            self[p.name, "w"] = (
                weight if weight.flags.writeable else weight.copy()
            )  # there may be many, and nobody else reads them
        else:
            depth += int(np.max(p.dendritic, initial=0))
            for name, symbol in p.symbols.items():
                if symbol.role == "variable":
                    self._variable(p, name, concrete.initial[name])
            for name, value in concrete.values.items():
                self[p.name, name] = np.atleast_1d(np.array(value, np.float64))
            self._follow(p.name, concrete.derived)
        if p.port is not None:
            self[p.name, "_ring"] = np.zeros((depth, p.size), self.dtype)
        self[p.name, "_since"] = np.zeros(1, np.int64)

    def _variable(self, p: PlasticProjection, name: str, value: Any) -> None:
        symbol = p.symbols[name]
        if symbol.side == "edge":
            given = isinstance(value, Drawn) or np.ndim(value) > 0
            self[p.name, name] = values = (
                np.array(value, self.dtype) if given else np.full(p.targets.size, value, self.dtype)
            )
            self.initial[p.name, name] = value if given else np.broadcast_to(value, values.size)
        else:
            neuron = p.groups(symbol.side).neuron
            self[p.name, name] = values = np.asarray(value, np.float64)[neuron]
            self.initial[p.name, name] = values.copy()
        if symbol.decay:
            self[p.name, f"{name}@last"] = np.full(values.size, -1, np.int64)

    def _follow(self, owner: str, derived: Derived) -> None:
        for parameter in derived.trees:
            self[owner, f"{parameter}@follows"] = np.ones(1, bool)

    def put_parameter(self, owner: str, name: str, value: Any, step: int) -> None:
        """Store a parameter: number, (N,), or a table whose first row begins at ``step``."""
        if isinstance(value, Table):
            self[owner, name] = np.ascontiguousarray(
                value.values if value.values.ndim == 2 else value.values[:, None]
            )
            self[owner, f"{name}@rows"] = np.array([value.every, step, len(value.values)], np.int64)
        else:
            self[owner, name] = np.atleast_1d(np.array(value, np.float64))

    def row(self, owner: str, name: str, step: int) -> np.ndarray:
        """Return the row of a table in force at a step, (1,) or (N,)."""
        every, first, rows = (int(n) for n in self[owner, f"{name}@rows"])
        return self[owner, name][min(max(step - first, 0) // every, rows - 1)]

    def compute_constants(self, owner: str) -> None:
        """Compute what follows from the parameters of a population or projection alone, and write it in place where the shape allows."""
        if owner in self._program.populations:
            population = self._program.populations[owner]
            self._compute_refractory(population)
            if population.code.propagator is not None:
                self._compute_propagators(owner, population.code.propagator)
            hosted = population.code.hosted
        elif owner in self._program.plastic:
            hosted = self._program.plastic[owner].code.hosted
        else:
            return
        value = self._read_constant(owner)
        for name, tree in hosted:
            self.write(owner, name, np.atleast_1d(np.asarray(evaluate(tree, value), np.float64)))

    def _read_constant(self, owner: str) -> Callable[[str], Any]:
        """Return the function that reads parameters, propagators and constants of an owner."""
        return lambda name: (
            self._program.dt if name == "dt" else np.asarray(self[owner, name], np.float64)
        )

    def _compute_refractory(self, p: PopulationProgram) -> None:
        if p.refractory is None:
            return
        time = self[p.name, p.refractory] if isinstance(p.refractory, str) else p.refractory
        where = f"population {p.name!r}: refractory time"
        steps = to_steps(time, self._program.dt, where=where)
        self.write(p.name, "_refractory", np.atleast_1d(steps))

    def _compute_propagators(self, owner: str, propagator: Propagator) -> None:
        matrix = linear_matrix(propagator, self._read_constant(owner))
        if not np.array_equal(matrix, self._matrices.get(owner)):
            self._matrices[owner] = matrix
            for name, array in propagate(propagator, matrix, self._program.dt).items():
                self.write(owner, name, array)

    def write(self, owner: str, name: str, array: np.ndarray) -> None:
        """Write an array of float64 in place where the shape allows, for arrays at another place must be found anew."""
        old = self.arrays.get((owner, name))
        if old is not None and old.shape == array.shape:
            old[...] = array
        else:
            self[owner, name] = np.ascontiguousarray(array)

    def reset(self, owner: str, step: int) -> None:
        """Put a population's states, refractoriness and ports, or a projection's pre and post variables and spikes in flight, back to the start."""
        if owner in self._program.populations:
            for state in self._program.populations[owner].code.states:
                self[owner, state][...] = self.initial[owner, state]
            for (o, name), array in self.arrays.items():
                if o == owner and name.startswith("_port_"):
                    array[...] = 0.0
            if (owner, "_until") in self:
                self[owner, "_until"][...] = -1
        elif owner in self._program.projections:
            plastic = self._program.plastic.get(owner)
            for name, symbol in plastic.symbols.items() if plastic is not None else ():
                if symbol.role == "variable" and symbol.side != "edge":
                    self.reset_name(owner, name, step)
            if (owner, "_ring") in self:
                self[owner, "_ring"][...] = 0.0
            self[owner, "_since"][...] = step

    def reset_name(self, owner: str, name: str, step: int) -> None:
        """Put one state or variable back to its initial value."""
        self[owner, name][...] = self.initial[owner, name]
        if (owner, f"{name}@last") in self:
            self[owner, f"{name}@last"][...] = step - 1

    def portable(self) -> dict[Key, np.ndarray]:
        """Return copies of all arrays, spikes kept in one segment, whatever the number of threads."""
        return {
            key: array.copy()
            for key, array in self._resegment(self.arrays, self.bounds, self._whole()).items()
        }

    def restore(self, arrays: dict[Key, np.ndarray], shift: int) -> None:
        """Take over arrays of `portable`, moved by ``shift`` steps in time."""
        self._matrices.clear()  # the propagators among the arrays may be others
        arrays = self._resegment(arrays, self._whole(), self.bounds)
        for (owner, name), array in arrays.items():
            if name in _STEPS or name.endswith("@last"):
                array = array + shift
            elif name.endswith("@rows"):
                array = array + [0, shift, 0]
            elif name in _RINGS:
                array = np.roll(array, shift % array.shape[0], axis=0)
            old = self.arrays.get((owner, name))
            if old is not None and old.shape == array.shape:
                old[...] = array
            else:
                self[owner, name] = array.copy()

    def now(self, owner: str, name: str, step: int) -> np.ndarray:
        """Return all values of a state, parameter or variable at the end of a step: decays applied, tables at their row."""
        if (owner, f"{name}@rows") in self:
            return self.row(owner, name, step)
        base = self[owner, name]
        if (owner, f"{name}@last") not in self:
            return base
        p = self._program.plastic[owner]
        symbol = p.symbols[name]
        tau = self[owner, symbol.decay]
        if tau.size > 1 and symbol.side != "edge":
            tau = tau[p.groups(symbol.side).neuron]
        since = (step - self[owner, f"{name}@last"]).astype(np.float64)
        return base * FUNCTIONS["exp"](-(since * self._program.dt) / tau).astype(
            self.dtype, copy=False
        )

    def sample(self, probe: Probe, step: int) -> np.ndarray:
        """Return the values of a probe at the end of a step, (M,) float64."""
        at = self.locate(probe.owner, probe.variable)[0]
        values = self.now(probe.owner.name, probe.variable, step)[
            at if probe.edges is None else at[probe.edges]
        ]
        return values.astype(np.float64, copy=False)

    def put(self, owner: str, name: str, index: np.ndarray, values: Any, step: int) -> None:
        """Assign values at the end of a step; a variable's decay starts anew where it is assigned."""
        self[owner, name][index] = values
        if (owner, f"{name}@last") in self:
            self[owner, f"{name}@last"][index] = step

    def locate(self, owner: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return where the values of a view or projection stand in `now`, and the neurons or edges that they belong to."""
        if isinstance(owner, View):
            return (
                owner.indices
                if self._size(owner.name, name) > 1 or name in self._states(owner.name)
                else np.zeros(1, int)
            ), owner.indices
        p = self._program.projections[owner.name]
        everyone = np.arange(p.targets.size)
        if isinstance(p, StaticProjection):
            return (
                everyone if self[owner.name, "w"].size > 1 else np.zeros_like(everyone)
            ), everyone
        symbol = p.symbols[name]
        if symbol.side == "one":
            return np.zeros(1, int), np.zeros(1, int)
        if symbol.side == "edge":
            return everyone, everyone
        view = owner.source if symbol.side == "pre" else owner.target
        if symbol.role == "variable" and not p.groups(symbol.side).uniform:
            return p.groups(symbol.side).of_edge, everyone
        return view.indices, view.indices

    def _size(self, owner: str, name: str) -> int:
        array = self[owner, name]
        return array.shape[-1] if (owner, f"{name}@rows") in self else array.size

    def _states(self, owner: str) -> tuple[str, ...]:
        return self._program.populations[owner].code.states

    def _whole(self) -> dict[str, np.ndarray]:
        """Return the bounds of one segment."""
        return {name: b[[0, -1]] for name, b in self.bounds.items()}

    @staticmethod
    def _resegment(
        arrays: dict[Key, np.ndarray], old: dict[str, np.ndarray], new: dict[str, np.ndarray]
    ) -> dict[Key, np.ndarray]:
        """Return arrays whose spikes, kept in segments of ``old`` bounds, stand in those of ``new``; the others are not copied."""
        result = dict(arrays)
        for name in new:
            if not np.array_equal(old[name], new[name]):
                history = result[name, "_history"] = arrays[name, "_history"].copy()
                slots, segments = history.shape[0], new[name].size - 1
                at = kept(arrays[name, "_count"], old[name], history.shape[1])
                spikes = history.flat[at]
                segment = (
                    at // history.shape[1] * segments
                    + np.searchsorted(new[name], spikes, side="right")
                    - 1
                )
                count = result[name, "_count"] = np.bincount(
                    segment, minlength=slots * segments
                ).reshape(slots, segments)
                history.flat[kept(count, new[name], history.shape[1])] = spikes
        return result

    def spikes(self, population: str, step: int) -> np.ndarray:
        """Return the neurons that spiked in one of the last steps, ascending."""
        history, count = self[population, "_history"], self[population, "_count"]
        slot = step % history.shape[0]
        bounds = self.bounds[population]
        return np.concatenate(
            [history[slot, b : b + c] for b, c in zip(bounds[:-1], count[slot], strict=True)]
        )

    def put_spikes(self, population: str, step: int, neurons: np.ndarray) -> None:
        """Keep the spikes (ascending) of a step in their segments."""
        history, count = self[population, "_history"], self[population, "_count"]
        slot = step % history.shape[0]
        bounds = self.bounds[population]
        for segment, (begin, end) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
            mine = neurons[(neurons >= begin) & (neurons < end)]
            history[slot, begin : begin + mine.size] = mine
            count[slot, segment] = mine.size


def kept(count: np.ndarray, bounds: np.ndarray, size: int) -> np.ndarray:
    """Return where spikes stand in a flat history of ``size`` neurons, slot by slot; ``count``: in each slot (row) and segment."""
    found = count.ravel()
    first = (np.arange(count.shape[0])[:, None] * size + bounds[:-1]).ravel()
    return np.repeat(first - np.cumsum(found) + found, found) + np.arange(found.sum())
