"""Batch: samples of one network held open side by side, in the same step of model time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ..backend.engine import Chunk, SideBySide
from ..backend.report import Report
from ..errors import NetworkError, SimulationError, describe
from ..network.populations import Population, View
from ..network.validation import read_duration, to_steps
from ..recording.files import read_path
from ..recording.recording import Recording
from ..units import Time
from .progress import bar
from .run import Run, next_stretch, steps_of
from .signals import SignalQueue
from .states import Snapshot
from .values.assignments import Owner


class Batch:
    """B samples of one network, run side by side; `neurosim.prepare` with ``batch=B`` returns one.

    Sample b is a run of its own, ``batch[b]``: its values are read and set, signals emitted and
    recordings returned there. It draws the random numbers of a run with ``replica=b``, and equals
    that run. The batch has the clock, and verbs for all samples at once.

    Attributes
    ----------
    report : Report
        Of the backend.
    """

    def __init__(self, runs: Sequence[Run], engine: SideBySide, report: Report) -> None:
        self._runs = tuple(runs)
        self._engine = engine
        self.report = report
        self._is_running = False
        self._is_settled = True
        self._stretch = 64  # steps between two checks for signals

    def __len__(self) -> int:
        return len(self._runs)

    def __getitem__(self, sample: int) -> Run:
        return self._runs[sample]

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    @property
    def step(self) -> int:
        """Number of steps run."""
        return self._runs[0].step

    @property
    def time(self) -> float:
        """Model time in ms."""
        return self._runs[0].time

    @property
    def interrupted(self) -> bool:
        """Whether the last `run` ended before its time."""
        return any(run.interrupted for run in self._runs)

    @property
    def generated_code(self) -> str:
        """The code that the backend generated, as it runs."""
        return self._runs[0].generated_code

    # ---- running

    def run(self, time: Time, *, progress: bool = True) -> None:
        """Run all samples for a time.

        Parameters
        ----------
        time : quantity
            A multiple of dt; a plain number is in ms.
        progress : bool
            Show a progress bar if the run takes more than two seconds.

        Raises
        ------
        SimulationError
            If a value of a sample stops being finite, which ends all of them; its ``recording``
            is that of the sample.
        NetworkError
            If the traces that will be recorded do not fit into memory; nothing was run.
        """
        with ExitStack() as stack:
            signals = stack.enter_context(self._runs[0]._guard.working("run"))
            steps = steps_of(time, self._runs[0].program.dt)
            for run in self._runs:
                stack.enter_context(run._guard.alone("run"))
                run._require_run()
            if self._is_running:
                raise NetworkError(
                    "run: found a batch that is running, expected one that stands still. Run it "
                    "when the first call has returned."
                )
            self._is_running = True
            try:
                self._run(steps, signals, progress=progress)
            finally:
                self._is_running = False

    def _run(self, steps: int, signals: SignalQueue, *, progress: bool) -> None:
        end = self.step + steps
        for run in self._runs:
            run._begin(steps)
        program = self._runs[0].program
        with bar(steps, dt=program.dt, name=program.name, wanted=progress) as advance:
            try:
                while self.step < end:
                    self._advance(end, advance)
                    if signals:
                        self._settle()  # handlers may read memory
                        signals.deliver()
            finally:
                self._settle()
        for run in self._runs:
            run.interrupted = False

    def _settle(self) -> None:
        if not self._is_settled and not any(run._guard.is_torn for run in self._runs):
            self._engine.advance_samples(self.step, 0)
        self._is_settled = True

    def _advance(self, end: int, advance: Callable[[int], None]) -> None:
        """Run until the next check for signals or event, at most to the step ``end``."""
        began = perf_counter()
        first = self.step
        stop = self._begin_stretch(first) or end
        count = min(self._stretch, min(end, stop) - first)
        has_signals = bool(self._runs[0].program.signals)
        more = first + count < end and first + count != stop and not has_signals
        with ExitStack() as stack:
            for run in self._runs:
                stack.enter_context(run._guard.changing("run"))
            self._is_settled = not more
            chunks = self._engine.advance_samples(first, count, more=more)
            elapsed = perf_counter() - began
            for run, chunk in zip(self._runs, chunks, strict=True):
                run._take_chunk(first, chunk)
        self._require_finite_states(chunks)
        advance(chunks[0].steps)
        for sample, run in enumerate(self._runs):
            try:
                run._check_values(elapsed / len(self), more=self.step < end)
            except SimulationError as error:
                raise _of_sample(error, sample) from None
        self._stretch = next_stretch(self._stretch, chunks[0].steps, elapsed)

    def _begin_stretch(self, first: int) -> int | None:
        """Do all that is due before a step; return the step before which something is due next."""
        stops = []
        for run in self._runs:
            run._call_callbacks()
        for run in self._runs:
            with run._guard.changing("run"):
                if run._timetable.update(first):
                    run.engine.refresh()
            stops.append(run._timetable.next_after(first))
        return min((stop for stop in stops if stop is not None), default=None)

    def _require_finite_states(self, chunks: Sequence[Chunk]) -> None:
        wrong = [sample for sample, chunk in enumerate(chunks) if not chunk.finite]
        if not wrong:
            return
        errors = [self._runs[sample]._end_within_step(chunks[sample]) for sample in wrong]
        for sample, run in enumerate(self._runs):
            if sample not in wrong:
                run._guard.tear(f"a value of sample {wrong[0]} is not finite")
        raise _of_sample(errors[0], wrong[0])

    def each(self, interval: Time, function: Callable[[Batch], object]) -> Callable[[], None]:
        """Call a function between steps at regular times, as `Run.each` does.

        Parameters
        ----------
        interval : time
            A multiple of dt; a plain number is in ms.
        function : function of this batch

        Returns
        -------
        function
            Without arguments; ends the calls.
        """
        dt = self._runs[0].program.dt
        where = "each: interval"
        steps = int(to_steps(read_duration(interval, where=where), dt, where=where))
        if not callable(function):
            raise NetworkError(
                f"each: found {describe(function)}, expected a function of the batch. "
                "Write batch.each('1 ms', lambda batch: ...)."
            )
        return self._runs[0]._timetable.add(lambda: function(self), steps)

    # ---- values

    def get(self, owner: Owner | str, name: str, *, per_edge: bool = False) -> np.ndarray:
        """Return a state, parameter or variable of all samples.

        Parameters
        ----------
        owner, name, per_edge
            As of `Run.get`.

        Returns
        -------
        (B, n) or (B,) float64
        """
        values = [run.get(owner, name, per_edge=per_edge) for run in self._runs]
        if len({np.shape(value) for value in values}) > 1:
            values = [np.broadcast_to(v, max(map(np.shape, values))) for v in values]
        return np.array(values)

    def set(self, owner: Owner | str, /, **values: Any) -> None:
        """Change values of all samples; all are checked before the first is changed.

        Parameters
        ----------
        owner : Population, View, Projection, Drive or str
        **values : as of `Run.set`, or array (B, n) or (B, 1)
            An array with an axis more than usual has a row for each sample; anything else holds
            for all. Times of given spikes differ between samples by ``batch[b].set``.

        Raises
        ------
        NetworkError
            As of `Run.set`; or if an array has not as many rows as there are samples.
        """
        known = self._runs[0]._owner(owner)
        population = known.population if isinstance(known, View) else known
        of_spikes = isinstance(population, Population) and population.source_spikes is not None
        rows = [dict(values) for _ in self._runs]
        for name, value in values.items():
            if not of_spikes:
                for row, part in zip(rows, self._parts(name, value), strict=True):
                    row[name] = part
        for run in self._runs:
            run._guard.require_whole("set")
        checked = [run._check(known, row) for run, row in zip(self._runs, rows, strict=True)]
        for run, assignments in zip(self._runs, checked, strict=True):
            run._assign(known, assignments)

    def _parts(self, name: str, value: Any) -> list[Any]:
        """Return the value of each sample."""
        dimensions = getattr(value, "ndim", 0)
        if isinstance(value, list | tuple):
            dimensions = np.ndim(np.array(value, object))
        if dimensions < 2:
            return [value] * len(self)
        if len(value) != len(self):
            raise NetworkError(
                f"set, {name}: found an array of {len(value)} rows, expected {len(self)}, one for "
                "each sample. Give a row for each, or one row for all without the first axis."
            )
        # A row of one number is one number for all neurons.
        return [row[0] if len(row) == 1 else row for row in value]

    def emit(self, name: str) -> None:
        """Run the handlers of a signal now, in all samples.

        Parameters
        ----------
        name : str

        Raises
        ------
        NetworkError
            If no rule listens to the signal.
        """
        for run in self._runs:
            run.emit(name)

    def reset(self, owner: Owner | str | None = None, *names: str) -> None:
        """Return variables of all samples to their first values, as `Run.reset` does.

        Parameters
        ----------
        owner, *names
            As of `Run.reset`.
        """
        for run in self._runs:
            run.reset(owner, *names)

    # ---- states and results

    def snapshot(self) -> tuple[Snapshot, ...]:
        """Return a snapshot of each sample, see `Run.snapshot`."""
        return tuple(run.snapshot() for run in self._runs)

    def restore(self, snapshots: Sequence[Snapshot], *, clock: bool = False) -> None:
        """Return to the snapshots of `snapshot`.

        Parameters
        ----------
        snapshots : (B,) Snapshot
            Of one moment, if the clock is restored.
        clock : bool
            Also restore the clock; see `Run.restore`.

        Raises
        ------
        NetworkError
            If there are not as many snapshots as samples, one does not fit, or their moments
            differ.
        """
        self._require_one_each("restore", "snapshots", len(snapshots))
        if clock and len({snapshot.step for snapshot in snapshots}) > 1:
            raise NetworkError(
                "restore: found snapshots of several moments, expected one moment, since samples "
                "share a clock. Restore without clock=True."
            )
        with ExitStack() as stack:
            for run in self._runs:
                stack.enter_context(run._guard.working("restore"))
            pairs = list(zip(self._runs, snapshots, strict=True))
            fitting = [run._fit(snapshot, clock=clock) for run, snapshot in pairs]
            for (run, snapshot), arrays in zip(pairs, fitting, strict=True):
                run._go_to(snapshot, arrays, clock=clock)

    def save(self, folder: str | Path) -> None:
        """Write a file for each sample, ``0.npz``, ``1.npz``, ..., see `Run.save`.

        Parameters
        ----------
        folder : path
            Made if it does not exist; files of these names are overwritten.
        """
        path = Path(read_path(folder, where="save"))
        path.mkdir(parents=True, exist_ok=True)
        for sample, run in enumerate(self._runs):
            run.save(path / f"{sample}.npz")

    def load(self, folder: str | Path) -> None:
        """Continue from the files of `save`, see `Run.load`.

        Parameters
        ----------
        folder : path

        Raises
        ------
        NetworkError
            If a file is damaged, of another run or of another moment than the first.
        FileNotFoundError
            If there are fewer files than samples.
        """
        path = Path(read_path(folder, where="load"))
        files = [path / f"{sample}.npz" for sample in range(len(self))]
        for file in files:
            if not file.is_file():
                raise FileNotFoundError(f"load: {file} does not exist, expected a file per sample.")
        with ExitStack() as stack:
            for run in self._runs:
                stack.enter_context(run._guard.working("load"))
            states = [run._read_state(f) for run, f in zip(self._runs, files, strict=True)]
            if len({state.step for state in states}) > 1:
                raise NetworkError(
                    f"load: {path} holds files of several moments, expected those of one "
                    "batch.save. Load such a folder."
                )
            for run, state in zip(self._runs, states, strict=True):
                run._continue(state, where=f"load: {path}")

    def result(self) -> list[Recording]:
        """Return everything recorded so far, one recording for each sample."""
        return [run.result() for run in self._runs]

    def _require_one_each(self, verb: str, noun: str, count: int) -> None:
        if count != len(self):
            raise NetworkError(
                f"{verb}: found {count} {noun}, expected {len(self)}, one for each sample. "
                "Give those that this batch returned."
            )


def _of_sample(error: SimulationError, sample: int) -> SimulationError:
    """Return an error that names the sample in which a value is not finite."""
    named = SimulationError(
        f"sample {sample}: {error}",
        population=error.population,
        index=error.index,
        variable=error.variable,
        time=error.time,
    )
    named.recording = error.recording
    return named
