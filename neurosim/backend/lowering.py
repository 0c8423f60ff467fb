"""The protocol of a backend: it lowers a network once, to a report and to an artefact that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..errors import NetworkError
from ..ir.concrete import ConcreteNetwork
from ..ir.program import Program
from .engine import Engine, SideBySide
from .report import Report


@dataclass(frozen=True)
class Stepped:
    """An artefact for engines of the explicit step: nothing is drawn before the run is prepared.

    Parameters
    ----------
    build : function (program, network) -> Engine
    single_precision : bool
        Numbers take 4 bytes; the estimate of memory then counts the weights that are rounded.
    batch : function (program, network) -> SideBySide, optional
        Makes the engine of several samples, in place of ``build``. None: one sample.
    samples : int
        How many.
    """

    build: Callable[[Program, ConcreteNetwork], Engine]
    single_precision: bool = False
    batch: Callable[[Program, ConcreteNetwork], SideBySide] | None = None
    samples: int = 1


class Translated(Protocol):
    """An artefact for a simulator with a clock and a memory of its own; all draws are made."""

    def open(self, report: Report) -> Any:
        """Return a run with ``run``, ``result``, ``time`` and ``source``; it runs once."""
        ...

    def export(self, report: Report, folder: Path, *, time: float) -> Path:
        """Write a folder that runs without neurosim, and return the path of its script.

        Parameters
        ----------
        report : Report
            Written into the folder, beside the script.
        folder : path
            It exists and is empty.
        time : float, ms
            Duration that the script runs.
        """
        ...

    def map(self, report: Report, **options: Any) -> Any:
        """Return the layout on a machine, without running anything."""
        ...


@dataclass(frozen=True)
class Lowered:
    """A network as one backend sees it.

    Parameters
    ----------
    report : Report
    artefact : Stepped or Translated, optional
        None if a draw is invalid or the network exceeds memory; a row then says so.
    """

    report: Report
    artefact: Stepped | Translated | None


class Backend(Protocol):
    """A way to run networks; others than those of this package are found by their entry points.

    An entry point of the group ``neurosim.backends`` names an object with these attributes.

    Attributes
    ----------
    name, summary : str
        Name of the entry point, and one line for ``neurosim list``.
    held_open : bool
        Whether runs can be stopped, read and changed in progress; others run once from the start.
    verbs : mapping of str to tuple of str
        The verbs "export" and "map" that it has besides, with their options.
    export_suffix : str, optional
        Ending of the file that it exports; without one it exports a folder.
    """

    name: str
    summary: str
    held_open: bool
    verbs: Mapping[str, tuple[str, ...]]

    def missing(self) -> str | None:
        """Return missing packages with the command that installs them; None if none is missing."""
        ...

    def lower(self, network: Any, **options: Any) -> Lowered:
        """Return report and artefact of a network; never runs.

        Parameters
        ----------
        network : Network
        **options
            Of the backend; they may decide what is approximated.

        Raises
        ------
        NetworkError
            If an option is unknown or has a wrong value.
        """
        ...


class Configured:
    """A backend with options that hold for every run; ``str`` names both.

    Parameters
    ----------
    backend : Backend
    options : mapping of str to value

    Raises
    ------
    NetworkError
        From `lower`, if the caller gives one of the options as well.
    """

    def __init__(self, backend: Backend, options: Mapping[str, Any]) -> None:
        # A configured backend is a backend: `find` and all verbs take it in place of a name.
        self.name = backend.name
        self.summary = backend.summary
        # Written out rather than forwarded by __getattr__: these are all that a backend offers.
        self.held_open = backend.held_open
        self.verbs = backend.verbs
        self.missing = backend.missing
        self.has_threads: bool = getattr(backend, "has_threads", False)
        self.packages: tuple[str, ...] = getattr(backend, "packages", ())
        self.export_suffix = getattr(backend, "export_suffix", "")
        self.options = options
        self._backend = backend

    def __str__(self) -> str:
        return ", ".join([self.name, *(f"{name}={value}" for name, value in self.options.items())])

    def lower(self, network: Any, **options: Any) -> Lowered:
        """Return report and artefact under these and the backend's own options."""
        # Neither value may win in silence: the user wrote one, and the model was published with the
        # other.
        for name in self.options.keys() & options.keys():
            raise NetworkError(
                f"backend {self.name!r}, option {name!r}: found {self.options[name]!r}, "
                f"expected none: the model sets it, to {options[name]!r}. Leave it out."
            )
        return self._backend.lower(network, **self.options, **options)
