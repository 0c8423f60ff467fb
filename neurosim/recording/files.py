"""Files of numbers: named arrays and a JSON header in one .npz, without pickle, written whole."""

from __future__ import annotations

import json
import os
import secrets
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import NetworkError

HEADER = "header.json"
ARRAY = "@array"  # stands in the header for an array of the file; no name or unit looks like it
# Errors of a damaged zip or npy while it is read: checksums, unknown methods, encryption, missing
# entries, bad text and offsets.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    KeyError,
    ValueError,
    EOFError,
    OSError,
)


def plain(value: Any, where: str) -> Any:
    """Return a copy of a value made of JSON's own types.

    Tuples become lists; NumPy numbers and arrays become Python's.

    Parameters
    ----------
    value : any
    where : str
        Begins the message of an error.

    Raises
    ------
    NetworkError
        If it holds anything that is no data.
    """
    try:
        # A round trip: the value in memory equals the one that is read back from a file.
        return json.loads(json.dumps(value, default=_from_numpy))
    except TypeError as error:
        raise NetworkError(
            f"{where}: {error}; expected numbers, texts, lists and dictionaries. "
            "Store a name or a list instead."
        ) from error


def split(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    """Return the JSON part of a value, and store its arrays by their paths.

    Parameters
    ----------
    value : data, arrays, dictionaries and dataclasses of them
    path : str
        Of the value within the header, such as "population/ca3"; names of the arrays begin so.
    arrays : dict of str to array
        Extended in place.
    """
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return ARRAY
    if is_dataclass(value):
        # Not dataclasses.asdict, which copies all arrays.
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, dict):
        return {name: split(part, f"{path}/{name}", arrays) for name, part in value.items()}
    return value


def join(value: Any, path: str, arrays: Mapping[str, np.ndarray]) -> Any:
    """Undo `split`; of a dataclass, return a dictionary of its fields.

    Parameters
    ----------
    value : JSON data
    path : str
        As of `split`.
    arrays : mapping of str to array
    """
    if isinstance(value, dict):
        return {name: join(part, f"{path}/{name}", arrays) for name, part in value.items()}
    return arrays[path] if value == ARRAY else value


def write(
    path: str | Path, header: Mapping[str, Any], *, kind: str, arrays: Mapping[str, np.ndarray]
) -> Path:
    """Write a header and arrays to a file atomically and return its path.

    Parameters
    ----------
    path : path
        Overwritten if it exists.
    header : mapping
        JSON data.
    kind : str
        Content of the file, "recording" or "state"; `read` demands the same.
    arrays : mapping of str to array
        Names may contain "/"; ``numpy.load(path)[name]`` finds them too.

    Raises
    ------
    NetworkError
        If the header holds other data, or the file cannot be written.
    """
    # The header lists all arrays, so that a file that lost an entry is recognised.
    text = seal({"content": header, "arrays": list(arrays)}, kind, where=str(path))

    def fill(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(HEADER, text)
            for name, array in arrays.items():
                # The size of an entry is not known when it is opened; beyond 2 GiB it would fail
                # without zip64.
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(
                        entry, np.ascontiguousarray(array), allow_pickle=False
                    )

    return write_atomically(path, fill)


def read(
    path: str | Path, *, kind: str, only: str | tuple[str, ...] = ""
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the arrays of a file that `write` wrote.

    Parameters
    ----------
    path : path
    kind : str
        Content that is expected.
    only : str or tuple of str
        Beginnings of the names of the arrays that are read: "" reads all, () none.

    Raises
    ------
    NetworkError
        If the file is damaged, cut short, or of another kind.
    FileNotFoundError
        If there is none.
    """
    with open(path, "rb") as file:
        text, arrays = _unzip(file, f"{path}: cannot be read", kind, only)
    header = unseal(text, kind, where=str(path))
    missing = [name for name in header["arrays"] if name.startswith(only) and name not in arrays]
    if missing:
        raise NetworkError(
            f"{path}: found no array {missing[0]!r}, which its header lists. The file is damaged: "
            "load another copy or run again."
        )
    return header["content"], arrays


def seal(header: Mapping[str, Any], kind: str, *, where: str) -> str:
    """Return a header as JSON text that names its format and version.

    Parameters
    ----------
    header : mapping
        JSON data.
    kind : str
        Content of the file.
    where : str
        Begins the message of an error.
    """
    return json.dumps(
        {"format": f"neurosim {kind}", "version": 1, "header": plain(dict(header), where)}, indent=1
    )


def unseal(text: bytes, kind: str, *, where: str) -> dict[str, Any]:
    """Undo `seal`.

    Parameters
    ----------
    text : bytes
    kind : str
        Content that is expected.
    where : str
        Begins the message of an error.

    Raises
    ------
    NetworkError
        If the text is no JSON, or of another format or version.
    """
    try:
        outer = json.loads(text)
    except ValueError as error:
        raise NetworkError(
            f"{where}: {error}; expected the header of a neurosim {kind} in JSON. "
            "Load another copy or run again."
        ) from error
    fields_of_text = outer if isinstance(outer, dict) else {}
    name, version = fields_of_text.get("format"), fields_of_text.get("version")
    # A later version may give the same names another meaning: it is refused, not guessed at.
    if (name, version) != (f"neurosim {kind}", 1):
        raise NetworkError(
            f"{where}: found the format {name!r}, version {version!r}; "
            f"expected 'neurosim {kind}', version 1. "
            "Load it with what wrote it, or with a newer neurosim."
        )
    return outer["header"]


def write_json(path: str | Path, value: Any) -> Path:
    """Write plain data as JSON text, as `write_atomically` writes."""
    text = json.dumps(plain(value, str(path)), indent=1) + "\n"
    return write_atomically(path, lambda file: file.write(text.encode()))


def write_atomically(path: str | Path, fill: Callable[[BinaryIO], object]) -> Path:
    """Write a file so that a crash at any moment leaves the old one or the new one.

    Parameters
    ----------
    path : path
        Its folder is created if it is missing.
    fill : function (file) -> object
        Writes the content. If it raises, nothing is left behind but the folder.

    Raises
    ------
    NetworkError
        If the system refuses the file, or the disk is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, fill)
    except OSError as error:
        raise NetworkError(
            f"file {path}: cannot be written ({error.strerror or error}), expected a place that "
            "takes it. "
            "Choose another, or make room and allow writing there."
        ) from error
    return path


def _replace(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        # The random part of its name keeps two processes apart that write the same file.
        with open(temporary, "xb") as file:
            fill(file)
            file.flush()
            # The content must be on the disk before its name is: otherwise a crash could leave the
            # name with an empty file.
            os.fsync(file.fileno())
        os.replace(temporary, path)
    # Ctrl-C too must leave no partial file.
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    # The new name is safe only when the folder is on the disk as well.
    if hasattr(os, "O_DIRECTORY"):  # not on Windows, where folders cannot be opened
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _unzip(
    file: BinaryIO, where: str, kind: str, only: str | tuple[str, ...]
) -> tuple[bytes, dict[str, np.ndarray]]:
    """Return the text of the header and the arrays whose names begin with one of ``only``."""
    try:
        with zipfile.ZipFile(file) as archive:
            wanted = [
                name for name in archive.namelist() if name != HEADER and name.startswith(only)
            ]
            # All checksums before any parsing, so that a flipped bit is never taken for a value: an
            # entry raises at its end, which parsing an array need not reach.
            for name in (HEADER, *wanted):
                with archive.open(name) as entry:
                    while entry.read(1 << 20):
                        pass
            arrays = {name.removesuffix(".npy"): _array(archive, name) for name in wanted}
            return archive.read(HEADER), arrays
    except DAMAGE as error:
        raise NetworkError(
            f"{where} ({error}); expected a neurosim {kind} (.npz). "
            "The file is damaged, cut short or of another origin: load another copy or run again."
        ) from error


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(name) as entry:
        return np.lib.format.read_array(entry, allow_pickle=False)


def _from_numpy(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"found {value!r} ({type(value).__name__})")
