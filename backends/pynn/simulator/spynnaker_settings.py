"""Settings of sPyNNaker: the interpreter that has it, and the board that the user configured."""

from __future__ import annotations

import configparser
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from neurosim.errors import NetworkError

PYTHON = "NEUROSIM_SPYNNAKER_PYTHON"  # names the interpreter of an environment with sPyNNaker
SETTINGS = ".spynnaker.cfg"
# Settings of the section Machine that name a board, or a server that lends one.
BOARD = ("machine_name", "spalloc_server", "remote_spinnaker_url")


def find_interpreter(purpose: str) -> str:
    """Return the interpreter that has sPyNNaker.

    Parameters
    ----------
    purpose : str
        Subject of the error message.

    Raises
    ------
    NetworkError
        If there is none.
    """
    interpreter = os.environ.get(PYTHON)
    if interpreter is None and find_spec("spynnaker") is None:
        raise NetworkError(
            f"{purpose}: sPyNNaker is not installed here, and {PYTHON} names no other interpreter. "
            "Make an environment of its own (python -m venv spynnaker; "
            f"spynnaker/bin/pip install sPyNNaker) and set {PYTHON}=spynnaker/bin/python."
        )
    return interpreter or sys.executable


def find_board() -> str:
    """Return the setting that names a board, and the file that has it.

    Raises
    ------
    NetworkError
        If the settings are missing, cannot be read, or name no board.
    """
    path = _settings_path()
    machine = _machine_section(path)
    if machine.get("virtualboard", "").lower() in ("true", "1", "yes", "on"):
        raise NetworkError(
            f"{path} asks for a virtual board, which returns no spikes. "
            f"Name a board there ({', '.join(BOARD)})."
        )
    for name in BOARD:
        value = machine.get(_key(name), "None")
        if value not in ("", "None"):
            return f"{name} = {value} in {path}"
    raise NetworkError(
        f"{path} names no board: found none of {', '.join(BOARD)} in its section Machine. Add one."
    )


def _settings_path() -> Path:
    home = Path.home()
    user_folders = [Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config"), home]
    for folder in (Path("/etc/xdg"), *user_folders):
        if (folder / SETTINGS).is_file():
            return folder / SETTINGS
    raise NetworkError(
        f"no board is configured: there is no {SETTINGS} in {' or '.join(map(str, user_folders))}. "
        "Write it: [Machine], then machine_name = (its address) and version = 5, "
        "or spalloc_server = (its address)."
    )


def _machine_section(path: Path) -> dict[str, str]:
    """Return the settings of the section Machine, by names in lower case without underscores."""
    # Lenient: "%" is plain text, and an option may stand twice. sPyNNaker itself judges the rest.
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(path)
    except configparser.Error as error:
        problem = str(error).splitlines()[0]
        raise NetworkError(
            f"{path}: cannot be read ({problem}), expected settings of sPyNNaker. Correct it."
        ) from error
    if not parser.has_section("Machine"):
        return {}
    return {_key(name): value for name, value in parser["Machine"].items()}


def _key(name: str) -> str:
    return name.lower().replace("_", "")  # as sPyNNaker compares names
