"""Memory: every array that a run changes or returns, by owner and name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import Any

import numpy as np

from ..draws.values import Shared, Table
from ..errors import NetworkError
from ..expr.evaluate import Prepared, Values, evaluate, ignoring_overflow, prepare
from ..expr.functions import FUNCTIONS
from ..expr.tree import Expr, names
from ..model.binding import Symbol
from ..model.integration.methods import Propagator
from ..network.populations import View
from ..network.probes import Probe
from ..network.projections import Projection
from ..network.validation import to_steps
from .concrete import ConcreteNetwork, ConcretePopulation, ConcreteProjection
from .derived import Derived
from .edge_values import Drawn
from .program import PlasticProjection, PopulationProgram, Program, StaticProjection
from .propagators import linear_entries, propagate_in_blocks
from .spike_history import change_segments, read_spikes, write_spikes

_BLOCK = 1 << 16  # values of a constant that are computed together

Key = tuple[str, str]
"""The owner and the name of an array; the names are part of the format of state files."""

# Arrays that hold absolute steps, and rings with one row per step. Both change if a snapshot is
# restored at another time.
_STEPS = ("_until", "_since")
_RINGS = ("_history", "_count", "_ring")
OF_ENGINE = "_machine_"
"""Begins the names of arrays that an engine adds, in which its own state is."""


@dataclass(frozen=True, eq=False)
class _Constant:
    """A constant of an owner.

    Parameters
    ----------
    name : str
    compute : Prepared
        Its expression.
    inputs : set of str
        Names that the expression reads.
    """

    name: str
    compute: Prepared
    inputs: frozenset[str]

    def evaluate(self, value: Values, *, few: bool) -> np.ndarray:
        """Return the values, (1,) or (N,); of many some at a time, which takes little memory.

        Parameters
        ----------
        value : name -> array or number
        few : bool
            The owner is so small that they are computed together.
        """
        if few:
            return _as_array(self.compute(value, None))
        read = {name: value(name) for name in self.inputs}
        sizes = [array.size for array in read.values() if isinstance(array, np.ndarray)]
        size = max(sizes, default=1)
        if size <= _BLOCK:
            return _as_array(self.compute(read.__getitem__, None))
        result = np.empty(size)
        for first in range(0, size, _BLOCK):
            part = slice(first, first + _BLOCK)
            some = {}
            for name, array in read.items():
                # One value serves every block.
                some[name] = array if np.size(array) == 1 else array[part]
            result[part] = self.compute(some.__getitem__, None)
        return result


def _as_array(value: Any) -> np.ndarray:
    result = np.asarray(value, np.float64)
    return result if result.ndim else result[np.newaxis]


@dataclass(frozen=True, eq=False)
class _Inputs:
    """Propagators and constants of an owner, and the names that each of them reads.

    A closed loop asks for them after every step.
    """

    of_propagators: list[tuple[Propagator, frozenset[str]]]
    of_constants: list[tuple[_Constant, Values]]

    @classmethod
    def find(
        cls,
        propagators: Sequence[Propagator],
        constants: Sequence[tuple[str, Expr]],
        read: Callable[[str], Values],
    ) -> _Inputs:
        """Find the names that are read; ``read`` returns the function that reads for a constant."""
        matrices = [[tree for row in p.matrix for tree in row] for p in propagators]
        of_matrices = [frozenset().union(*map(names, trees)) for trees in matrices]
        return cls(
            list(zip(propagators, of_matrices, strict=True)),
            [
                (_Constant(name, prepare(tree), frozenset(names(tree))), read(name))
                for name, tree in constants
            ],
        )


class Memory:
    """Arrays by (owner, name).

    Populations own

    - states, parameters and constants, (1,) or (N,);
    - ``_port_x``: the sum that has arrived at port x, (N,);
    - ``_until``: last refractory step, (N,); ``_refractory``: refractory steps, (1,) or (N,);
    - ``_history`` and ``_count``: spikes of the last steps, see `neurosim.ir.spike_history`;
    - ``_given_step`` and ``_given_index``: the spikes of a source of given spikes, (S,).

    Projections own

    - ``w``, variables and parameters of the rule, (1,), (N,), (G,) delay groups or (E,); weights
      that edges share, (K,), which ``StaticProjection.shared`` indexes;
    - ``x@last``: step of the last assignment of a variable with a closed form;
    - ``_ring``: terms that land in later steps, (depth, N_target); row ``step % depth``;
    - ``_since``: spikes of earlier steps are no longer in flight, (1,).

    Drives own ``rate`` (1/ms, always float64) and ``weight``, (1,) or (M,).

    An engine with numbers of its own adds arrays of any shape and type, whose names begin with
    `OF_ENGINE`: those that end in ``@at`` hold steps, those in ``_ring`` one row per step.

    A parameter that is a table has shape (T, 1) or (T, N), and ``x@rows`` = (steps per row, first
    step, T). ``x@follows``, (1,) or (N,), says which values of a parameter that is written as text
    still follow the parameters that it reads.

    Parameters
    ----------
    program : Program
    network : ConcreteNetwork
        Initial values.
    bounds : population -> (S + 1,)
        First neurons of the segments in which spikes are stored, one segment per partition.
    dtype : type
        Of all numbers that are not whole; values are rounded to it when they are stored.

    Attributes
    ----------
    replaced : set of keys
        Arrays that were replaced by others; engines that hold addresses clear it.
    initial : key -> array or Drawn
        Initial values of states and variables.
    """

    def __init__(
        self,
        program: Program,
        network: ConcreteNetwork,
        bounds: dict[str, np.ndarray],
        *,
        dtype: type = np.float64,
    ) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.arrays: dict[Key, np.ndarray] = {}
        self.replaced: set[Key] = set()
        self.bounds = bounds
        self.initial: dict[Key, np.ndarray | Drawn] = {}
        self._program = program
        # Digests of the matrices of linear groups: propagators are computed only if these change.
        self._matrices: dict[tuple[str, tuple[str, ...]], bytes] = {}
        # By owner, names that were written since its constants were computed; none: compute all.
        self._written: dict[str, set[str]] = {}
        self._inputs: dict[str, _Inputs] = {}
        # By population, the arrays that its constants read: a loop reads them after every step.
        self._read: dict[str, dict[str, Any]] = {}
        for population in program.populations.values():
            concrete = network.populations[population.name]
            observed = network.observed.get(population.name, {})
            self._add_population(population, concrete, observed)
        for projection in program.projections.values():
            self._add_projection(projection, network.projections[projection.name])
        for drive in program.drives.values():
            rate = np.array(drive.rate, np.float64)
            weight = np.array(drive.weight, np.float64)
            self[drive.name, "rate"] = np.atleast_1d(rate)
            self[drive.name, "weight"] = np.atleast_1d(weight)
        for owner in (*program.populations, *program.projections):
            self.compute_constants(owner)

    def __getitem__(self, key: Key) -> np.ndarray:
        return self.arrays[key]

    def __setitem__(self, key: Key, value: np.ndarray) -> None:
        # Rates of drives stay in float64: Poisson counts do not depend on the precision.
        owner, name = key
        is_rate = name == "rate" and owner in self._program.drives
        if value.dtype.kind == "f" and not is_rate:
            value = self.round(value, where=_describe(key))
        self.adopt(key, value)
        self.replaced.add(key)
        self._mark(key)

    def adopt(self, key: Key, array: np.ndarray) -> None:
        """Hold an array of an engine, which has the same numbers, in place of the one before.

        Parameters
        ----------
        key : (str, str)
        array : array
        """
        owner, name = key
        self.arrays[key] = array
        # Constants computed from now on must not read the one before.
        if owner in self._read:
            self._read[owner][name] = array

    def __contains__(self, key: Key) -> bool:
        return key in self.arrays

    # ---- arrays at the start

    def _add_population(
        self,
        p: PopulationProgram,
        concrete: ConcretePopulation,
        observed: Mapping[str, np.ndarray],
    ) -> None:
        for state, values in (concrete.initial | dict(observed)).items():
            self[p.name, state] = values.copy()
            # Never written to, so the network's own array serves.
            self.initial[p.name, state] = values
        for parameter, value in concrete.parameters.items():
            self.put_parameter(p.name, parameter, value, 0)
        self._add_follows(p.name, concrete.derived)
        for port in p.code.ports:
            self[p.name, f"_port_{port}"] = np.zeros(p.size, self.dtype)
        if p.refractory is not None:
            # Before the first step: no neuron begins refractory.
            self[p.name, "_until"] = np.full(p.size, -1, np.int64)
        if concrete.source_spikes is not None:
            steps, indices = concrete.source_spikes
            # Copies, because `Run.set` replaces the spikes of this run alone.
            self[p.name, "_given_step"] = steps.copy()
            self[p.name, "_given_index"] = indices.copy()
        segments = self.bounds[p.name].size - 1
        self[p.name, "_history"] = np.zeros((p.history, p.size), np.int32)
        self[p.name, "_count"] = np.zeros((p.history, segments), np.int64)

    def _add_projection(
        self, p: StaticProjection | PlasticProjection, concrete: ConcreteProjection
    ) -> None:
        depth = 1
        if isinstance(p, StaticProjection):
            if isinstance(concrete.weight, Shared):
                # Few, and the network's own: several runs may be made of one network.
                weight = np.array(concrete.weight.values, np.float64)
            else:
                weight = np.atleast_1d(np.asarray(concrete.weight, np.float64))
            # Weights may be many and belong to this run alone: a view of one number is copied.
            self[p.name, "w"] = weight if weight.flags.writeable else weight.copy()
        else:
            depth += int(np.max(p.dendritic, initial=0))
            for name, symbol in p.symbols.items():
                if symbol.role == "variable":
                    self._add_variable(p, name, concrete.initial[name])
            for name, value in concrete.values.items():
                self[p.name, name] = np.atleast_1d(np.array(value, np.float64))
            self._add_follows(p.name, concrete.derived)
        if p.port is not None:
            self[p.name, "_ring"] = np.zeros((depth, p.size), self.dtype)
        self[p.name, "_since"] = np.zeros(1, np.int64)

    def _add_variable(
        self, p: PlasticProjection, name: str, value: np.ndarray | Drawn | float
    ) -> None:
        symbol = p.symbols[name]
        key = (p.name, name)
        if symbol.side != "edge":
            per_neuron = np.asarray(value, np.float64)
            self[key] = values = per_neuron[p.groups(symbol.side).neuron]
            self.initial[key] = values.copy()
        elif isinstance(value, Drawn):
            values = np.empty(p.targets.size, self.dtype)
            for edges, numbers in value.parts():
                values[edges] = self.round(numbers, where=_describe(key))
            self[key] = values
            self.initial[key] = value
        elif np.ndim(value) > 0:
            self[key] = values = self.round(np.array(value), where=_describe(key))
            self.initial[key] = np.asarray(value)
        else:
            number = self.round(np.array(value, np.float64), where=_describe(key))
            self[key] = values = np.full(p.targets.size, number, self.dtype)
            # A view of one number, which takes no memory.
            self.initial[key] = np.broadcast_to(value, values.size)
        if symbol.decay:
            self[p.name, f"{name}@last"] = np.full(values.size, -1, np.int64)

    def _add_follows(self, owner: str, derived: Derived) -> None:
        for parameter in derived.trees:
            self[owner, f"{parameter}@follows"] = np.ones(1, bool)

    # ---- parameters, and the constants that depend on them

    def _mark(self, key: Key) -> None:
        """Note that constants which read an array have to be computed anew."""
        if key[0] in self._written:
            self._written[key[0]].add(key[1])

    def put_parameter(
        self,
        owner: str,
        name: str,
        value: Any,
        step: int,
    ) -> None:
        """Store a parameter.

        Parameters
        ----------
        owner, name : str
        value : number, (N,) or table
        step : int
            First step of the first row of a table.
        """
        if isinstance(value, Table):
            table = value.values
            if table.ndim == 1:
                # One column, (T, 1): a row has one value for all neurons.
                table = table[:, None]
            rows = [value.every, step, len(table)]
            self[owner, name] = np.ascontiguousarray(table)
            self[owner, f"{name}@rows"] = np.array(rows, np.int64)
        else:
            number = np.array(value, np.float64)
            self[owner, name] = np.atleast_1d(number)

    def row(self, owner: str, name: str, step: int) -> np.ndarray:
        """Return the row of a table that is in force at a step, (1,) or (N,).

        Parameters
        ----------
        owner, name : str
        step : int
        """
        every, first, rows = (int(n) for n in self[owner, f"{name}@rows"])
        # Before the first row the first one holds, after the last row the last one.
        since = max(step - first, 0)
        row = min(since // every, rows - 1)
        return self[owner, name][row]

    def compute_constants(self, owner: str) -> None:
        """Compute refractory steps, propagators and constants of a population or projection.

        Only those that read a parameter or constant which was written since the last call.

        Raises
        ------
        NetworkError
            If a refractory time is no whole number of steps.
        """
        written = self._written.get(owner)
        population = self._program.populations.get(owner)
        if population is not None and (written is None or population.refractory in written):
            self._compute_refractory(population)
        if owner not in self._inputs:
            self._inputs[owner] = _Inputs.find(
                self._propagators(owner),
                self._hosted(owner),
                lambda name: self._reader(owner, name),
            )
        inputs = self._inputs[owner]
        for propagator, read in inputs.of_propagators:
            if written is None or not written.isdisjoint(read):
                self._compute_propagators(owner, propagator)
        few = population is not None and population.size <= _BLOCK
        with ignoring_overflow():
            # After the propagators, which constants may read: those just computed are written too.
            for constant, value in inputs.of_constants:
                if written is None or not written.isdisjoint(constant.inputs):
                    self.write(owner, constant.name, constant.evaluate(value, few=few))
        self._written[owner] = set()

    def require_constants(self, owner: str, changed: Mapping[str, np.ndarray]) -> None:
        """Check that constants fit into the precision of the run if parameters were changed.

        Parameters
        ----------
        owner : str
        changed : mapping of str to array
            Parameters as they will be.

        Raises
        ------
        NetworkError
            If a constant is too large.
        """
        constants = dict(changed)
        for name, tree in self._hosted(owner):
            value = evaluate(tree, self._read_constant(owner, of=name, changed=constants))
            constants[name] = np.atleast_1d(np.asarray(value, np.float64))
            self.round(constants[name], where=_describe((owner, name)))

    def _propagators(self, owner: str) -> tuple[Propagator, ...]:
        """Return the propagators of a population or projection."""
        population = self._program.populations.get(owner)
        if population is not None:
            propagator = population.code.propagator
            return () if propagator is None else (propagator,)
        plastic = self._program.plastic.get(owner)
        return () if plastic is None else plastic.code.propagators

    def _hosted(self, owner: str) -> tuple[tuple[str, Expr], ...]:
        """Return the constants of a population or projection, in order of dependence."""
        if owner in self._program.populations:
            return self._program.populations[owner].code.hosted
        plastic = self._program.plastic.get(owner)
        return () if plastic is None else plastic.code.hosted

    def _read_constant(
        self, owner: str, *, of: str = "", changed: Mapping[str, np.ndarray] | None = None
    ) -> Callable[[str], Any]:
        """Return the function that reads parameters, propagators and constants of an owner.

        A coefficient ``of`` a projection's edges reads parameters of both ends edge by edge. Values
        of ``changed`` parameters replace those in memory.
        """
        p = self._program.plastic.get(owner)
        new = changed or {}
        spread = p is not None and of in p.symbols and p.symbols[of].side == "edge"

        def value(name: str) -> Any:
            if name == "dt":
                return self._program.dt
            stored = new[name] if name in new else self[owner, name]
            # Constants are computed in float64, whatever the precision of the run.
            values = np.asarray(stored, np.float64)
            if p is None or not spread:
                return values
            side = p.symbols[name].side
            if side == "pre":
                return values[p.sources]
            return values[p.targets] if side == "post" else values

        return value

    def _reader(self, owner: str, constant: str) -> Values:
        """Return the function that reads for a constant of an owner."""
        if owner not in self._program.populations or self.dtype != np.float64:
            return self._read_constant(owner, of=constant)
        if owner not in self._read:
            read = frozenset().union(*(names(tree) for _, tree in self._hosted(owner)))
            stored = {name: self[owner, name] for name in read if (owner, name) in self}
            self._read[owner] = stored | {"dt": self._program.dt}
        return self._read[owner].__getitem__

    def _compute_refractory(self, p: PopulationProgram) -> None:
        if p.refractory is None:
            return
        time = p.refractory
        if isinstance(time, str):
            time = self[p.name, time]
        where = f"population {p.name!r}: refractory time"
        steps = to_steps(time, self._program.dt, where=where)
        self.write(p.name, "_refractory", np.atleast_1d(steps))

    def _compute_propagators(self, owner: str, propagator: Propagator) -> None:
        entries = linear_entries(propagator, self._read_constant(owner))
        key = owner, propagator.states
        # A digest, since matrices take more memory than the states of their neurons.
        digest = blake2b()
        for entry in chain.from_iterable(entries):
            digest.update(entry.size.to_bytes(8, "little"))
            digest.update(np.ascontiguousarray(entry).data)
        if self._matrices.get(key) == digest.digest():
            return
        self._matrices[key] = digest.digest()
        arrays = propagate_in_blocks(propagator, entries, self._program.dt)
        for name, array in arrays.items():
            self.write(owner, name, array)

    def write(self, owner: str, name: str, array: np.ndarray) -> None:
        """Store an array, in place if the shape is the same: engines hold addresses of arrays.

        Parameters
        ----------
        owner, name : str
        array : array
            In engine units; copied unless it replaces one of another shape.
        """
        old = self.arrays.get((owner, name))
        if old is not None and old.shape == array.shape:
            if old.dtype.kind == "f" and old.dtype != array.dtype:
                array = self.round(array, where=_describe((owner, name)))
            old[...] = array
            self._mark((owner, name))
        else:
            self[owner, name] = np.ascontiguousarray(array)

    def round(self, values: np.ndarray, *, where: str) -> np.ndarray:
        """Return numbers in the precision of the run.

        Parameters
        ----------
        values : array
        where : str
            Begins the message.

        Raises
        ------
        NetworkError
            If a finite number is too large for the precision: it would become infinite.
        """
        if self.dtype == np.float64:
            return values.astype(self.dtype, copy=False)
        with np.errstate(over="ignore"):
            rounded = values.astype(self.dtype, copy=False)
        # A sum in float64 of numbers of float32 does not overflow, and allocates nothing.
        if not np.isfinite(rounded.sum(dtype=np.float64)):
            wrong = ~np.isfinite(rounded) & np.isfinite(values)
            if wrong.any():
                largest = np.finfo(self.dtype).max
                raise NetworkError(
                    f"{where}: found {np.asarray(values)[wrong].flat[0]:g}, expected at most "
                    f"{largest:.3g}, the largest number of precision {self.dtype.name!r} (in "
                    "engine units). Give a smaller one, or prepare the run with "
                    "precision='float64'."
                )
        return rounded

    # ---- values during a run

    def now(self, owner: str, name: str, step: int) -> np.ndarray:
        """Return all values of a state, parameter or variable at the end of a step.

        Closed forms are applied; of a table, the row in force is returned.

        Parameters
        ----------
        owner, name : str
        step : int

        Returns
        -------
        (1,), (N,), (G,) delay groups or (E,)
            Not to be changed: it can be the array of the memory itself.
        """
        if (owner, f"{name}@rows") in self:
            return self.row(owner, name, step)
        base = self[owner, name]
        if (owner, f"{name}@last") not in self:
            return base
        p = self._program.plastic[owner]
        symbol = p.symbols[name]
        tau = self._coefficient(p, symbol, str(symbol.decay))
        since = (step - self[owner, f"{name}@last"]).astype(np.float64)
        elapsed = since * self._program.dt
        with np.errstate(all="ignore"):  # any tau is allowed; results that are not finite show
            exponent = -elapsed / tau
            # Factors are computed in float64 and rounded once, whatever the precision.
            factor = FUNCTIONS["exp"](exponent).astype(self.dtype, copy=False)
            decayed = base * factor
            if symbol.inflow is None:
                return decayed
            gain = elapsed * FUNCTIONS["expm1_ratio"](exponent)
            inflow = self._coefficient(p, symbol, symbol.inflow)
            return decayed + inflow * gain.astype(self.dtype, copy=False)

    def _coefficient(self, p: PlasticProjection, symbol: Symbol, name: str) -> np.ndarray:
        """Return a coefficient of a closed form: one value, or one for each of the variable."""
        values = self[p.name, name]
        if values.size > 1 and symbol.side != "edge":
            return values[p.groups(symbol.side).neuron]
        return values

    def sample(self, probe: Probe, step: int) -> np.ndarray:
        """Return the values of a probe at the end of a step, (M,) float64."""
        positions, _ = self.locate(probe.owner, probe.variable)
        if probe.edges is not None:
            positions = positions[probe.edges]
        values = self.now(probe.owner.name, probe.variable, step)[positions]
        return values.astype(np.float64, copy=False)

    def has_finite_states(self) -> bool:
        """Return whether all states of all populations are finite."""
        return all(
            np.isfinite(self[p.name, state]).all()
            for p in self._program.populations.values()
            for state in p.code.states
        )

    def put(
        self,
        owner: str,
        name: str,
        index: Any,
        values: Any,
        step: int,
    ) -> None:
        """Assign values at the end of a step; the decay of assigned elements begins there.

        Parameters
        ----------
        owner, name : str
        index : indices, mask or slice
            The elements of the array that are assigned.
        values : number or array
        step : int
        """
        self[owner, name][index] = values
        if (owner, f"{name}@last") in self:
            self[owner, f"{name}@last"][index] = step

    def locate(self, owner: View | Projection, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Locate the values of a view or projection.

        Returns
        -------
        positions : (M,) indices
            Positions in the array that `now` returns.
        members : (M,) indices
            The neurons or edges that the values belong to.
        """
        if isinstance(owner, View):
            states = self._program.populations[owner.name].code.states
            # A state has an element per neuron, also in a population of one.
            shared = name not in states and self[owner.name, name].shape[-1] == 1
            positions = np.zeros(1, int) if shared else owner.indices
            return positions, owner.indices
        p = self._program.projections[owner.name]
        everyone = np.arange(p.targets.size)
        if isinstance(p, StaticProjection):
            if p.shared is not None:
                return p.shared, everyone
            shared = self[owner.name, "w"].size == 1
            positions = np.zeros_like(everyone) if shared else everyone
            return positions, everyone
        symbol = p.symbols[name]
        if symbol.side == "one":
            return np.zeros(1, int), np.zeros(1, int)
        if symbol.side == "edge":
            return everyone, everyone
        view = owner.source if symbol.side == "pre" else owner.target
        if symbol.role == "variable" and not p.groups(symbol.side).uniform:
            return p.groups(symbol.side).of_edge, everyone
        return view.indices, view.indices

    def spikes(self, population: str, step: int) -> np.ndarray:
        """Return the neurons that spiked in one of the last steps, ascending."""
        history = self[population, "_history"]
        count = self[population, "_count"]
        return read_spikes(history, count, bounds=self.bounds[population], step=step)

    def put_spikes(self, population: str, step: int, neurons: np.ndarray) -> None:
        """Store the neurons that spiked in a step.

        Parameters
        ----------
        population : str
        step : int
        neurons : (S,) indices, ascending
        """
        history = self[population, "_history"]
        count = self[population, "_count"]
        write_spikes(history, count, neurons, bounds=self.bounds[population], step=step)

    # ---- reset, snapshots and files

    def reset(self, owner: str, step: int) -> None:
        """Restore the initial condition of a population or projection before a step.

        Of a population: states, refractoriness and ports. Of a projection: pre and post variables,
        and spikes in flight.
        """
        if owner in self._program.populations:
            self._reset_population(self._program.populations[owner])
        elif owner in self._program.projections:
            plastic = self._program.plastic.get(owner)
            symbols = {} if plastic is None else plastic.symbols
            for name, symbol in symbols.items():
                # Variables of edges stay: a reset forgets activity, not what was learned.
                if symbol.role == "variable" and symbol.side != "edge":
                    self.reset_name(owner, name, step)
            if (owner, "_ring") in self:
                self[owner, "_ring"][...] = 0.0
            # Spikes stay in the history, which other projections read: this one skips earlier ones.
            self[owner, "_since"][...] = step

    def _reset_population(self, p: PopulationProgram) -> None:
        for state in p.code.states:
            self[p.name, state][...] = self.initial[p.name, state]
        for port in p.code.ports:
            self[p.name, f"_port_{port}"][...] = 0.0
        if (p.name, "_until") in self:
            self[p.name, "_until"][...] = -1

    def reset_name(self, owner: str, name: str, step: int) -> None:
        """Restore the initial values of one state or variable before a step.

        Parameters
        ----------
        owner, name : str
        step : int
            The step that comes next.
        """
        self[owner, name][...] = self.initial[owner, name]
        if (owner, f"{name}@last") in self:
            # Initial values count as assigned in the step before, as at the start of a run.
            self[owner, f"{name}@last"][...] = step - 1

    def portable(self) -> dict[Key, np.ndarray]:
        """Return copies of all arrays, spikes in one segment, whatever the number of threads."""
        arrays = self._change_segments(self.arrays, old=self.bounds, new=self._whole())
        return {key: array.copy() for key, array in arrays.items()}

    def moved(self, arrays: Mapping[Key, np.ndarray], shift: int) -> dict[Key, np.ndarray]:
        """Return the arrays of `portable` as this memory would hold them; nothing changes.

        Parameters
        ----------
        arrays : key -> array
        shift : int
            Steps by which they move in time.
        """
        arrays = self._change_segments(arrays, old=self._whole(), new=self.bounds)
        result = {}
        for (owner, name), array in arrays.items():
            array = _shift_steps(name, array, shift)
            # Others are copied into the arrays that are here, see `take`.
            replaces = self.arrays[owner, name].shape != array.shape
            result[owner, name] = np.array(array, order="C") if replaces else array
        return result

    def take(self, arrays: Mapping[Key, np.ndarray]) -> None:
        """Take over what `moved` returned; this needs no memory and cannot fail."""
        # The arrays may hold propagators and constants of other parameters.
        self._matrices.clear()
        self._written.clear()
        for key, array in arrays.items():
            old = self.arrays[key]
            if old.shape == array.shape:
                old[...] = array
            else:
                self[key] = array

    def _whole(self) -> dict[str, np.ndarray]:
        """Return the bounds of one segment per population."""
        return {name: bounds[[0, -1]] for name, bounds in self.bounds.items()}

    @staticmethod
    def _change_segments(
        arrays: Mapping[Key, np.ndarray], *, old: dict[str, np.ndarray], new: dict[str, np.ndarray]
    ) -> dict[Key, np.ndarray]:
        """Return arrays whose spikes stand in segments of ``new`` bounds; others are not copied."""
        result = dict(arrays)
        for name in new:
            if np.array_equal(old[name], new[name]):
                continue
            history = arrays[name, "_history"]
            count = arrays[name, "_count"]
            history, count = change_segments(history, count, old=old[name], new=new[name])
            result[name, "_history"] = history
            result[name, "_count"] = count
        return result


def _describe(key: Key) -> str:
    """Return an owner and the name of its array as messages say them."""
    owner, name = key
    # Names of constants and propagators begin with an underscore, as no name of a user does.
    noun = "a constant of its equations" if name.startswith("_") else name
    return f"{owner!r}, {noun}"


def _shift_steps(name: str, array: np.ndarray, shift: int) -> np.ndarray:
    """Return an array of memory as it would be some steps later."""
    if name in _STEPS or name.endswith(("@last", "@at")):
        return array + shift
    if name.endswith("@rows"):
        # Of steps per row, first step and number of rows, only the second is a time.
        return array + [0, shift, 0]
    if name in _RINGS or name.startswith(OF_ENGINE) and name.endswith("_ring"):
        return np.roll(array, shift % array.shape[0], axis=0)
    return array
