"""Classification: a liquid organises itself, is shown a data set, and is read out.

Everything that takes long is kept in a folder as soon as it is there: the same call goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurosim import datasets
from neurosim.backend.lowering import Backend
from neurosim.datasets import Images, Recordings
from neurosim.draws.streams import Stream
from neurosim.errors import NetworkError, describe
from neurosim.recording.files import write_json

from .encoding import Events, Probabilities
from .samples import Liquid
from .settings import DEFAULTS, SETS, Settings, Task

if TYPE_CHECKING:
    from tqdm import tqdm

SPLITS: tuple[datasets.read.Split, ...] = ("train", "test")
WAITING = 255  # in place of a count: not shown yet. 83 spikes fit into 250 ms.
SAVED_EVERY = 500  # presentations, which take about half a second


@dataclass(frozen=True, eq=False)
class SampleCounts:
    """Counts of all samples of a task, with their labels.

    Attributes
    ----------
    counts : mapping of str to (B, N) uint8
        By split, "train" and "test".
    labels : mapping of str to (B,) uint8
    validation : int
        How many of the last training samples choose the readout.
    """

    counts: Mapping[str, NDArray[np.uint8]]
    labels: Mapping[str, NDArray[np.uint8]]
    validation: int

    def part(self, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return counts and labels of "train" (without validation), "validation" or "test"."""
        split = "test" if name == "test" else "train"
        first = len(self.labels["train"]) - self.validation
        # The test part is whole: no sample of it may choose anything.
        parts = {
            "train": slice(0, first),
            "validation": slice(first, None),
            "test": slice(None),
        }
        samples = parts[name]
        return self.counts[split][samples], self.labels[split][samples]


class Classification:
    """A liquid, the data that it is shown, and the folder that keeps the work.

    Parameters
    ----------
    task : Task
    settings : Settings
        ``inputs`` follows from the data set.
    seed : int
    folder : path
        Takes ``experiment.json``, ``organised.npz`` and ``counts-*.npy``.
    backend : str or Backend
    cores : int
        Samples that are shown side by side; results do not depend on it.
    progress : bool

    Raises
    ------
    DataError
        If the data are missing.
    NetworkError
        If a number of samples does not fit the data, or the folder holds another experiment.
    """

    def __init__(
        self,
        task: Task,
        *,
        settings: Settings = DEFAULTS,
        seed: int = 0,
        folder: str | Path,
        backend: str | Backend = "cpu",
        cores: int = 1,
        progress: bool = True,
    ) -> None:
        self.data = {split: load(task.dataset, split) for split in SPLITS}
        self.task = _fit(task, self.data)
        self.encoded = {split: encode(data) for split, data in self.data.items()}
        # Of the data, not of the user: a liquid with other inputs could not be shown them.
        inputs = self.encoded["train"].inputs
        self.settings = replace(settings, inputs=inputs)
        self.seed = seed
        self.folder = Path(folder)
        self.cores = cores
        self.progress = progress
        self._claim_folder()
        # Samples run side by side, so a run of its own takes one thread.
        self.liquid = Liquid(self.settings, seed=seed, backend=backend, threads=1)

    def organise(self, *, stops: Sequence[int] = ()) -> Iterator[int]:
        """Show short samples in random order, and yield their number after each stretch.

        It goes on from the last stretch that was saved.

        Parameters
        ----------
        stops : sequence of int
            Numbers of presentations at which a stretch ends.

        Yields
        ------
        int
            Presentations so far; the first value is that of the saved state, or 0.
        """
        path = self.folder / "organised.npz"
        run = self.liquid.run
        if path.exists():
            run.load(path)
        # A static liquid would learn nothing from them.
        total = self.task.presentations if self.settings.learning else 0
        order = _order(total, self.task.samples, seed=self.seed)
        windows = Stream(self.seed, "astrocyte_liquid/windows")
        starts = windows.uniform(np.arange(total))
        encoded = self.encoded["train"]
        presented = self.liquid.organised
        yield presented
        with self._bar("self-organisation", total, presented) as bar:
            while presented < total:
                ahead = [stop for stop in stops if stop > presented]
                # Saved now and then, so that an interrupt loses minutes and not hours.
                end = min(total, presented + SAVED_EVERY, *ahead)
                stretch = range(presented, end)
                images = (encoded.part(int(order[k]), float(starts[k])) for k in stretch)
                self.liquid.self_organise(images)
                presented = stretch.stop
                run.save(path)
                bar.update(len(stretch))
                yield presented

    def show(self) -> SampleCounts:
        """Show all samples that have not been shown yet, and return the counts of all."""
        sizes = {"train": self.task.samples, "test": self.task.tests}
        counts = {split: self._table(split, size) for split, size in sizes.items()}
        waiting = {split: np.flatnonzero(_is_waiting(table)) for split, table in counts.items()}
        total = sum(sizes.values())
        missing = sum(numbers.size for numbers in waiting.values())
        already = total - missing
        with self._bar("presentation", total, already) as bar:
            for split, numbers in waiting.items():
                # Numbers of test samples continue those of the training samples.
                first = 0 if split == "train" else sizes["train"]
                encoded = self.encoded[split]
                images = ((first + number, encoded.whole(number)) for number in numbers.tolist())
                for number, row in self.liquid.counts(images, cores=self.cores):
                    # The table is a file in memory: the row is on the disk without a save.
                    counts[split][number - first] = row
                    bar.update()
        labels = {split: self.data[split].labels[:size] for split, size in sizes.items()}
        return SampleCounts(counts, labels, self.task.validation)

    def _bar(self, title: str, total: int, initial: int) -> tqdm[Any]:
        from tqdm.auto import tqdm

        return tqdm(
            total=total,
            initial=initial,
            desc=title,
            unit="sample",
            disable=not self.progress,
        )

    def _table(self, split: str, size: int) -> NDArray[np.uint8]:
        """Return the table of counts on the disk, whose rows are written one by one."""
        path = self.folder / f"counts-{split}.npy"
        shape = (size, self.settings.side**3)
        if path.exists():
            table = np.lib.format.open_memmap(path, mode="r+")
            if table.shape != shape or table.dtype != np.uint8:
                raise NetworkError(
                    f"file {path}: found counts of shape {table.shape}, expected {shape}. "
                    "Remove the file, or choose another folder."
                )
            return table
        table = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
        table[:] = WAITING
        return table

    def _claim_folder(self) -> None:
        """Write down whose folder it is; refuse that of another experiment."""
        # Neither backend nor cores are part of it: results do not depend on them.
        experiment = {
            "task": asdict(self.task),
            "settings": asdict(self.settings),
            "seed": self.seed,
        }
        path = self.folder / "experiment.json"
        if path.exists():
            differing = self._differences(json.loads(path.read_text()))
            if differing:
                raise NetworkError(
                    f"folder {self.folder}: found another experiment, which differs in "
                    f"{', '.join(differing)}; expected this one or none. "
                    "Choose another folder, or remove it."
                )
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(path, experiment)

    def _differences(self, stored: Mapping[str, Any]) -> list[str]:
        """Return the names of what a stored experiment and this one do not share."""
        differing = []
        for key, settings in (("task", self.task), ("settings", self.settings)):
            # A file of an older version lacks settings that had only their default then.
            defaults = asdict(type(settings)())
            others = defaults | stored.get(key, {})
            for name, value in asdict(settings).items():
                if others[name] != value:
                    differing.append(name)
        if stored.get("seed") != self.seed:
            differing.append("its seed")
        return differing


def load(dataset: str, split: datasets.read.Split) -> Images | Recordings:
    """Return a part of a data set that the liquid can be shown.

    Parameters
    ----------
    dataset : str
    split : "train" or "test"

    Raises
    ------
    NetworkError
        If the liquid cannot be shown it.
    DataError
        If it is missing.
    """
    if dataset not in SETS:
        raise NetworkError(
            f"astrocyte liquid, dataset: found {describe(dataset)}, expected one of "
            f"{', '.join(SETS)}. Choose one."
        )
    data = datasets.load(dataset, split)
    assert isinstance(data, Images | Recordings)  # all of SETS are
    return data


def encode(data: Images | Recordings) -> Probabilities | Events:
    """Return images as probabilities of events, recordings as the events.

    Parameters
    ----------
    data : Images or Recordings
    """
    if isinstance(data, Images):
        return Probabilities(data)
    return Events(data)


def _fit(task: Task, data: Mapping[str, Images | Recordings]) -> Task:
    """Return a task with the numbers of all samples in place of 0."""
    sizes = {"samples": len(data["train"]), "tests": len(data["test"])}
    for name, most in sizes.items():
        number = getattr(task, name)
        if not 0 <= number <= most:
            raise NetworkError(
                f"astrocyte liquid, {name}: found {number}, expected 0 (all) to {most}, as many "
                f"as {task.dataset} has. Change it."
            )
        task = replace(task, **{name: number or most})
    if not 0 < task.validation < task.samples:
        raise NetworkError(
            f"astrocyte liquid, validation: found {task.validation}, expected 1 to "
            f"{task.samples - 1}: some of the {task.samples} samples must train. Change it."
        )
    if task.presentations < 0:
        raise NetworkError(
            f"astrocyte liquid, presentations: found {task.presentations}, expected 0 or more. "
            "Change it."
        )
    return task


def _order(count: int, samples: int, *, seed: int) -> NDArray[np.int64]:
    """Return which sample each presentation shows: all once in random order, then all again."""
    rounds = -(-count // samples)  # rounded up, since the last one may be cut short
    stream = Stream(seed, "astrocyte_liquid/order")
    numbers = np.arange(samples)
    orders = [np.argsort(stream.uniform(numbers, row=row)) for row in range(rounds)]
    # An empty start, since NumPy refuses to join nothing if there are no presentations.
    nothing = np.zeros(0, np.int64)
    order = np.concatenate([nothing, *orders])
    return order[:count]


def _is_waiting(table: NDArray[np.uint8]) -> NDArray[np.bool_]:
    # A row that a killed process left half written waits as well.
    return (table == WAITING).any(axis=1)
