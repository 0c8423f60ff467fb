"""Recordings: what one run recorded, by the name of the population or projection; files of it, and long runs in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import NetworkError, describe_unknown
from . import conversion as convert
from . import files
from .samples import PopulationRecording, ProjectionRecording, Spikes, Trace, equal

if TYPE_CHECKING:
    import neo
    import pynwb
    import xarray

__all__ = [
    "PopulationRecording",
    "ProjectionRecording",
    "Recording",
    "RecordingWriter",
    "Spikes",
    "Trace",
    "concatenate",
]


@dataclass(frozen=True, eq=False)
class Recording:
    """All that was recorded of one run: ``result["ca3"].spikes``, ``result["loop"].trace("w")``.

    Attributes
    ----------
    header : dict
        JSON data: "dt" (ms), "steps"; if known "first" (step), "network", "seed", "replica" (of the random numbers), "backend", "options"
        (the backend's, as given), "versions", "hash", "report", "finished".
    populations, projections : by name, in order of creation
        Of a run that was written in parts, each is read from disk when it is first asked for, and kept.
    """

    header: dict[str, Any]
    populations: Mapping[str, PopulationRecording] = field(default_factory=dict)
    projections: Mapping[str, ProjectionRecording] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("dt", "steps"):
            if name not in self.header:
                raise NetworkError(
                    f"recording: its header has no {name!r}, only {', '.join(map(repr, self.header)) or 'nothing'}. Add it."
                )
        object.__setattr__(
            self, "header", files.plain(dict(self.header), "header of the recording")
        )

    __eq__ = equal

    def __getitem__(self, name: str) -> PopulationRecording | ProjectionRecording:
        if isinstance(name, str) and name in self.populations:
            return self.populations[name]
        if isinstance(name, str) and name in self.projections:
            return self.projections[name]
        raise NetworkError(
            f"{describe_unknown('name', name, self.names(), owner='the recording')} What is missing must be recorded with net.record."
        )

    def __contains__(self, name: object) -> bool:
        return name in self.populations or name in self.projections

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())

    def _ipython_key_completions_(self) -> list[str]:
        return self.names()

    def names(self) -> list[str]:
        """Return the names of all populations and projections that were recorded."""
        return [*self.populations, *self.projections]

    @property
    def dt(self) -> float:
        """One step, ms."""
        return self.header["dt"]

    @property
    def duration(self) -> float:
        """Time recorded, ms."""
        return self.header["steps"] * self.dt

    @property
    def report(self) -> list[dict[str, Any]]:
        """Rows of the backend's report that travel with the recording: what was approximated, and how."""
        return self.header.get("report", [])

    def __str__(self) -> str:
        known = self.header.get
        title = f"{known('network', 'recording')}: {self.duration:g} ms in steps of {self.dt:g} ms"
        extra = [
            f", {name} {known(name)}" for name in ("backend", "seed") if known(name) is not None
        ]
        unfinished = ", unfinished" if known("finished") is False else ""
        rows = [_population_row(each) for each in self.populations.values()] + [
            _projection_row(each) for each in self.projections.values()
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        report = (
            [f"  {_number(len(self.report), 'row')} of the backend's report, see .report"]
            if self.report
            else []
        )
        return "\n".join([title + "".join(extra) + unfinished, *table, *report])

    __repr__ = __str__

    def save(self, path: str | Path) -> Path:
        """Write everything to one .npz file, atomically and without pickle, and return its path."""
        arrays: dict[str, np.ndarray] = {}
        populations = {
            name: files.split(
                {"size": each.size, "spikes": each.recorded, "traces": each.traces},
                f"population/{name}",
                arrays,
            )
            for name, each in self.populations.items()
        }
        projections = {
            name: files.split(each, f"projection/{name}", arrays)
            for name, each in self.projections.items()
        }
        header = {"recording": self.header, "populations": populations, "projections": projections}
        return files.write(path, header, kind="recording", arrays=arrays)

    @staticmethod
    def load(path: str | Path) -> Recording:
        """Read what `save` wrote to a file, or all parts that a `RecordingWriter` wrote to a folder, finished or not.

        Of a folder, populations and projections are read and joined one by one, when they are first asked for.

        Raises
        ------
        NetworkError
            If it is damaged or of another origin.
        FileNotFoundError
            If it does not exist.
        """
        path = Path(path)
        return _load_parts(path) if path.is_dir() else _load_file(path)

    def to_neo(self) -> neo.Block:
        """Convert to a Neo block; see `neurosim.recording.conversion`."""
        return convert.to_neo(self)

    def to_xarray(self) -> xarray.DataTree:
        """Convert to a tree of xarray datasets; see `neurosim.recording.conversion`."""
        return convert.to_xarray(self)

    def to_nwb(self, **about: Any) -> pynwb.NWBFile:
        """Convert to an NWB file in memory; see `neurosim.recording.conversion`."""
        return convert.to_nwb(self, **about)


class RecordingWriter:
    """Writes a long run to a folder part by part, so that memory stays bounded and a crash loses one part at most.

    Parameters
    ----------
    folder : a new or empty folder
    header : dict
        As that of `Recording`; "finished" stays False until `close`.
    """

    def __init__(self, folder: str | Path, header: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if any(self.folder.iterdir()):
            raise NetworkError(
                f"folder {self.folder}: it holds other files; expected a new or empty folder. Choose another one."
            )
        self.parts = 0
        self._write_header(dict(header) | {"finished": False})

    def append(self, part: Recording) -> Path:
        """Write the next part, whole or not at all; its header's "first" and "steps" say where it belongs."""
        path = part.save(self.folder / f"part-{self.parts:08d}.npz")
        self.parts += 1
        return path

    def close(self, header: Mapping[str, Any]) -> None:
        """Replace the header by that of the finished run: "finished" unless it says otherwise."""
        self._write_header({"finished": True} | dict(header))

    def _write_header(self, header: dict[str, Any]) -> None:
        text = files.seal(header, "recording", where=str(self.folder))
        files.write_atomically(self.folder / files.HEADER, lambda file: file.write(text.encode()))


def concatenate(parts: Sequence[Recording]) -> Recording:
    """Join parts that follow each other without a gap; the header is that of the last one.

    Raises
    ------
    NetworkError
        If there are none, or if they do not fit.
    """
    if not parts:
        raise NetworkError(
            "concatenate: found no parts, expected at least one. Record something first."
        )
    head = parts[0]
    for before, after in zip(parts, parts[1:], strict=False):
        end, first = (
            before.header.get("first", 0) + before.header["steps"],
            after.header.get("first", 0),
        )
        if end != first or before.dt != after.dt:
            raise NetworkError(
                f"concatenate: a part ends before step {end} (dt {before.dt} ms) and the next begins with step {first} "
                f"(dt {after.dt} ms); expected no gap and the same dt. Give all parts of one run in order."
            )
        if _contents(before) != _contents(after):
            raise NetworkError(
                f"concatenate: one part holds {_contents(before)}, the next {_contents(after)}; expected the same. Give parts of one run."
            )
    header = parts[-1].header | {
        "first": head.header.get("first", 0),
        "steps": sum(part.header["steps"] for part in parts),
    }
    populations = {}
    for name, each in head.populations.items():
        same = [part.populations[name] for part in parts]
        spikes, traces = (
            _join_spikes([part.recorded for part in same]),
            _join_traces([part.traces for part in same]),
        )
        populations[name] = PopulationRecording(name, each.size, spikes, traces)
    projections = {
        name: replace(each, traces=_join_traces([part.projections[name].traces for part in parts]))
        for name, each in head.projections.items()
    }
    return Recording(header, populations, projections)


def _contents(recording: Recording) -> list[str]:
    spikes = [
        f"{name}.spikes"
        for name, each in recording.populations.items()
        if each.recorded is not None
    ]
    return (
        recording.names()
        + spikes
        + [f"{name}.{trace}" for name in recording.names() for trace in recording[name].traces]
    )


def _load_parts(folder: Path) -> Recording:
    path = folder / files.HEADER
    if not path.exists():
        raise NetworkError(
            f"folder {folder}: found no {files.HEADER}, expected one beside the parts. Name a folder that a run was recorded to."
        )
    header = files.unseal(path.read_bytes(), "recording", where=str(path))
    paths = sorted(folder.glob("part-*.npz"))
    if not paths:
        raise NetworkError(
            f"folder {folder}: found a header but no part, expected at least one: nothing was written yet. "
            "Wait for the first part, which is written after half a minute or at the end; if the run was killed before, run again."
        )
    heads = [files.read(path, kind="recording", only=())[0] for path in paths]
    joined = concatenate([Recording(head["recording"]) for head in heads]).header
    header = joined | header | {name: joined[name] for name in ("first", "steps")}
    return Recording(
        header, _Parts(heads[0]["populations"], paths), _Parts(heads[0]["projections"], paths)
    )


class _Parts(Mapping):
    """Populations or projections of a run written in parts, by name; each is read and joined when it is first asked for."""

    def __init__(self, names: Iterable[str], paths: Sequence[Path]) -> None:
        self._found: dict[str, Any] = dict.fromkeys(names)
        self._paths = paths

    def __getitem__(self, name: str) -> Any:
        if self._found[name] is None:
            self._found[name] = concatenate([_load_file(path, name) for path in self._paths])[name]
        return self._found[name]

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def _load_file(path: Path, only: str | None = None) -> Recording:
    """Return what a file holds, or one population or projection of it."""
    header, arrays = files.read(
        path,
        kind="recording",
        only="" if only is None else (f"population/{only}/", f"projection/{only}/"),
    )
    found = {
        kind: {
            name: files.join(each, f"{kind}/{name}", arrays)
            for name, each in header[f"{kind}s"].items()
            if only in (None, name)
        }
        for kind in ("population", "projection")
    }
    populations = {
        name: PopulationRecording(
            name, each["size"], each["spikes"] and Spikes(**each["spikes"]), _traces(each)
        )
        for name, each in found["population"].items()
    }
    projections = {
        name: ProjectionRecording(**each | {"traces": _traces(each)})
        for name, each in found["projection"].items()
    }
    return Recording(header["recording"], populations, projections)


def _join_spikes(parts: list[Spikes | None]) -> Spikes | None:
    found = [part for part in parts if part is not None]
    if not found:  # none has them: what is in the parts was compared before
        return None
    for part in found:
        if not np.array_equal(part.members, found[0].members):
            raise NetworkError(
                f"concatenate: one part holds spikes of {len(found[0].members)} neurons, another of {len(part.members)} others; "
                "expected the same neurons. Give parts of one run."
            )
    index, step = (
        np.concatenate([getattr(part, name) for part in found]) for name in ("index", "step")
    )
    return replace(found[0], index=index, step=step, steps=sum(part.steps for part in found))


def _join_traces(parts: list[dict[str, Trace]]) -> dict[str, Trace]:
    joined = {}
    for name, head in parts[0].items():
        filled = [part[name] for part in parts if len(part[name].values)] or [head]
        for before, after in zip(filled, filled[1:], strict=False):
            due = before.first + before.every * len(before.values)
            if (
                after.first != due
                or before.every != after.every
                or not np.array_equal(before.members, after.members)
            ):
                raise NetworkError(
                    f"trace {name!r}: a part begins with step {after.first}, expected {due}, the same members and the same distance "
                    "of samples. Give all parts of one run in order."
                )
        joined[name] = replace(
            filled[0], values=np.concatenate([part.values for part in filled]), initial=head.initial
        )
    return joined


def _traces(found: dict[str, Any]) -> dict[str, Trace]:
    return {name: Trace(**each) for name, each in found["traces"].items()}


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _sampled(traces: Mapping[str, Trace], noun: str) -> str:
    nouns = {"member": noun, "source": "source neuron", "target": "target neuron"}
    return ", ".join(
        f"{name} of {_number(len(each.members), nouns[each.per])} every {each.every * each.dt:g} ms"
        for name, each in traces.items()
    )


def _population_row(each: PopulationRecording) -> tuple[str, ...]:
    spikes, seen = each.recorded, "no spikes recorded"
    if spikes is not None:
        count = len(spikes.members)
        some = "" if count == each.size else f" of {_number(count, 'neuron')}"
        rate = (
            f", {1000 * len(spikes) / (count * spikes.duration):.3g} Hz"
            if count * spikes.duration
            else ""
        )
        seen = _number(len(spikes), "spike") + some + rate
    return each.name, _number(each.size, "neuron"), seen, _sampled(each.traces, "neuron")


def _projection_row(each: ProjectionRecording) -> tuple[str, ...]:
    return (
        each.name,
        f"{each.source_name} -> {each.target_name}",
        _number(len(each.source), "edge"),
        _sampled(each.traces, "edge"),
    )
