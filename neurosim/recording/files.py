"""Files of numbers: named arrays and a JSON header in one .npz, without pickle, written whole."""

from __future__ import annotations

import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from math import prod
from pathlib import Path, PurePath
from tokenize import TokenError
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ..errors import NetworkError, NeurosimError, describe
from ..whole_files import write_whole
from .schema import OBJECT, TEXTS, require_fields

HEADER = "header.json"
ARRAY = "@array"  # stands in the header for an array of the file; no name or unit looks like it
# Errors of a damaged zip or npy while it is read: checksums, unknown methods, encryption, missing
# entries, bad text and offsets.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    RuntimeError,
    LookupError,
    ValueError,
    TypeError,
    ArithmeticError,
    SyntaxError,
    TokenError,
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
    if not (isinstance(value, str) and value == ARRAY):
        return value
    if path not in arrays:
        raise NetworkError(
            f"found no array {path!r}, which the header names. The file is damaged: "
            "load another copy or run again."
        )
    return arrays[path]


def write(
    path: str | Path,
    header: Mapping[str, Any],
    *,
    kind: str,
    arrays: Mapping[str, np.ndarray],
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
    path = read_path(path, where="save")
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


class ArrayLayout(NamedTuple):
    """The shape and the type of an array in a file, known before it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype


Check = Callable[[dict[str, Any], Mapping[str, ArrayLayout]], None]
"""Raises unless a header and the arrays that will be read fit."""


def read(
    path: str | Path,
    *,
    kind: str,
    only: str | tuple[str, ...] = "",
    check: Check | None = None,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the arrays of a file that `write` wrote.

    Parameters
    ----------
    path : path
    kind : str
        Content that is expected.
    only : str or tuple of str
        Beginnings of the names of the arrays that are read: "" reads all, () none.
    check : function (header, layouts), optional
        Called before any array is read.

    Raises
    ------
    NetworkError
        If the file is damaged, cut short, or of another kind.
    FileNotFoundError
        If there is none.
    """
    path = read_path(path, where="load")
    with _refuse_damage(path, kind):
        file = open(path, "rb")  # noqa: SIM115
    with file, _refuse_damage(path, kind), zipfile.ZipFile(file) as archive:
        wanted = _require_whole(archive, os.fstat(file.fileno()).st_size, only)
        header = unseal(archive.read(HEADER), kind, where=str(path))
        require_fields(header, {"content": OBJECT, "arrays": TEXTS}, where=str(path))
        layouts = {name.removesuffix(".npy"): _read_layout(archive, name) for name in wanted}
        _require_listed(header["arrays"], layouts, only, where=str(path))
        if check is not None:
            check(header["content"], layouts)
        arrays = {name.removesuffix(".npy"): _array(archive, name) for name in wanted}
        return header["content"], arrays


def read_path(path: object, *, where: str) -> Path:
    """Return a path that a user gave.

    Raises
    ------
    NetworkError
        If it is no text or path, empty, or has a character that no path can have.
    """
    text = str(path) if isinstance(path, str | PurePath) else ""
    if not text or "\0" in text:
        raise NetworkError(
            f"{where}: found {describe(path)}, expected a path. Give it such as 'run.npz'."
        )
    return Path(text)


def _require_whole(archive: zipfile.ZipFile, size: int, only: str | tuple[str, ...]) -> list[str]:
    """Raise unless the header and the wanted entries are whole; return the names of the latter."""
    taken = sum(entry.file_size for entry in archive.infolist())
    # Files are written as they are. One that expands, or whose entries overlap, could take all
    # memory.
    if taken > size:
        raise zipfile.BadZipFile(f"entries of {taken} bytes in a file of {size} bytes")
    wanted = [name for name in archive.namelist() if name != HEADER and name.startswith(only)]
    # All checksums before any parsing, so that a flipped bit is never taken for a value: an entry
    # raises at its end, which parsing an array need not reach.
    for name in (HEADER, *wanted):
        with archive.open(name) as entry:
            while entry.read(1 << 20):
                pass
    return wanted


def _require_listed(
    listed: list[str],
    layouts: Mapping[str, object],
    only: str | tuple[str, ...],
    *,
    where: str,
) -> None:
    """Raise NetworkError if an array that the header lists is missing."""
    missing = [name for name in listed if name.startswith(only) and name not in layouts]
    if missing:
        raise NetworkError(
            f"{where}: found no array {missing[0]!r}, which its header lists. The file is damaged: "
            "load another copy or run again."
        )


@contextmanager
def _refuse_damage(path: Path, kind: str) -> Iterator[None]:
    """Turn errors of a damaged file into a NetworkError; those that name a fault pass."""
    try:
        yield
    except (NeurosimError, FileNotFoundError):
        raise
    except MemoryError as error:
        raise NetworkError(
            f"{path}: found more data than fits into memory ({error}), expected less. "
            "Load it on a larger machine."
        ) from error
    except DAMAGE as error:
        raise NetworkError(
            f"{path}: cannot be read ({error}); expected a neurosim {kind} (.npz). "
            "The file is damaged, cut short or of another origin: load another copy or run again."
        ) from error


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
    # Lists within lists within lists may be too deep.
    except (ValueError, RecursionError) as error:
        raise NetworkError(
            f"{where}: {error}; expected the header of a neurosim {kind} in JSON. "
            "Load another copy or run again."
        ) from error
    fields_of_text = outer if isinstance(outer, dict) else {}
    name = fields_of_text.get("format")
    version = fields_of_text.get("version")
    # A later version may give the same names another meaning: it is refused, not guessed at.
    if (name, version) != (f"neurosim {kind}", 1):
        raise NetworkError(
            f"{where}: found the format {name!r}, version {version!r}; "
            f"expected 'neurosim {kind}', version 1. "
            "Load it with what wrote it, or with a newer neurosim."
        )
    require_fields(outer, {"header": OBJECT}, where=where)
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
    path = read_path(path, where="save")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, fill)
    except OSError as error:
        raise NetworkError(
            f"file {path}: cannot be written ({error.strerror or error}), expected a place that "
            "takes it. "
            "Choose another, or make room and allow writing there."
        ) from error
    return path


def _read_layout(archive: zipfile.ZipFile, name: str) -> ArrayLayout:
    """Return the shape and type of an array; raise ValueError unless its entry holds just that."""
    with archive.open(name) as entry:
        version = np.lib.format.read_magic(entry)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = read_header(entry)
        begin = entry.tell()
    if dtype.hasobject:
        raise ValueError("Object arrays cannot be loaded")
    if dtype.kind not in "biuf":
        raise ValueError(f"array {name!r} is of type {dtype}")
    size = begin + prod(shape) * dtype.itemsize
    # NumPy makes room for the whole shape before it reads: a wrong one could take all memory.
    if min(shape, default=0) < 0 or size != archive.getinfo(name).file_size:
        raise ValueError(f"array {name!r} of shape {shape} does not fill its entry")
    return ArrayLayout(tuple(map(int, shape)), dtype.newbyteorder("="))


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(name) as entry:
        array = np.lib.format.read_array(entry, allow_pickle=False)
    # Compiled code reads numbers in the order of this machine.
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _from_numpy(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"found {value!r} ({type(value).__name__})")
