"""Where SpiNNaker is: the environment that has sPyNNaker, and the board that the user's settings of sPyNNaker name."""

from __future__ import annotations

import configparser
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from neurosim.errors import NetworkError

PYTHON = "NEUROSIM_SPYNNAKER_PYTHON"  # names the interpreter of an environment that has sPyNNaker
SETTINGS = ".spynnaker.cfg"
BOARD = (
    "machine_name",
    "spalloc_server",
    "remote_spinnaker_url",
)  # of the section Machine: what names a board, or who lends one


def interpreter(what: str) -> str:
    """Return the interpreter that has sPyNNaker; ``what`` needs it.

    Raises
    ------
    NetworkError
        If there is none.
    """
    given = os.environ.get(PYTHON)
    if given is None and find_spec("spynnaker") is None:
        raise NetworkError(
            f"{what}: sPyNNaker is not installed here, and {PYTHON} names no other interpreter. Make an environment of its own "
            f"(python -m venv spynnaker; spynnaker/bin/pip install sPyNNaker) and set {PYTHON}=spynnaker/bin/python."
        )
    return given or sys.executable


def board() -> str:
    """Return what names the board, after the user's settings of sPyNNaker.

    Raises
    ------
    NetworkError
        If they are not there, cannot be read, or name none.
    """
    places = [
        Path(folder) / SETTINGS
        for folder in (
            "/etc/xdg",
            os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config",
            Path.home(),
        )
    ]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise NetworkError(
            f"no board is configured: there is no {SETTINGS} in {' or '.join(str(p.parent) for p in places[1:])}. "
            f"Write it: [Machine], then machine_name = (its address) and version = 5, or spalloc_server = (its address)."
        )
    read = configparser.ConfigParser(interpolation=None, strict=False)
    read.optionxform = lambda name: name.lower().replace("_", "")  # as sPyNNaker reads them
    try:
        read.read(found)
    except configparser.Error as error:
        raise NetworkError(
            f"{found}: cannot be read ({str(error).splitlines()[0]}), expected settings of sPyNNaker. Correct it."
        ) from error
    given = dict(read["Machine"]) if read.has_section("Machine") else {}
    if given.get("virtualboard", "").lower() in ("true", "1", "yes", "on"):
        raise NetworkError(
            f"{found} asks for a virtual board, which returns no spikes. Name a board there ({', '.join(BOARD)})."
        )
    for name in BOARD:
        value = given.get(name.replace("_", ""), "None")
        if value not in ("", "None"):
            return f"{name} = {value} in {found}"
    raise NetworkError(
        f"{found} names no board: found none of {', '.join(BOARD)} in its section Machine. Add one."
    )
