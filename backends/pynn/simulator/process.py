"""The process in which the script of another simulator runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from neurosim.errors import SimulationError
from neurosim.run.progress import clock

# Threads that wait must not keep a shared core busy.
_QUIET = {"PYNEST_QUIET": "1", "OMP_WAIT_POLICY": "passive"}
_LAST_LINES = 12  # of a failed script's output that an error shows
_POLL = 0.2  # seconds between two checks whether a script has ended


def execute(
    script: Path,
    *,
    command: Sequence[str] = (sys.executable,),
    environment: Mapping[str, str] | None = None,
    machine: str = "",
    title: str = "",
) -> None:
    """Run a script in a process of its own, in the folder that holds it.

    Parameters
    ----------
    script : path
    command : sequence of str
        Words before the name of the script: an interpreter, and the program that starts it.
    environment : mapping of str to str
        Variables besides those of this process.
    machine : str
        Name of the board that the script runs on, for the error message.
    title : str
        Of the clock that is shown during a long run; empty for no clock.

    Raises
    ------
    SimulationError
        With the last lines of its output, if it fails.
    """
    with (
        subprocess.Popen(
            [*command, script.name],
            cwd=script.parent,
            env={**os.environ, **_QUIET, **(environment or {})},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
        clock(title, wanted=bool(title)) as tick,
    ):
        printed = ""
        errors = ""
        while process.returncode is None:
            try:
                printed, errors = process.communicate(timeout=_POLL)
            except subprocess.TimeoutExpired as waiting:
                tick(_stage(waiting.stderr))
            except BaseException:  # Ctrl-C too must not leave the process behind
                process.kill()
                process.wait()
                raise
    if process.returncode:
        raise SimulationError(_failure(process.returncode, errors or printed, machine))


def _stage(errors: bytes | str | None) -> str:
    """Return the title above the last bar of sPyNNaker's output so far; empty without one."""
    text = errors.decode(errors="replace") if isinstance(errors, bytes) else errors or ""
    titles = re.findall(r"^(.+)\n\|0%", text, re.MULTILINE)
    return titles[-1].strip() if titles else ""


def _failure(exit_code: int, output: str, machine: str) -> str:
    lines = output.strip().splitlines()
    # sPyNNaker keeps printing after its error, so that this may stand before the last lines.
    errors = [line for line in lines[:-_LAST_LINES] if re.match(r"[\w.]+(Error|Exception)\b", line)]
    last = "\n".join(f"  {line}" for line in errors[-1:] + lines[-_LAST_LINES:])
    on_machine = f" ({machine})" if machine else ""
    return (
        f"the script of this network{on_machine} failed (exit code {exit_code}), "
        f"expected it to end; its last words:\n{last}\n"
        "Run it by hand: give folder=... to keep it."
    )
