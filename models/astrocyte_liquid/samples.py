"""Liquid: the network held open; short samples organise it, long ones are read out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import neurosim as ns
from neurosim.backend.lowering import Backend
from neurosim.errors import NetworkError
from neurosim.network.validation import read_duration, read_whole_number, to_steps
from neurosim.run.run import Run
from neurosim.run.states import Snapshot

from .network import PLASTIC, TAU_CALCIUM, TAU_TRACE, build
from .settings import DEFAULTS, Settings

ORGANISING = "20 ms"  # for which an image is shown to a liquid that organises itself
FADE = 0.99  # of all strengths of learning, in each step of a presentation


class Liquid:
    """A liquid to which images are shown.

    An image is the probability of an event per ms for each input, (M,), or a row of them per ms,
    (T, M). A sample of T ms is T - 1 steps: a spike of step k is one of k + 1 ms in the published
    program, which has none at 0 ms and counts T ms to the next sample.

    Parameters
    ----------
    settings : Settings
    seed : int
        Of the network and of all events. Those of a presentation follow from the seed, from how
        much was learned, and from its number.
    backend : str or Backend
        One that can hold a run open.
    **options
        Of the backend, such as ``threads=1``, which leaves the other cores to other samples.

    Attributes
    ----------
    run : Run
        The open run that learns.
    """

    def __init__(
        self,
        settings: Settings = DEFAULTS,
        *,
        seed: int = 0,
        backend: str | Backend = "cpu",
        **options: Any,
    ) -> None:
        self.settings = settings
        self.seed = seed
        self._prepare = partial(ns.prepare, backend=backend, **options)
        self.run: Run = self._prepare(build(settings, seed))
        self._others: list[Run] = []

    @property
    def organised(self) -> int:
        """How many images were shown by `self_organise`, if each was shown for 20 ms."""
        return self.run.step // _steps(ORGANISING)

    def weights(self) -> dict[str, NDArray[np.float64]]:
        """Return the weights of the projections that learn, (E,) each."""
        return {name: np.array(self.run.get(name, "w")) for name in PLASTIC}

    def self_organise(self, images: Iterable[ArrayLike], *, time: Any = ORGANISING) -> None:
        """Show images once each, in order; weights, traces and calcium pass on to the next."""
        steps = _steps(time)
        run = self.run
        # Neurons, their state, and how much of it the ms between two samples leaves.
        left_of_trace = math.exp(-1 / TAU_TRACE)
        passed_on = [("input", "trace", left_of_trace), ("liquid", "trace", left_of_trace)]
        if self.settings.calcium:
            # The program steps calcium by Euler's method, and traces exactly.
            passed_on.append(("liquid", "calcium", 1 - 1 / TAU_CALCIUM))
        for image in images:
            # Read before the reset, which clears them with everything else.
            states = []
            for name, state, left in passed_on:
                states.append((name, state, left * run.get(name, state)))
            run.reset()
            run.set("input", p=self._events(image))
            for name, state, values in states:
                run.set(name, **{state: values})
            run.run(steps, progress=False)

    def present(
        self,
        images: Iterable[ArrayLike],
        *,
        first: int = 0,
        cores: int = 1,
        time: Any = "250 ms",
    ) -> NDArray[np.int64]:
        """Show images, each from the weights learned before; what is learned meanwhile is dropped.

        Parameters
        ----------
        images : B images
        first : int
            Number of the first one; those of one call count on from there.
        cores : int
            How many are shown side by side, each by an open run of its own. The result does not
            depend on it.
        time : ms
            Of each sample.

        Returns
        -------
        (B, N)
            Spikes of each neuron of the liquid.
        """
        numbered = enumerate(images, first)
        counts = dict(self.counts(numbered, cores=cores, time=time))
        rows = [counts[number] for number in sorted(counts)]
        # A table of no images keeps its columns, too.
        size = self.settings.side**3
        return np.array(rows).reshape(-1, size)

    def counts(
        self, numbered: Iterable[tuple[int, ArrayLike]], *, cores: int = 1, time: Any = "250 ms"
    ) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Show images as `present` does, and yield the counts of each as soon as it was shown.

        Parameters
        ----------
        numbered : iterable of (int, image)
            Images with their numbers; few are read ahead.
        cores : int
        time : quantity, ms

        Yields
        ------
        number : int
            Those of images that are shown side by side may come in another order.
        (N,)
            Spikes of each neuron of the liquid.
        """
        steps = _steps(time)
        start = self._start()
        cores = read_whole_number(cores, where="astrocyte liquid, cores")
        # Opened once and reused: preparing a run takes longer than a sample.
        while len(self._others) < cores:
            net = build(self.settings, self.seed)
            self._others.append(self._prepare(net))
        free: SimpleQueue[Run] = SimpleQueue()
        for run in self._others[:cores]:
            free.put(run)

        def show(number: int, image: ArrayLike) -> tuple[int, NDArray[np.int64]]:
            # A run serves one image at a time; whichever is free takes the next.
            run = free.get()
            try:
                self._show(run, start, number, image, steps)
                return number, run.get("liquid", "spikes").astype(np.int64)
            finally:
                free.put(run)

        remaining = iter(numbered)
        with ThreadPoolExecutor(cores) as pool:  # compiled steps do not hold the interpreter's lock
            # One image waits for each core, so that an interrupt loses no more than these.
            first_ones = islice(remaining, 2 * cores)
            running = {pool.submit(show, number, image) for number, image in first_ones}
            while running:
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                # As many follow as have ended: a long data set never lies in memory whole.
                next_ones = islice(remaining, len(finished))
                running |= {pool.submit(show, number, image) for number, image in next_ones}
                for future in finished:
                    yield future.result()

    def rasters(
        self, images: Iterable[ArrayLike], *, first: int = 0, time: Any = "250 ms"
    ) -> NDArray[np.bool_]:
        """Show images as `present` does, and return their rasters.

        Parameters
        ----------
        images : B images
        first : int
            Number of the first one.
        time : quantity, ms
            Of each sample.

        Returns
        -------
        (B, T, N) bool
            Which neuron spiked at which ms of the published program.
        """
        return self._rasters("liquid", images, first=first, time=time)

    def input_rasters(
        self, images: Iterable[ArrayLike], *, first: int = 0, time: Any = "250 ms"
    ) -> NDArray[np.bool_]:
        """Show images as `present` does, and return the rasters of the inputs, (B, T, M) bool.

        Parameters
        ----------
        images, first, time
            As for `rasters`.
        """
        return self._rasters("input", images, first=first, time=time)

    def _rasters(
        self,
        name: str,
        images: Iterable[ArrayLike],
        *,
        first: int,
        time: Any,
    ) -> NDArray[np.bool_]:
        steps = _steps(time)
        start = self._start()
        images = list(images)
        net = build(self.settings, self.seed)
        net.record(net.populations[name], "spikes")
        run = self._prepare(net)
        for number, image in enumerate(images, first):
            self._show(run, start, number, image, steps)
        spikes = run.result()[name].spikes
        # The clock of each sample was set by its number, so the step of a spike names its sample.
        steps_since_first = spikes.step - start.step - first * steps
        sample, step = np.divmod(steps_since_first, steps)
        raster = np.zeros((len(images), steps + 1, spikes.size), bool)
        raster[sample, step + 1, spikes.index] = True
        return raster

    def levels(self, image: ArrayLike, *, time: Any = "250 ms") -> NDArray[np.float64]:
        """Show an image as `present` does, and return the level of the astrocyte, (T,).

        Of several astrocytes, it is their mean.

        Parameters
        ----------
        image : (M,) or (T, M)
        time : quantity, ms
        """
        net = build(self.settings, self.seed)
        net.record(net.populations["astrocyte"], "level")
        run = self._prepare(net)
        self._show(run, self._start(), 0, image, _steps(time))
        return run.result()["astrocyte"].trace("level").values.mean(axis=1)

    def _show(
        self,
        run: Run,
        start: Snapshot,
        number: int,
        image: ArrayLike,
        steps: int,
    ) -> None:
        # Random numbers follow from the clock, so it does not matter which run shows an image.
        run.step = start.step + number * steps
        run.restore(start)
        run.set("input", p=self._events(image))
        run.run(steps, progress=False)

    def _start(self) -> Snapshot:
        """Return a snapshot of rest with the weights as learned, and with strengths that fade."""
        # The run that learns continues afterwards as if nothing had been asked.
        now = self.run.snapshot()
        self.run.reset()
        self.run.set("astrocyte", fade=FADE)
        if self.settings.calcium:
            # What calcium permits is learned before; presentations leave all weights as they are.
            for name in PLASTIC:
                self.run.set(name, causal=0.0, anticausal=0.0)
        start = self.run.snapshot()
        self.run.restore(now)
        return start

    def _events(self, image: ArrayLike) -> Any:
        """Return an image as the probabilities of the input, checked."""
        probabilities = np.asarray(image, np.float64)
        size = self.settings.inputs
        if probabilities.ndim not in (1, 2) or probabilities.shape[-1] != size:
            raise NetworkError(
                f"astrocyte liquid: found an image of shape {probabilities.shape}, expected "
                f"({size},) or (T, {size}). Reshape it."
            )
        least, most = probabilities.min(initial=0.0), probabilities.max(initial=0.0)
        # Written so that NaN is refused, too.
        if not (least >= 0 and most <= 1):
            raise NetworkError(
                f"astrocyte liquid: found an image with values from {probabilities.min():g} to "
                f"{probabilities.max():g}, expected 0 to 1, the probability of an event per ms. "
                "Divide images by their sums, and all by the largest value that is left."
            )
        if probabilities.ndim == 1:
            return probabilities
        return ns.table(probabilities, every="1 ms")


def _steps(time: Any) -> int:
    """Return the number of steps of a sample."""
    where = "astrocyte liquid: time of a sample"
    duration = read_duration(time, where=where)
    # One less than its ms: the published program has no spike at 0 ms.
    steps = int(to_steps(duration, 1.0, where=where)) - 1
    if steps < 1:
        raise NetworkError(f"{where}: found 1 ms, expected at least 2 ms. Show samples for longer.")
    return steps
