"""The interpreter that has NEST with MPI, and the command that starts several of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from neurosim.errors import NetworkError

PYTHON = "NEUROSIM_NEST_MPI_PYTHON"  # names the interpreter of an environment with NEST and MPI
_ASK = "import nest; print(nest.build_info['have_mpi'])"


def find_command(ranks: int) -> list[str]:
    """Return the words that start so many ranks of a program.

    Parameters
    ----------
    ranks : int
        One needs no MPI: any NEST will do.

    Raises
    ------
    NetworkError
        If there is no NEST with MPI, or no mpirun.
    """
    python = os.environ.get(PYTHON, sys.executable)
    if ranks == 1:
        return [python]
    if not _has_mpi(python):
        raise NetworkError(
            f"backend 'nest', ranks: found {ranks}, and the NEST of {python} was built without "
            f"MPI, expected one with it. Build one: make nest-mpi, then set {PYTHON}="
            ".venv-nest-mpi/bin/python. One rank needs none: ranks=1."
        )
    if shutil.which("mpirun") is None:
        raise NetworkError(
            "backend 'nest', ranks: found no mpirun, expected that of the MPI which NEST was built "
            "with. Install it, on Debian: apt-get install openmpi-bin."
        )
    # A machine with fewer cores than ranks only takes longer.
    return ["mpirun", "-np", str(ranks), "--oversubscribe", python]


def _has_mpi(python: str) -> bool:
    """Return whether an interpreter's NEST was built with MPI; it is asked in its own process."""
    try:
        done = subprocess.run(
            [python, "-c", _ASK],
            capture_output=True,
            text=True,
            # NEST's greeting would stand before the answer.
            env={**os.environ, "PYNEST_QUIET": "1"},
        )
    except OSError:
        return False
    return done.stdout.strip().endswith("True")
