"""Files written whole: a crash at any moment leaves the old one or the new one; damage is found."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, BinaryIO
from zipfile import BadZipFile, ZipFile

from .errors import NetworkError

try:
    import fcntl
except ImportError:  # Windows, which does not delete files that are open
    fcntl = None

# Reading an archive that was cut, changed or made by another program can end in each of these.
_DAMAGE = (
    BadZipFile,
    UnpicklingError,
    EOFError,
    OSError,
    RuntimeError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
)
_PARTIAL = re.compile(r"\..+\.[0-9a-f]{8}\.partial")


def write_whole(path: Path, fill: Callable[[BinaryIO], object], *, lasting: bool = True) -> None:
    """Write a file under another name, then give it its own.

    Files that killed writers have left unfinished in the folder are removed.

    Parameters
    ----------
    path : Path
        Overwritten if it exists. Its folder exists.
    fill : function (file) -> object
        Writes the content. If it raises, nothing is left behind.
    lasting : bool
        Wait until the disk has it, so that it also outlasts a failure of power.

    Raises
    ------
    OSError
        If the system refuses the file, or the disk is full.
    """
    remove_unfinished(path.parent, own=path.name)
    temporary, file = _open_partial(path)
    try:
        with file:
            fill(file)
            file.flush()
            # The content must be on the disk before its name is: otherwise a crash could leave the
            # name with an empty file.
            if lasting:
                os.fsync(file.fileno())
            # On Windows, an open file cannot be renamed.
            if fcntl is not None:
                os.replace(temporary, path)
        if fcntl is None:
            os.replace(temporary, path)
    # Ctrl-C too must leave no partial file.
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    # The new name is safe only when the folder is on the disk as well.
    if lasting and hasattr(os, "O_DIRECTORY"):  # not on Windows, where folders cannot be opened
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_archive(path: Path, read: Callable[[Path], Any], *, writer: str) -> Any:
    """Read a checkpoint that is an archive, after its checksums were compared.

    Parameters
    ----------
    path : Path
        Of a file in the form of zip, as PyTorch's files are.
    read : function of a path
        Of the library whose format it is; it must run no code of the file.
    writer : str
        The function that writes such files, for the message.

    Raises
    ------
    NetworkError
        If the file was cut, changed, or made by another program.
    """
    try:
        with ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise BadZipFile(f"the checksum of {damaged!r} differs")
        return read(path)
    except _DAMAGE as error:
        raise NetworkError(
            f"checkpoint {str(path)!r}: found no checkpoint ({type(error).__name__}), expected a "
            f"file that {writer} has written. Delete it, or name another."
        ) from error


def remove(path: Path) -> None:
    """Remove a file or a folder, whichever it is; do nothing if there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _open_partial(path: Path) -> tuple[Path, BinaryIO]:
    """Return a new file beside ``path``, locked for as long as this process writes it."""
    while True:
        # The random part of its name keeps two processes apart that write the same file.
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
        file = open(temporary, "xb")  # noqa: SIM115
        if fcntl is None:
            return temporary, file
        with suppress(OSError):  # a disk without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        # Another process may have taken it for an unfinished one before it was locked.
        if temporary.exists():
            return temporary, file
        file.close()


def remove_unfinished(folder: Path, *, own: str = "") -> None:
    """Remove unfinished files of a folder whose writers no longer run.

    Parameters
    ----------
    folder : Path
    own : str
        Name of a file, of which those are removed that have any random part.
    """
    for name in os.listdir(folder):
        is_own = own and name.startswith(f".{own}.") and name.endswith(".partial")
        if is_own or _PARTIAL.fullmatch(name):
            # Somebody else may remove it meanwhile, or it is not ours to remove.
            with suppress(OSError):
                _remove_if_left(folder / name)


def _remove_if_left(partial: Path) -> None:
    if fcntl is None:
        partial.unlink()
        return
    with open(partial, "rb") as file:
        # A lock ends with its process, and is refused while that process writes.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        partial.unlink()
