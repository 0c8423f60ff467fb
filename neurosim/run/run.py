"""Run: a prepared network held open."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ..backend.engine import Chunk, Engine, NothingDone
from ..backend.report import Report
from ..distribution import DISTRIBUTION
from ..errors import NetworkError, SimulationError, describe, describe_unknown
from ..ir.concrete import ConcreteNetwork
from ..ir.memory import Key
from ..ir.memory_checks import require_layouts, require_values
from ..ir.program import Program
from ..ir.spike_signals import find_signals
from ..network.populations import Population, View
from ..network.projections import Drive, Projection
from ..network.validation import read_duration, read_flag, to_steps
from ..network.values.coefficients import Ends
from ..recording.edge_table import EdgeTable
from ..recording.files import read_path
from ..recording.recording import Recording
from ..recording.samples import Spikes
from ..units import Time
from .call_streams import CallStreams, require_counts
from .finite import NotFinite, Watch, find_in_states
from .guard import Guard, guarded, mending, reading
from .progress import bar
from .recorder import Recorder, rows_of_header
from .signals import SignalQueue
from .states import Identity, Layouts, SavedState, Snapshot
from .timetable import Timetable
from .values.assignments import Assignment, Assignments, Owner, declared_unit, find_observable
from .values.coefficient_readers import CoefficientReaders
from .values.edges import delay_of_each_edge, edge_variables, value_of_each_edge
from .values.loaded import require_finite, require_parameters
from .values.observed import definition_now, refresh_observed
from .values.plain_numbers import PlainNumbers

_HASHABLE = (str, float)  # types of durations that are read once
_STRETCH = 0.1  # seconds of computing between two checks for signals


def next_stretch(stretch: int, steps: int, elapsed: float) -> int:
    """Return the steps until the next check for signals.

    Parameters
    ----------
    stretch : int
        Those until the last one.
    steps : int
        Steps that were run.
    elapsed : float, s
        The time that they took.
    """
    # At most four times longer than the last: its time may be that of compiling, or of a pause of
    # the machine, and so say little about the next.
    return int(min(max(_STRETCH * steps / max(elapsed, 1e-6), 1), 4 * stretch, 1 << 20))


def steps_of(time: Time, dt: float) -> int:
    """Return a duration in whole steps."""
    # A closed loop runs the same duration again and again, often of one step.
    return _read_steps(time, dt) if isinstance(time, _HASHABLE) else _read_steps_anew(time, dt)


def _read_steps_anew(time: Time, dt: float) -> int:
    where = "run: duration"
    return int(to_steps(read_duration(time, where=where, zero=True), dt, where=where))


_read_steps = lru_cache(maxsize=64, typed=True)(_read_steps_anew)


class Run:
    """A prepared network held open: run, set, get, emit, reset, snapshot, save.

    `neurosim.prepare` returns one.

    Attributes
    ----------
    step : int
        Number of steps run.
    interrupted : bool
        Whether the last `run` ended before its time.
    report : Report
        Of the backend.
    """

    def __init__(
        self,
        program: Program,
        network: ConcreteNetwork,
        engine: Engine,
        report: Report,
        *,
        owners: Mapping[str, Owner],
        options: Mapping[str, Any],
        stream: str | Path | None = None,
        is_sample: bool = False,
    ) -> None:
        self.owners = owners
        self._is_sample = is_sample  # of a batch, which has the clock
        self._replica = int(options.get("replica", 0))
        self._options = _without_replica(options)
        self.program = program
        self.engine = engine
        self.report = report
        self.network = network.outline()
        # The engine made it: only it knows in how many segments spikes are kept.
        self.memory = engine.memory
        self.step = 0
        self._streams = CallStreams(program.seed, self._replica)
        self._timetable = Timetable(program, self.memory, replica=self._replica)
        self._calling = False  # whether a callback runs
        self.interrupted = False
        self._guard = Guard(program.name)
        self._is_running = False
        self._is_settled = True  # no work of the engine is deferred
        self._stretch = 64  # steps between two checks for signals
        # Of the whole network: the outline lacks weights and delays, which a snapshot depends on.
        self._hash = network.hash()
        self._watch = Watch(program, self.memory)
        self._readers = CoefficientReaders(owners, self.network.updates)
        self._plain_numbers = PlainNumbers(self.network, program, self.memory, self._readers)
        self._recorder = Recorder(
            program, self.network, self.memory, header=self._header(), stream=stream
        )

    @property
    def time(self) -> float:
        """Model time in ms."""
        return self.step * self.program.dt

    @property
    def generated_code(self) -> str:
        """The code that the backend generated, as it runs."""
        return self.engine.source()

    @property
    def source(self) -> str:
        """Another name of `generated_code`."""
        return self.generated_code

    def run(self, time: Time, *, progress: bool = True) -> None:
        """Run for a time.

        Parameters
        ----------
        time : quantity
            A multiple of dt; a plain number is in ms.
        progress : bool
            Show a progress bar if the run takes more than two seconds.

        Raises
        ------
        SimulationError
            If a value stops being finite; its ``recording`` holds everything recorded. Variables
            of rules are not checked after every very short run; `result`, `snapshot` and `save`
            always check them.
        NetworkError
            If the traces that will be recorded do not fit into memory; nothing was run.
        KeyboardInterrupt
            After Ctrl-C, between two steps: the run is whole, and may be read and continued. The
            handlers of other signals are called there too, and what they raise leaves a whole run.
        """
        with self._guard.working("run") as signals:
            steps = steps_of(time, self.program.dt)
            if self._is_sample:
                self._refuse_of_sample("run")
            self._require_run()
            if self._is_running:
                raise NetworkError(
                    "run: found a run that is running, expected one that stands still: the "
                    "handler of a signal cannot run it further. Run it when the first call has "
                    "returned."
                )
            self._is_running = True
            try:
                self._run(steps, signals, progress=progress)
            finally:
                self._is_running = False

    # The parts of `run`, which `Batch` calls for all its samples.

    def _require_run(self) -> None:
        """Raise NetworkError unless steps can be run now."""
        self._guard.require_whole("run")
        self._refuse_in_callback("run")

    def _begin(self, steps: int) -> None:
        """Prepare the recordings of so many steps."""
        self._recorder.demand(self.step, steps)
        # Values set since the run was prepared are its initial state, if nothing is recorded yet.
        self._recorder.begin(self.step)
        self.interrupted = True  # until the end is reached

    def _take_chunk(self, first: int, chunk: Chunk) -> None:
        """Append the recordings of steps, and emit the signals of spikes in the last one."""
        self._recorder.append(first, chunk)
        self.step += chunk.steps
        if chunk.rows:
            self.report = self.report.with_rows(chunk.rows)
            self._recorder.tell(self.report)
        if chunk.finite and self.program.signals:
            for signal in find_signals(self.program, self.memory, self.step - 1):
                self._emit(signal)

    def _check_values(self, elapsed: float, *, more: bool) -> None:
        """Write a part of a stream if it is due, and check variables as often as time pays for."""
        self._recorder.write_due()  # may fail: the run is whole already
        if self._watch.earn(elapsed, more=more):
            self._require_finite()

    def _run(self, steps: int, signals: SignalQueue, *, progress: bool) -> None:
        end = self.step + steps
        self._begin(steps)
        with bar(steps, dt=self.program.dt, name=self.program.name, wanted=progress) as advance:
            try:
                while self.step < end:
                    self._advance(end, advance)
                    if signals:
                        self._settle()  # handlers may read memory
                        signals.deliver()
            finally:
                self._settle()
        self.interrupted = False

    def _settle(self) -> None:
        """Let the engine do the work that it deferred because more steps were to follow."""
        if not self._is_settled and not self._guard.is_torn:
            with self._guard.changing("run"):
                self.engine.advance(self.step, 0)
            self._is_settled = True

    def _advance(self, end: int, advance: Callable[[int], None]) -> None:
        """Run until the next check for signals or event, at most to the step ``end``."""
        began = perf_counter()
        first = self.step
        self._call_callbacks()
        with self._guard.changing("run"):
            updated = self._timetable.update(first)
            if updated:
                self.engine.refresh()
            stop = self._timetable.next_after(first) or end
            count = min(self._stretch, min(end, stop) - first)
            # Before an event deferred work is done, since the event may read and change everything.
            more = first + count < end and first + count != stop and not self.program.signals
            chunk = self._advance_engine(first, count, more=more, updated=updated)
            elapsed = perf_counter() - began
            self._take_chunk(first, chunk)
        if not chunk.finite:
            raise self._end_within_step(chunk)
        advance(chunk.steps)
        self._check_values(elapsed, more=self.step < end)
        self._stretch = next_stretch(self._stretch, chunk.steps, elapsed)

    def _advance_engine(
        self,
        first: int,
        steps: int,
        *,
        more: bool,
        updated: bool,
    ) -> Chunk:
        """Let the engine run steps; the run stays whole if it cannot begin.

        ``updated``: statements have changed memory before these steps, and may not do so twice.
        """
        was_settled = self._is_settled
        self._is_settled = not more
        try:
            return self.engine.advance(first, steps, more=more)
        except NothingDone as nothing:
            reason = nothing.error
        if not updated:
            self._is_settled = was_settled
            self._guard.spare()
        raise reason

    def _call_callbacks(self) -> None:
        """Call the functions of `each` that are due now."""
        self._calling = True
        try:
            self._timetable.call(self.step)
        finally:
            self._calling = False

    def _refuse_in_callback(self, verb: str) -> None:
        if self._calling:
            raise NetworkError(
                f"{verb}: found a call by a function of run.each, expected none there, because the "
                "run is in progress. Use get, set, emit, reset, edges or snapshot."
            )

    def _refuse_of_sample(self, verb: str) -> None:
        if self._is_sample:
            raise NetworkError(
                f"{verb}: found one sample of a batch, expected the batch: its samples share one "
                f"clock. Use {verb} of the batch."
            )

    def each(self, interval: Time, function: Callable[[Run], object]) -> Callable[[], None]:
        """Call a function between steps at regular times of the run.

        It is called inside of `run`, before the steps that begin at 0, ``interval``,
        ``2 * interval``, ... of model time: not at the end of a run, but at the beginning of the
        next. Several are called in the order in which they were added, and before the statements
        of `Network.every`. An exception of a function leaves `run`; the run is whole then, and
        continues with the functions that were not called.

        Parameters
        ----------
        interval : time
            A multiple of dt; a plain number is in ms.
        function : function of this run
            May use every verb but `run`, `load` and ``restore(clock=True)``.

        Returns
        -------
        function
            Without arguments; ends the calls.

        Raises
        ------
        NetworkError
            ``interval`` that is no multiple of dt, or something that cannot be called.

        Examples
        --------
        >>> levels = []
        >>> stop = run.each("10 ms", lambda run: levels.append(run.get("glia", "level")))
        >>> run.run("1 s")
        >>> stop()
        """
        where = "each: interval"
        steps = int(to_steps(read_duration(interval, where=where), self.program.dt, where=where))
        if not callable(function):
            raise NetworkError(
                f"each: found {describe(function)}, expected a function of the run. "
                "Write run.each('1 ms', lambda run: ...)."
            )
        return self._timetable.add(lambda: function(self), steps)

    @reading
    def get(self, owner: Owner | str, name: str, *, per_edge: bool = False) -> Any:
        """Return a state, parameter, definition or variable as it is now.

        Parameters
        ----------
        owner : Population, View, Projection, Drive or str
        name : str
        per_edge : bool
            Of a projection: always one value per edge, also of what edges share.

        Returns
        -------
        float, or float64 array over the neurons or edges of the owner
            In the unit in which the name was declared. Edges are sorted by source, then target,
            both counted in their whole populations, in whatever order they were created. Of
            weights that edges share these are the K values that `shared` was given.

        Raises
        ------
        NetworkError
            If the owner or the name is unknown, or something without edges is asked for edges.
        """
        owner = self._owner(owner)
        if isinstance(owner, Projection) and name == "weight" and not owner.declares("weight"):
            name = "w"
        definition = find_observable(owner, name)
        if definition is not None and not per_edge:
            view = owner.view if isinstance(owner, Population) else owner
            values = definition_now(self.network, self.memory, owner.name, name, step=self.step)
            assert isinstance(view, View)  # projections have no definitions of cells
            return np.divide(values[view.indices], definition.unit.size, dtype=np.float64)
        size = declared_unit(owner, name).size
        if isinstance(owner, Drive) and name == "rate":
            size *= owner.n  # memory holds the rate of all trains of a target together
        if read_flag(per_edge, where="get: per_edge"):
            if not isinstance(owner, Projection):
                raise NetworkError(
                    f"get: found per_edge=True for {owner!r}, expected it for projections only. "
                    "Leave it out."
                )
            return value_of_each_edge(self.program, self.memory, owner.name, name, self.step) / size
        values = self.memory.now(owner.name, name, self.step - 1)
        # One value for all is a number; of a population of one neuron, a state is still an array.
        if values.size == 1 and not self._is_state(owner, name):
            return float(values[0]) / size
        # Of a whole population all values are those of memory.
        if not (isinstance(owner, Drive | Population) or self.program.shares_weights(owner.name)):
            values = values[self.memory.locate(owner, name)[0]]
        return np.divide(values, size, dtype=np.float64)

    @reading
    def spikes(self, population: Owner | str) -> Spikes:
        """Return the recorded spikes of the last stretch: of the steps of the last call of `run`.

        A loop reads them after each step, sets an input and runs on.

        Parameters
        ----------
        population : Population, View or str
            Of a view, the spikes of its neurons.

        Returns
        -------
        Spikes
            Empty before the first call of `run`.

        Raises
        ------
        NetworkError
            If its spikes are not recorded, or a stream has written a part of them to disk.

        Examples
        --------
        >>> run.run("1 ms")
        >>> run.spikes("motor").index
        """
        owner = self._owner(population)
        if not isinstance(owner, Population | View):
            raise NetworkError(
                f"spikes: found {owner!r}, expected a population, the only thing that spikes. "
                f"Name one of: {', '.join(self.program.populations) or 'none'}."
            )
        return self._recorder.last_spikes(owner)

    @reading
    def edges(self, projection: Projection | str) -> EdgeTable:
        """Return the edges of a projection as they are now; nothing need be recorded.

        Parameters
        ----------
        projection : Projection or str

        Returns
        -------
        EdgeTable
            Sources, targets, delays, weights and the rule's other edge variables, one per edge.

        Raises
        ------
        NetworkError
            If there is no such projection.
        """
        owner = self._owner(projection)
        if not isinstance(owner, Projection):
            raise NetworkError(
                f"edges: found {owner!r}, expected a projection, the only thing that has edges. "
                f"Name one of: {', '.join(self.program.projections) or 'none'}."
            )
        p = self.program.projections[owner.name]
        units = {name: declared_unit(owner, name) for name in edge_variables(p)}
        return EdgeTable(
            owner.name,
            np.array(p.sources, np.int32),
            np.array(p.targets, np.int32),
            delay_of_each_edge(p, self.program.dt),
            {name: self.get(owner, name, per_edge=True) for name in units},
            {name: unit.text for name, unit in units.items()},
        )

    @guarded
    def set(self, owner: Owner | str, /, **values: Any) -> None:
        """Change states, parameters, tables, weights or given spikes by name.

        All values are checked before the first is changed. Parameters written as text over others
        follow these, until they are set themselves. One value per neuron in place of one for all
        prepares the cell again.

        Parameters
        ----------
        owner : Population, View, Projection, Drive or str
            Of a view, its neurons alone are changed.
        **values : quantity, array, draw, table or text
            Text, of neurons alone, is an expression over their present states, parameters and
            definitions, such as ``"rest + 5 * mV"``. Arrays over edges are in the order of `get`.
            A table begins with its first row at the next step; a value for some neurons replaces
            their columns of a table, and the other columns continue. ``times`` of given spikes are
            model time, as of `time`, and ``steps`` count from the start of the run: none may be
            past. With ``round_times=True`` times are rounded to the nearest step.

        Raises
        ------
        NetworkError
            If a name is unknown, or a value has a wrong unit, shape or range.
        """
        known = self._owner(owner)
        # All values are checked before the first is assigned.
        self._assign(known, self._check(known, values))

    def _check(self, owner: Owner, values: dict[str, Any]) -> list[Assignment]:
        """Return the assignments of values that are right; nothing changes."""
        plain = self._plain_numbers.check(owner, values)
        if plain is not None:
            return plain
        self._streams.begin(self.step)
        assignments = Assignments(
            self.network, self.program, self.memory, self.step, self._streams, self._readers
        )
        return assignments.check(owner, values)

    def _assign(self, owner: Owner, assignments: list[Assignment]) -> None:
        with self._guard.changing("set"):
            for assign in assignments:
                assign()
            if owner.name in self.program.populations or owner.name in self.program.projections:
                # Propagators and constants follow the parameters that may have changed.
                self.memory.compute_constants(owner.name)
            refresh_observed(self.network, self.memory, owner.name, self.step)
            self.engine.refresh()

    @guarded
    def emit(self, name: str) -> None:
        """Run the handlers of a signal now, projections in creation order.

        Parameters
        ----------
        name : str

        Raises
        ------
        NetworkError
            If no rule listens to the signal.
        """
        rules = [p.rule for p in self.network.projections.values() if p.rule is not None]
        valid = {signal for rule in rules for signal in rule.signals}
        if not isinstance(name, str) or name not in valid:
            raise NetworkError(
                f"emit: {describe_unknown('signal', name, valid)} A rule listens to a signal with "
                "a handler of its name."
            )
        self._emit(name)

    def _emit(self, name: str) -> None:
        signal = f"emit {name!r}"
        self._streams.begin(self.step)
        with self._guard.changing("emit"):
            # A signal acts at the end of the last step that ran, after its recordings.
            self.engine.emit(name, self.step - 1, repeat=self._streams.earlier(signal))
            self._streams.count(signal)
            self._watch.outdate()

    @guarded
    def reset(self, owner: Owner | str | None = None, *names: str) -> None:
        """Return variables to their values of the moment when the run was prepared.

        Parameters and the clock are never reset.

        Parameters
        ----------
        owner : Population, Projection, Drive or str, optional
            All populations and projections unless given.
        *names : str
            Unless given: of a population its states, refractoriness and ports; of a projection
            its pre and post variables and its spikes in flight. Edge variables only by name.

        Raises
        ------
        NetworkError
            If the owner is a part of a population, or a name is unknown.
        """
        known = None if owner is None else self._owner(owner)
        if known is not None:
            self._require_names(known, names)
        with self._guard.changing("reset"):
            if known is None:
                for name in (*self.program.populations, *self.program.projections):
                    self.memory.reset(name, self.step)
            elif names:
                for name in names:
                    self.memory.reset_name(known.name, name, self.step)
            else:
                self.memory.reset(known.name, self.step)
            for name in self.network.observed if known is None else (known.name,):
                refresh_observed(self.network, self.memory, name, self.step)
            self.engine.refresh()

    def _require_names(self, owner: Owner, names: tuple[str, ...]) -> None:
        """Raise NetworkError unless an owner can be reset, and has initial values of the names."""
        if isinstance(owner, View) and not owner.whole:
            raise NetworkError(
                f"reset: found {owner!r}, expected a whole population. "
                "Use run.set for some of its neurons."
            )
        for name in names:
            if not isinstance(name, str) or (owner.name, name) not in self.memory.initial:
                valid = [n for o, n in self.memory.initial if o == owner.name]
                unknown = describe_unknown("state or variable", name, valid, owner=repr(owner.name))
                raise NetworkError(f"reset: {unknown}")

    @guarded
    def snapshot(self) -> Snapshot:
        """Return a copy of everything that the run's future depends on.

        It fits any run of the same network, whatever its engine and threads.
        """
        self._require_finite()
        self._streams.begin(self.step)
        # Only finite values are copied, so what is restored needs no check.
        return Snapshot(
            self.memory.portable(),
            self.step,
            self._hash,
            self.memory.dtype.name,
            self._streams.arrays(),
        )

    @mending
    def restore(self, snapshot: Snapshot, *, clock: bool = False) -> None:
        """Return to a snapshot.

        Parameters
        ----------
        snapshot : Snapshot
        clock : bool
            Also restore the clock, and with it the random numbers. Recordings from the
            snapshot's time on are then dropped; a run without recordings records from that time.

        Raises
        ------
        NetworkError
            If the snapshot is of another network, seed or precision, or a gap in the recording
            would be left.
        """
        if not isinstance(snapshot, Snapshot):
            raise NetworkError(
                f"restore: found {describe(snapshot)}, expected a snapshot. "
                "Take it with run.snapshot()."
            )
        if not isinstance(clock, bool | np.bool_):
            raise NetworkError(
                f"restore: found clock={describe(clock)}, expected True or False. Choose one."
            )
        if clock:
            self._refuse_of_sample("restore")
        self._go_to(snapshot, self._fit(snapshot, clock=clock), clock=clock)

    def _fit(self, snapshot: Snapshot, *, clock: bool) -> dict[Key, np.ndarray]:
        """Return the arrays of a snapshot that fits this run, as its memory will hold them."""
        if clock:
            self._refuse_in_callback("restore")
        where = "restore: the snapshot"
        snapshot.require_fit(self._hash, self.memory.dtype.name)
        require_layouts(snapshot.layouts(), self.memory, self.program, where=where)
        require_values(snapshot.arrays, self.program, step=snapshot.step, where=where)
        require_counts(snapshot.draws, where=where)
        # Without the clock the state moves in time: refractory times and spikes in flight keep
        # their distance from now.
        return self.memory.moved(snapshot.arrays, 0 if clock else self.step - snapshot.step)

    def _go_to(self, snapshot: Snapshot, arrays: dict[Key, np.ndarray], *, clock: bool) -> None:
        if self._guard.is_torn:
            self._recorder.forget(self.step)  # steps that were recorded but do not count
        if clock:
            # The last that may refuse; until here nothing has changed.
            self._recorder.forget(snapshot.step)
        with self._guard.changing("restore"):
            if clock:
                self.step = snapshot.step
                self._timetable.turn_back()
                self._streams.restore(snapshot.step, snapshot.draws)
            self._take(arrays)

    def _take(self, arrays: dict[Key, np.ndarray], *, anew: bool = False) -> None:
        """Take over the arrays of a snapshot or file, of which constants are computed anew."""
        self.memory.take(arrays)
        for owner in (*self.program.populations, *self.program.projections) if anew else ():
            self.memory.compute_constants(owner)
        self._watch.checked = self.step
        self._is_settled = True  # notes of deferred work belong to the former state
        self.engine.refresh()

    @guarded
    def save(self, path: str | Path) -> None:
        """Write everything to a file, recordings included: `load` continues to the last bit.

        Parameters
        ----------
        path : path
            Overwritten if it exists.

        Raises
        ------
        NetworkError
            If the file cannot be written.
        SimulationError
            If a variable of a rule is not finite.
        """
        self._require_finite()
        self._streams.begin(self.step)
        state = SavedState(
            self.step,
            self._recorder.first,
            self.interrupted,
            self.memory.portable(),
            self._recorder.arrays(),
            self._streams.arrays(),
        )
        state.write(path, self._identity(), network=self.program.name)

    @mending
    def load(self, path: str | Path) -> None:
        """Continue from a file of `save`.

        Parameters
        ----------
        path : path
            Of a run of the same network, seed, replica and precision that records the same; the
            engine and the number of threads may differ.

        Raises
        ------
        NetworkError
            If the file is damaged or of another run; nothing is changed.
        FileNotFoundError
            If it does not exist.
        """
        self._refuse_of_sample("load")
        self._continue(self._read_state(path), where=f"load: {path}")

    def _read_state(self, path: str | Path) -> SavedState:
        """Return the content of a file that fits this run; nothing changes."""
        self._refuse_in_callback("load")
        path = read_path(path, where="load")
        where = f"load: {path}"

        def require(
            memory: Layouts,
            recorded: Layouts,
            first: int,
            end: int,
        ) -> None:
            require_layouts(memory, self.memory, self.program, where=where)
            self._recorder.require_layouts(recorded, first=first, end=end, where=where)

        state = SavedState.read(path, self._identity(), require)
        require_values(state.memory, self.program, step=state.step, where=where)
        require_finite(state.memory, where=where)
        ends = {p.name: Ends(p.pointer, p.targets) for p in self.program.plastic.values()}
        require_parameters(
            state.memory,
            self.owners.values(),
            ends=ends,
            updates=self.network.updates,
            dt=self.program.dt,
            where=where,
        )
        require_counts(state.draws, where=where)
        return state

    def _continue(self, state: SavedState, *, where: str) -> None:
        arrays = self.memory.moved(state.memory, 0)
        # The last that may refuse the file; until here nothing has changed.
        self._recorder.replace(state.recorded, first=state.first, end=state.step, where=where)
        with self._guard.changing("load"):
            self._timetable.turn_back()
            self.step = state.step
            self.interrupted = state.interrupted
            self._streams.restore(state.step, state.draws)
            self._take(arrays, anew=True)

    @mending
    def result(self) -> Recording:
        """Return everything recorded so far.

        Returns
        -------
        Recording
            Of a stream, populations and projections are read from disk when first asked for.

        Raises
        ------
        SimulationError
            If a variable of a rule is not finite.
        """
        if self._guard.is_torn:
            self._recorder.forget(self.step)  # steps that were recorded but do not count
            return self._recorder.recording(self.step, finished=False)
        self._require_finite()
        return self._recorder.recording(self.step, finished=not self.interrupted)

    def _identity(self) -> Identity:
        return Identity(
            self._hash,
            self.memory.dtype.name,
            self._replica,
            self._recorder.describe_probes(),
            self._recorder.digest_members(),
        )

    def _header(self) -> dict[str, Any]:
        return {
            "network": self.program.name,
            "dt": self.program.dt,
            "seed": self.program.seed,
            "replica": self._replica,
            "backend": self.report.backend,
            "options": self._options,
            "versions": dict(_versions()),
            "hash": self._hash,
            **rows_of_header(self.report),
        }

    # ---- names and checks

    def _owner(self, owner: Owner | str) -> Owner:
        """Return an owner of the prepared network, which may be asked for by its name."""
        run = f"run of {self.program.name!r}"
        name: object = owner
        if isinstance(owner, Population | View | Projection | Drive):
            name = owner.name
        known = self.owners.get(name) if isinstance(name, str) else None
        if known is None:
            noun = "population, projection or drive"
            raise NetworkError(describe_unknown(noun, name, self.owners, owner=run))
        if isinstance(owner, str):
            return known
        whole = owner.population if isinstance(owner, View) else owner
        # Identity: a population of another network may have the same name and size.
        if whole is not known:
            raise NetworkError(
                f"{run}: found {name!r} of another network, expected that of the one which was "
                "prepared. Give it or its name."
            )
        return owner

    def _is_state(self, owner: Owner, name: str) -> bool:
        """Whether a name is a state of a cell, which has one value per neuron always."""
        program = self.program.populations.get(owner.name)
        return program is not None and name in program.code.states

    def _require_finite(self) -> None:
        """Raise SimulationError if a variable of a rule is no longer finite."""
        not_finite = self._watch.find(self.step)
        if not_finite is not None:
            raise self._end_run(not_finite)

    def _end_within_step(self, chunk: Chunk) -> SimulationError:
        """Return the error that ends the run within a step, which does not count."""
        wrong = find_in_states(self.program, self.memory, self.step, suspects=chunk.suspects)
        self._guard.tear(f"{wrong.variable} of {wrong.member} {wrong.index} is {wrong.value}")
        return self._end_run(wrong)

    def _end_run(self, not_finite: NotFinite) -> SimulationError:
        """Return the error that ends the run, with everything recorded so far."""
        error = not_finite.error()
        # The same value is reported once: `result` and `snapshot` work after the error.
        self.interrupted = True
        self._watch.checked = self.step
        error.recording = self.result()
        return error


@cache  # reading them takes as long as preparing a small network
def _versions() -> dict[str, str]:
    from importlib.metadata import version  # slow to import: not before the first run

    packages = {name: version(name) for name in (DISTRIBUTION, "numpy", "numba")}
    return packages | {"python": platform.python_version()}


def _without_replica(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as a header holds them: those that are no numbers as text."""
    data = {}
    for name, value in options.items():
        if name != "replica":  # the header has it by itself
            is_number = isinstance(value, int | float | np.number | None)
            data[name] = value if is_number else str(value)
    return data
