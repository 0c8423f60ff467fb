"""States of a run: snapshots in memory and files, with checks that they fit a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..errors import NetworkError, describe
from ..ir.memory import Key
from ..recording import files
from ..recording.schema import FLAG, OBJECT, TEXT, TEXTS, WHOLE, optional, require_fields

T = TypeVar("T")

Layouts = Mapping[Any, tuple[tuple[int, ...], np.dtype]]
"""Shapes and types of arrays by name."""

RequireLayouts = Callable[[Layouts, Layouts, int, int], None]

_HEADER = {
    "step": WHOLE,
    "first": WHOLE,
    "hash": TEXT,
    "network": TEXT,
    "interrupted": FLAG,
    "probes": TEXTS,
    # Files of early versions have none of these.
    "members": optional(TEXTS),
    "precision": optional(TEXT),
    "replica": optional(WHOLE),
}
_SNAPSHOT = {"step": WHOLE, "hash": TEXT, "precision": TEXT, "arrays": OBJECT, "draws": OBJECT}


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All arrays of a run at one step, in memory; `Run.snapshot` returns one.

    It fits any run of the same network, whatever its engine and threads.

    Parameters
    ----------
    arrays : mapping of (owner, name) to array
    step : int
    hash : str
        Of the network.
    precision : str
        "float64" or "float32".
    draws : mapping of str to array
        Draws of `set` and `emit` before this step, as `CallStreams.arrays` returns them.
    """

    arrays: dict[Key, np.ndarray]
    step: int
    hash: str
    precision: str
    draws: Mapping[str, np.ndarray] = field(default_factory=dict)

    def require_fit(self, hash: str, precision: str) -> None:
        """Raise NetworkError unless the snapshot is of a network with these properties."""
        fields = {name: getattr(self, name) for name in _SNAPSHOT}
        require_fields(fields, _SNAPSHOT, where="restore: the snapshot")
        if self.hash != hash:
            raise NetworkError(
                "restore: the snapshot is of another network (or seed), expected one of this run. "
                "Take it with run.snapshot()."
            )
        # Separate from the hash, since the remedy is another: the network is right, an option is
        # not.
        require_precision(self.precision, precision, where="restore: the snapshot")

    def layouts(self) -> dict[Key, tuple[tuple[int, ...], np.dtype]]:
        """Return the shapes and types of all arrays.

        Raises
        ------
        NetworkError
            If one is no array.
        """
        layouts = {}
        for key, array in self.arrays.items():
            if type(array) is not np.ndarray:
                raise NetworkError(
                    f"restore: the snapshot holds {describe(array)} as {describe(key)}, expected "
                    "arrays. Take it with run.snapshot()."
                )
            layouts[key] = array.shape, array.dtype
        return layouts


def require_precision(precision: str, expected: str, *, where: str) -> None:
    """Raise NetworkError if the numbers of a state have another precision than the run.

    Parameters
    ----------
    precision, expected : str
        Of the state and of the run, "float64" or "float32".
    where : str
        Begins the message.
    """
    if precision != expected:
        raise NetworkError(
            f"{where} holds {precision} numbers, expected the {expected} of this run. "
            f"Prepare the run with precision={precision!r}, or start anew."
        )


def _by_section(
    arrays: Mapping[str, T],
) -> tuple[dict[Key, T], dict[str, T], dict[str, T]]:
    """Return the arrays of memory, recordings and draws, by their names in a file."""
    memory: dict[Key, T] = {}
    sections: dict[str, dict[str, T]] = {"probe": {}, "draws": {}}
    for key, array in arrays.items():
        section, _, name = key.partition("/")
        if section in sections:
            sections[section][name] = array
        else:
            # A name of memory has no "/"; an owner may have one.
            owner, _, variable = name.rpartition("/")
            memory[owner, variable] = array
    return memory, sections["probe"], sections["draws"]


@dataclass(frozen=True)
class Identity:
    """The properties of a run that a state must share with it.

    Parameters
    ----------
    hash : str
        Of the network, seed included.
    precision : str
    replica : int
        Replica word of the random numbers.
    probes, members : list of str
        Texts and digests of everything recorded.
    """

    hash: str
    precision: str
    replica: int
    probes: list[str]
    members: list[str]

    def require_file(self, header: Mapping[str, Any], path: str | Path) -> None:
        """Raise NetworkError if a file holds a state of another network or of other recordings.

        Parameters
        ----------
        header : mapping
            Files of early versions have no "precision", "members" or "replica".
        path : path
        """
        if header["hash"] != self.hash:
            raise NetworkError(
                f"load: {path} holds a state of network {header['network']!r} that differs from "
                "this one (equations, values or seed). Prepare the same network, with the same "
                "seed."
            )
        precision = header.get("precision", "float64")
        require_precision(precision, self.precision, where=f"load: {path}")
        if header["probes"] != self.probes:
            raise NetworkError(
                f"load: {path} was recorded with {header['probes']}, expected {self.probes}. "
                "Record the same in both runs."
            )
        members = header.get("members", self.members)
        if len(members) != len(self.members):
            raise NetworkError(
                f"load: {path} names the members of {len(members)} recordings, expected "
                f"{len(self.members)}. The file is damaged: load another copy or run again."
            )
        # Equal probes were demanded above, so the lists have one length.
        pairs = zip(self.probes, members, self.members, strict=True)
        differing = [probe for probe, there, here in pairs if there != here]
        if differing:
            raise NetworkError(
                f"load: {path} was recorded with other neurons or edges of: "
                f"{', '.join(differing)}; expected those of this run. "
                "Record the same in both runs."
            )
        replica = header.get("replica", self.replica)
        if replica != self.replica:
            raise NetworkError(
                f"load: {path} holds a state of replica {replica}, expected one of replica "
                f"{self.replica}: this run's random numbers are others. "
                f"Prepare the run with replica={replica}."
            )


@dataclass(frozen=True, eq=False)
class SavedState:
    """The content of a state file.

    Parameters
    ----------
    step : int
    first : int
        First step of the recordings in the file.
    interrupted : bool
    memory : mapping of (owner, name) to array
    recorded : mapping of str to array
        As `Recorder.arrays` returns them.
    draws : mapping of str to array
        As `CallStreams.arrays` returns them; files of early versions have none.
    """

    step: int
    first: int
    interrupted: bool
    memory: dict[Key, np.ndarray]
    recorded: dict[str, np.ndarray]
    draws: dict[str, np.ndarray]

    def write(self, path: str | Path, identity: Identity, *, network: str) -> None:
        """Write a state file.

        Parameters
        ----------
        path : path
            Overwritten if it exists.
        identity : Identity
        network : str
            Its name.
        """
        arrays = {f"memory/{owner}/{name}": array for (owner, name), array in self.memory.items()}
        arrays |= {f"probe/{name}": array for name, array in self.recorded.items()}
        arrays |= {f"draws/{name}": array for name, array in self.draws.items()}
        header = {
            # Names of the format: later versions read these files.
            "step": self.step,
            "first": self.first,
            "hash": identity.hash,
            "network": network,
            "interrupted": self.interrupted,
            "probes": identity.probes,
            "members": identity.members,
            "precision": identity.precision,
            "replica": identity.replica,
        }
        files.write(path, header, kind="state", arrays=arrays)

    @classmethod
    def read(
        cls, path: str | Path, identity: Identity, require_layouts: RequireLayouts
    ) -> SavedState:
        """Return the content of a state file of a run with this identity.

        Parameters
        ----------
        path : path
        identity : Identity
        require_layouts : function (memory, recorded, first, end)
            Raises unless shapes and types of arrays are those of the run; called before they are
            read.

        Raises
        ------
        NetworkError
            If the file is damaged or of another run.
        FileNotFoundError
            If it does not exist.
        """

        def check(header: dict[str, Any], layouts: Mapping[str, files.ArrayLayout]) -> None:
            require_fields(header, _HEADER, where=f"load: {path}")
            identity.require_file(header, path)
            if header["first"] > header["step"]:
                raise NetworkError(
                    f"load: {path} holds recordings from step {header['first']} on, expected "
                    f"{header['step']}, its own step, or an earlier one. "
                    "The file is damaged: load another copy or run again."
                )
            memory, recorded, _ = _by_section(layouts)
            require_layouts(memory, recorded, header["first"], header["step"])

        header, arrays = files.read(path, kind="state", check=check)
        memory, recorded, draws = _by_section(arrays)
        return cls(header["step"], header["first"], header["interrupted"], memory, recorded, draws)
