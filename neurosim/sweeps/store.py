"""The folder of a sweep: a file for each result and recording, written whole, and its lock."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import NetworkError
from ..recording import files
from ..whole_files import write_whole
from .grid import Point
from .jobs import Failure, Outcome, recording_path

try:
    import fcntl
except ImportError:  # Windows, where two sweeps on one folder are not noticed
    fcntl = None

SWEEP = "sweep.json"
_CONTENT = "sweep"
_LOCK = ".lock"
_RESULTS = "results"
_RECORDINGS = "recordings"


@dataclass
class Store:
    """The results and recordings of one sweep.

    Parameters
    ----------
    folder : path
        Of the sweep.
    outcomes : dict of str to Outcome
        By key, all that were ever stored.
    points : dict of str to list of str
        Text of a point -> keys of its outcomes.
    """

    folder: Path
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    points: dict[str, list[str]] = field(default_factory=dict)

    @property
    def recordings(self) -> Path:
        """Folder of recordings."""
        return self.folder / _RECORDINGS

    def known(self, point: Point, *, with_failures: bool) -> tuple[str, ...]:
        """Return the keys of the stored outcomes of a point.

        Parameters
        ----------
        point : Point
        with_failures : bool
            Without them, jobs that failed are tried again.
        """
        keys = self.points.get(point.text(), [])
        return tuple(k for k in keys if with_failures or self.outcomes[k].failure is None)

    def recorded(self, point: Point) -> tuple[str, ...]:
        """Return the keys of runs of a point whose recordings are stored."""
        runs = {self.outcomes[key].run for key in self.points.get(point.text(), [])}
        return tuple(r for r in sorted(runs) if r and recording_path(self.recordings, r).exists())

    def put(self, point: Point, outcome: Outcome) -> None:
        """Write an outcome, its recording first.

        Parameters
        ----------
        point : Point
        outcome : Outcome
            With values or a failure.

        Raises
        ------
        NetworkError
            If the disk is full or refuses it.
        """
        content = outcome.recording
        if content is not None:
            self._write(recording_path(self.recordings, outcome.run), content)
        failure = None if outcome.failure is None else asdict(outcome.failure)
        header = {
            "point": point.data(),
            "run": outcome.run,
            "values": None if outcome.values is None else _without_nan(outcome.values),
            "failure": failure,
        }
        text = files.seal(header, _CONTENT, where=f"sweep, {point.text()}") + "\n"
        self._write(self._path(outcome.key), text.encode())
        self._remember(
            point, Outcome(outcome.state, outcome.key, outcome.run, outcome.values, outcome.failure)
        )

    def remove(self, point: Point, key: str) -> None:
        """Remove an outcome, if it is stored.

        Parameters
        ----------
        point : Point
        key : str
        """
        if self.outcomes.pop(key, None) is not None:
            self.points[point.text()].remove(key)
            self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / _RESULTS / f"{key}.json"

    def _write(self, path: Path, content: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, lambda file: file.write(content))
        except OSError as error:
            raise cannot_write(path, error) from error

    def _remember(self, point: Point, outcome: Outcome) -> None:
        self.outcomes[outcome.key] = outcome
        keys = self.points.setdefault(point.text(), [])
        if outcome.key not in keys:
            keys.append(outcome.key)

    def read(self) -> None:
        """Read all results.

        Raises
        ------
        NetworkError
            If a file is damaged.
        """
        for path in sorted((self.folder / _RESULTS).glob("*.json")):
            header = _unseal(path)
            try:
                point = Point(header["point"]["values"], header["point"]["seed"])
                outcome = _outcome_of(header, path.stem)
            except (KeyError, TypeError, ValueError) as error:
                raise _damaged(path, error) from error
            self._remember(point, outcome)


def _outcome_of(header: Mapping[str, Any], key: str) -> Outcome:
    """Return the outcome that a file of results holds."""
    values, failure = header["values"], header["failure"]
    if values is not None:
        values = _with_nan(values)
    if failure is not None:
        return Outcome("failed", key, header["run"], values, Failure(**failure))
    return Outcome("done", key, header["run"], values, None)


def cannot_write(path: Path, error: OSError) -> NetworkError:
    """Return the error of a file that the system refuses."""
    remedy = "Allow writing there"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = "Make room"
    return NetworkError(
        f"sweep: {path} cannot be written ({error.strerror or error}), expected a place that "
        f"takes it. What was stored before is whole. {remedy}, and call again: only what is "
        "missing will run."
    )


def _unseal(path: Path) -> dict[str, Any]:
    try:
        return files.unseal(path.read_bytes(), _CONTENT, where=str(path))
    except (NetworkError, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> NetworkError:
    return NetworkError(
        f"{path}: cannot be read ({type(error).__name__}: {error}), expected what a sweep wrote. "
        "Remove the file, and call again: what it held will be run again."
    )


# ---- numbers that JSON lacks

_NAMED = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def _without_nan(value: Any) -> Any:
    """Return values with text in place of NaN and infinities."""
    if isinstance(value, Mapping):
        return {name: _without_nan(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_without_nan(part) for part in value]
    is_finite = not isinstance(value, float) or math.isfinite(value)
    return value if is_finite else str(value)


def _with_nan(value: Any) -> Any:
    """Undo `_without_nan`."""
    if isinstance(value, Mapping):
        return {name: _with_nan(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_nan(part) for part in value]
    return _NAMED[value] if isinstance(value, str) else value


# ---- the folder


@contextmanager
def open_store(folder: Path, *, build: str, axes: Sequence[str]) -> Iterator[Store]:
    """Yield the store of a sweep, which no other process can open meanwhile.

    Parameters
    ----------
    folder : path
        New, empty, or that of this sweep.
    build : str
        Name of the function that builds the network.
    axes : sequence of str
        Names of the axes.

    Raises
    ------
    NetworkError
        If it holds other files or another sweep, cannot be written, or another sweep is at work.
    """
    _require_place(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / _LOCK, "ab")  # noqa: SIM115
    except OSError as error:
        raise cannot_write(folder, error) from error
    with lock:
        _take(lock, folder)
        _require_sweep(folder, {"build": build, "axes": sorted(axes)})
        store = Store(folder)
        store.read()
        yield store


def _require_place(folder: Path) -> None:
    """Raise NetworkError if a folder holds anything but a sweep."""
    if folder.is_dir():
        others = [entry.name for entry in folder.iterdir() if entry.name not in (SWEEP, _LOCK)]
        if not others or (folder / SWEEP).exists():
            return
    elif not folder.exists():
        return
    what = "other files" if folder.is_dir() else "a file"
    raise NetworkError(
        f"sweep, folder {folder}: found {what}, expected a new or empty folder, or that of this "
        "sweep. Choose another one."
    )


def _take(lock: Any, folder: Path) -> None:
    if fcntl is None:
        return
    try:
        # The system ends a lock with its process, however that ends.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise NetworkError(
            f"sweep, folder {folder}: found another sweep at work there, expected none. Wait for "
            "its end, or choose another folder."
        ) from error
    except OSError:  # a disk without locks
        pass


def _require_sweep(folder: Path, sweep: dict[str, Any]) -> None:
    """Raise NetworkError if a folder holds another sweep; name it after this one if none."""
    path = folder / SWEEP
    if not path.exists():
        try:
            text = files.seal(sweep, _CONTENT, where=str(path)) + "\n"
            write_whole(path, lambda file: file.write(text.encode()))
            for name in (_RESULTS, _RECORDINGS):
                os.makedirs(folder / name, exist_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error
        return
    before = _unseal(path)
    if before != sweep:
        axes = ", ".join(before.get("axes", [])) or "no axis"
        raise NetworkError(
            f"sweep, folder {folder}: found another sweep, of {before.get('build')!r} over {axes}, "
            f"expected that of {sweep['build']!r} over {', '.join(sweep['axes']) or 'no axis'}. "
            "Choose another folder."
        )
