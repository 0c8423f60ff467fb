"""Recording: everything recorded of one run, by the name of its population or projection."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..errors import NetworkError, describe_unknown
from . import conversion, files
from .earlier_units import DECLARED, in_own_unit
from .joining import join_spikes, join_traces
from .recorded import PopulationRecording, ProjectionRecording, Recorded
from .samples import Spikes, Trace, equal
from .schema import (
    LENGTH,
    OBJECT,
    OBJECTS,
    POSITIVE_WHOLE,
    TEXT,
    WHOLE,
    Field,
    is_whole,
    optional,
    require_fields,
)
from .spike_values import SpikeValues, join_values
from .summary import describe_contents, describe_number

if TYPE_CHECKING:
    import neo
    import pynwb
    import xarray

T = TypeVar("T")

# ---- schemas of headers; the names are the format of files

_HEADER = {
    "dt": LENGTH,
    "steps": WHOLE,
    "first": optional(WHOLE),
    "report": optional(OBJECTS),
    "network": optional(TEXT),
    "hash": optional(TEXT),
}
_CONTENTS = {"recording": OBJECT, "populations": OBJECT, "projections": OBJECT}
_ARRAY = Field("an array", lambda value: isinstance(value, str) and value == files.ARRAY)
_POPULATION = {
    "size": WHOLE,
    "spikes": Field("a dictionary or nothing", lambda value: isinstance(value, dict | None)),
    "traces": OBJECT,
    "at_spikes": optional(OBJECT),
}
_SPIKES = {
    "index": _ARRAY,
    "step": _ARRAY,
    "size": WHOLE,
    "dt": LENGTH,
    "steps": WHOLE,
    "first": WHOLE,
    "members": optional(_ARRAY),
}
_AT_SPIKES = {"spikes": OBJECT, "values": _ARRAY, "unit": TEXT}
_TRACE = {
    "values": _ARRAY,
    "every": POSITIVE_WHOLE,
    "first": WHOLE,
    "members": _ARRAY,
    "initial": _ARRAY,
    "dt": LENGTH,
    "unit": TEXT,
    "per": optional(TEXT),
}
_PROJECTION = {
    "name": TEXT,
    "source_name": TEXT,
    "target_name": TEXT,
    "source": _ARRAY,
    "target": _ARRAY,
    "shape": Field(
        "two whole numbers",
        lambda value: isinstance(value, list) and len(value) == 2 and all(map(is_whole, value)),
    ),
    "traces": OBJECT,
}
_MOST_UNNAMED = 10**8  # neurons of a file that does not name those whose spikes it holds


@dataclass(frozen=True, eq=False)
class Recording:
    """Everything recorded of one run: ``result["ca3"].spikes``, ``result["loop"].trace("w")``.

    Parameters
    ----------
    header : dict
        JSON data: "dt" (ms), "steps"; if known "first" (step), "network", "seed", "replica" (of
        the random numbers), "backend", "options" (of the backend), "versions", "hash", "report",
        "finished".
    populations : mapping of str to PopulationRecording
        In order of creation. Of a run that was written in parts, each is read from disk when it
        is first asked for, then held in memory.
    projections : mapping of str to ProjectionRecording
        Likewise.

    Raises
    ------
    NetworkError
        If the header has no "dt" or "steps", or holds anything but JSON data.
    """

    header: dict[str, Any]
    populations: Mapping[str, PopulationRecording] = field(default_factory=dict)
    projections: Mapping[str, ProjectionRecording] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("dt", "steps"):
            if name not in self.header:
                names = ", ".join(map(repr, self.header)) or "nothing"
                raise NetworkError(f"recording: its header has no {name!r}, only {names}. Add it.")
        require_fields(self.header, _HEADER, where="header of the recording")
        # As a file would hold it: a recording equals itself after saving and loading.
        header = files.plain(dict(self.header), "header of the recording")
        object.__setattr__(self, "header", header)

    __eq__ = equal

    def __getitem__(self, name: str) -> Recorded:
        if isinstance(name, str) and name in self.populations:
            return self.populations[name]
        if isinstance(name, str) and name in self.projections:
            return self.projections[name]
        unknown = describe_unknown("name", name, self.names(), owner="the recording")
        raise NetworkError(f"{unknown} What is missing must be recorded with net.record.")

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
        """Length of a step, ms."""
        return self.header["dt"]

    @property
    def duration(self) -> float:
        """Time recorded, ms."""
        return self.header["steps"] * self.dt

    @property
    def report(self) -> list[dict[str, Any]]:
        """Rows of the backend's report that approximate something; they travel with the numbers."""
        return self.header.get("report", [])

    def __str__(self) -> str:
        known = self.header.get
        network = known("network", "recording")
        duration = f"{self.duration:.12g} ms"
        title = f"{network}: {duration} in steps of {self.dt:g} ms"
        for name in ("backend", "seed"):
            if known(name) is not None:
                title += f", {name} {known(name)}"
        # `is False`: recordings put together by hand may not say whether they are finished.
        if known("finished") is False:
            title += ", unfinished"
        lines = [title, *describe_contents(self.populations, self.projections)]
        if self.report:
            rows = describe_number(len(self.report), "row")
            lines.append(f"  {rows} of the backend's report, see .report")
        return "\n".join(lines)

    __repr__ = __str__

    def save(self, path: str | Path) -> Path:
        """Write everything to one .npz file, atomically and without pickle.

        Parameters
        ----------
        path : path
            Overwritten if it exists.

        Returns
        -------
        The path.

        Raises
        ------
        NetworkError
            If the file cannot be written.
        """
        arrays: dict[str, np.ndarray] = {}
        populations = {}
        projections = {}
        for name, population in self.populations.items():
            content = {
                "size": population.size,
                # Not `population.spikes`, which raises if there are none.
                "spikes": population.recorded,
                "traces": population.traces,
            }
            # Only if there are some: earlier versions then read the file.
            if population.values_at_spikes:
                content["at_spikes"] = population.values_at_spikes
            populations[name] = files.split(content, f"population/{name}", arrays)
        for name, projection in self.projections.items():
            projections[name] = files.split(projection, f"projection/{name}", arrays)
        # The names below are the format of files: older files are read by the same names.
        header = {
            "recording": self.header,
            "populations": populations,
            "projections": projections,
            "units": DECLARED,
        }
        return files.write(path, header, kind="recording", arrays=arrays)

    @staticmethod
    def load(path: str | Path) -> Recording:
        """Read a file of `save`, or the folder of a streamed run, finished or not.

        Parameters
        ----------
        path : path
            Of a folder, populations and projections are read and joined one by one, when they
            are first asked for.

        Raises
        ------
        NetworkError
            If it is damaged or of another origin.
        FileNotFoundError
            If it does not exist.
        """
        path = files.read_path(path, where="load")
        # Not `Path.is_dir`, which raises for a name that is too long.
        return _load_parts(path) if os.path.isdir(path) else _load_file(path)

    def to_neo(self) -> neo.Block:
        """Convert to a Neo block; see `neurosim.recording.conversion.to_neo`."""
        return conversion.to_neo(self)

    def to_xarray(self) -> xarray.DataTree:
        """Convert to xarray datasets; see `neurosim.recording.conversion.to_xarray`."""
        return conversion.to_xarray(self)

    def to_nwb(
        self, *, start: datetime | None = None, identifier: str | None = None, **about: Any
    ) -> pynwb.NWBFile:
        """Convert to an NWB file in memory; see `neurosim.recording.conversion.to_nwb`.

        Parameters
        ----------
        start : datetime, optional
            Moment of time 0; 1970-01-01 unless given, since a simulation has none.
        identifier : str, optional
            The hash of the recorded network unless given.
        **about
            Further fields of ``pynwb.NWBFile``, such as ``experimenter``.

        Raises
        ------
        NetworkError
            If pynwb is not installed.
        """
        return conversion.to_nwb(self, start=start, identifier=identifier, **about)


def concatenate(parts: Sequence[Recording]) -> Recording:
    """Join parts that follow each other without a gap.

    Parameters
    ----------
    parts : sequence of Recording
        In order. The header of the result is that of the last one.

    Raises
    ------
    NetworkError
        If there are none, or if they do not fit.
    """
    if not parts:
        raise NetworkError(
            "concatenate: found no parts, expected at least one. Record something first."
        )
    for before, after in zip(parts, parts[1:], strict=False):
        _require_successor(before, after)
    head = parts[0]
    populations = {}
    for name, population in head.populations.items():
        same = [part.populations[name] for part in parts]
        spikes = join_spikes([part.recorded for part in same])
        traces = join_traces([part.traces for part in same])
        at_spikes = {
            variable: join_values([part.values_at_spikes[variable] for part in same])
            for variable in population.values_at_spikes
        }
        populations[name] = PopulationRecording(
            name, population.size, spikes, traces, at_spikes=at_spikes
        )
    projections = {}
    for name, projection in head.projections.items():
        traces = join_traces([part.projections[name].traces for part in parts])
        # Edges never change, and later parts of a streamed run hold none: those of the first part
        # stay.
        projections[name] = replace(projection, traces=traces)
    span = {
        "first": head.header.get("first", 0),
        "steps": sum(part.header["steps"] for part in parts),
    }
    # The last part knows whether the run was finished.
    return Recording(parts[-1].header | span, populations, projections)


def _require_successor(before: Recording, after: Recording) -> None:
    end = before.header.get("first", 0) + before.header["steps"]
    first = after.header.get("first", 0)
    if end != first or before.dt != after.dt:
        raise NetworkError(
            f"concatenate: a part ends before step {end} (dt {before.dt} ms) and the next begins "
            f"with step {first} (dt {after.dt} ms); expected no gap and the same dt. "
            "Give all parts of one run in order."
        )
    # Compared before anything is joined: a missing name would raise a bare KeyError there.
    if _contents(before) != _contents(after):
        raise NetworkError(
            f"concatenate: one part holds {_contents(before)}, the next {_contents(after)}; "
            "expected the same. Give parts of one run."
        )


def _contents(recording: Recording) -> list[str]:
    contents = recording.names()
    for name, population in recording.populations.items():
        if population.recorded is not None:
            contents.append(f"{name}.spikes")
        contents += [f"{name}.{variable} at spikes" for variable in population.values_at_spikes]
    for name in recording.names():
        contents += [f"{name}.{trace}" for trace in recording[name].traces]
    return contents


# ---- files


def _load_parts(folder: Path) -> Recording:
    path = folder / files.HEADER
    if not path.exists():
        raise NetworkError(
            f"folder {folder}: found no {files.HEADER}, expected one beside the parts. "
            "Name a folder that a run was recorded to."
        )
    try:
        text = path.read_bytes()
    except OSError as error:
        raise NetworkError(
            f"{path}: cannot be read ({error.strerror or error}), expected the header of a "
            "recording. Load another copy or run again."
        ) from error
    header = files.unseal(text, "recording", where=str(path))
    # Numbers of parts have eight digits, so the order of their names is their order in time.
    paths = sorted(folder.glob("part-*.npz"))
    if not paths:
        raise NetworkError(
            f"folder {folder}: found a header but no part, expected at least one: "
            "nothing was written yet. Wait for the first part, which is written after half a "
            "minute or at the end; if the run was killed before, run again."
        )
    # Without arrays: together they may be larger than memory.
    heads = [_read_file(path, ())[0] for path in paths]
    joined = concatenate([Recording(head["recording"]) for head in heads]).header
    span = {name: joined[name] for name in ("first", "steps")}
    return Recording(
        # The folder's header is newer than those of parts. If the run was killed, it still says 0
        # steps, so the span is that of the parts.
        joined | header | span,
        _Populations(heads[0]["populations"], paths),
        _Projections(heads[0]["projections"], paths),
    )


class _Parts(Mapping[str, T]):
    """By name, objects of a run written in parts; each is read when it is first asked for."""

    def __init__(self, names: Iterable[str], paths: Sequence[Path]) -> None:
        # None: not read yet.
        self._by_name: dict[str, T | None] = dict.fromkeys(names)
        self._paths = paths

    def __getitem__(self, name: str) -> T:
        joined = self._by_name[name]
        if joined is None:
            # Of each part only the arrays of this owner are read; joined once, they stay in memory.
            joined = self._of(concatenate([_load_file(path, name) for path in self._paths]))[name]
            self._by_name[name] = joined
        return joined

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def _of(self, recording: Recording) -> Mapping[str, T]:
        raise NotImplementedError


class _Populations(_Parts[PopulationRecording]):
    def _of(self, recording: Recording) -> Mapping[str, PopulationRecording]:
        return recording.populations


class _Projections(_Parts[ProjectionRecording]):
    def _of(self, recording: Recording) -> Mapping[str, ProjectionRecording]:
        return recording.projections


def _load_file(path: Path, only: str | None = None) -> Recording:
    """Return the contents of a file, or one population or projection of it."""
    # The slash at the end: "ca3" must not read the arrays of "ca3_inhibitory".
    prefixes = "" if only is None else (f"population/{only}/", f"projection/{only}/")
    header, arrays = _read_file(path, prefixes)
    earlier = header.get("units") != DECLARED
    try:
        return Recording(
            header["recording"],
            {
                name: _join_population(name, content, arrays, earlier=earlier)
                for name, content in header["populations"].items()
                if only in (None, name)
            },
            {
                name: _join_projection(name, content, arrays, earlier=earlier)
                for name, content in header["projections"].items()
                if only in (None, name)
            },
        )
    except NetworkError as error:
        # The objects check their own arrays, and do not know the file.
        raise NetworkError(f"{path}: {error}") from error


def _read_file(
    path: Path, prefixes: str | tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header of a recording, whose names and types were checked, and its arrays."""

    def check(header: dict[str, Any], _: object) -> None:
        require_fields(header, _CONTENTS, where=str(path))
        require_fields(header["recording"], _HEADER, where=str(path))
        for noun, schema in (("population", _POPULATION), ("projection", _PROJECTION)):
            for name, content in header[f"{noun}s"].items():
                _require_owner(content, schema, where=f"{path}: {noun} {name!r}")

    return files.read(path, kind="recording", only=prefixes, check=check)


def _require_owner(content: Any, schema: Mapping[str, Field], *, where: str) -> None:
    """Raise NetworkError unless the header of a population or projection fits its schema."""
    require_fields(content, schema, where=where, exact=True)
    for variable, trace in content["traces"].items():
        require_fields(trace, _TRACE, where=f"{where}, trace {variable!r}", exact=True)
    if content.get("spikes") is not None:
        require_fields(content["spikes"], _SPIKES, where=f"{where}, spikes", exact=True)
    for variable, values in content.get("at_spikes", {}).items():
        owner = f"{where}, {variable!r} at spikes"
        require_fields(values, _AT_SPIKES, where=owner, exact=True)
        require_fields(values["spikes"], _SPIKES, where=owner, exact=True)


def _join_population(
    name: str,
    content: dict[str, Any],
    arrays: Mapping[str, np.ndarray],
    *,
    earlier: bool,
) -> PopulationRecording:
    fields = files.join(content, f"population/{name}", arrays)
    spikes = fields["spikes"]
    return PopulationRecording(
        name,
        fields["size"],
        _load_spikes(name, spikes) if spikes is not None else None,
        _load_traces(fields, earlier=earlier),
        at_spikes={
            variable: SpikeValues(
                _load_spikes(name, content["spikes"]), content["values"], content["unit"]
            )
            for variable, content in fields.get("at_spikes", {}).items()
        },
    )


def _load_spikes(name: str, content: dict[str, Any]) -> Spikes:
    # Without names of members an array of all neurons is made: a small file could ask for much.
    if "members" not in content and content["size"] > _MOST_UNNAMED:
        raise NetworkError(
            f"population {name!r}: found spikes of {content['size']} neurons without members, "
            f"expected at most {_MOST_UNNAMED}. Load another copy or run again."
        )
    return Spikes(**content)


def _join_projection(
    name: str,
    content: dict[str, Any],
    arrays: Mapping[str, np.ndarray],
    *,
    earlier: bool,
) -> ProjectionRecording:
    fields = files.join(content, f"projection/{name}", arrays)
    return ProjectionRecording(**fields | {"traces": _load_traces(fields, earlier=earlier)})


def _load_traces(fields: dict[str, Any], *, earlier: bool) -> dict[str, Trace]:
    traces = {name: Trace(**trace) for name, trace in fields["traces"].items()}
    return {n: in_own_unit(trace) for n, trace in traces.items()} if earlier else traces
