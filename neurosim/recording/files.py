"""Numbers on disk: named arrays and a JSON header in one .npz file, written whole or not at all,
and read without pickle.
"""

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
# What a damaged zip or npy may raise while it is read: checksums, unknown methods, encryption,
# missing entries, bad text and offsets.
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
    """Return a copy of `value` made of JSON's own types: tuples become lists, NumPy numbers and
    arrays become Python's.

    Raises
    ------
    NetworkError
        If it holds anything that is no data.
    """
    try:
        return json.loads(json.dumps(value, default=_from_numpy))
    except TypeError as error:
        raise NetworkError(
            f"{where}: {error}; expected numbers, texts, lists and dictionaries. "
            "Store a name or a list instead."
        ) from error


def split(value: Any, place: str, arrays: dict[str, np.ndarray]) -> Any:
    """Return the JSON part of a value; its arrays go to `arrays` under their places."""
    if isinstance(value, np.ndarray):
        arrays[place] = value
        return ARRAY
    if is_dataclass(value):
        value = {each.name: getattr(value, each.name) for each in fields(value)}
    if isinstance(value, dict):
        return {name: split(part, f"{place}/{name}", arrays) for name, part in value.items()}
    return value


def join(value: Any, place: str, arrays: Mapping[str, np.ndarray]) -> Any:
    """Undo `split`, up to the dataclasses, which come back as dictionaries of their fields."""
    if isinstance(value, dict):
        return {name: join(part, f"{place}/{name}", arrays) for name, part in value.items()}
    return arrays[place] if value == ARRAY else value


def write(
    path: str | Path, header: Mapping[str, Any], *, kind: str, arrays: Mapping[str, np.ndarray]
) -> Path:
    """Write a header and arrays to `path` atomically and return the path.

    Parameters
    ----------
    path : the file, overwritten if it exists
    header : JSON-able
    kind : str
        What the file holds ("recording"); asked for again when it is read.
    arrays : name -> array
        Names may contain "/"; ``numpy.load(path)[name]`` finds them too.
    """
    text = seal({"content": header, "arrays": list(arrays)}, kind, where=str(path))

    def fill(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(HEADER, text)
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(
                        entry, np.ascontiguousarray(array), allow_pickle=False
                    )

    return write_atomically(path, fill)


def read(
    path: str | Path, *, kind: str, only: str | tuple[str, ...] = ""
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the arrays of a file that `write` made, or ``only`` those whose names
    begin so; () for none.

    Raises
    ------
    NetworkError
        If the file is damaged, cut short, or something else.
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
    """Return a header as JSON text that says what it is the header of."""
    return json.dumps(
        {"format": f"neurosim {kind}", "version": 1, "header": plain(dict(header), where)}, indent=1
    )


def unseal(text: bytes, kind: str, *, where: str) -> dict[str, Any]:
    """Undo `seal`; a NetworkError if the text is something else."""
    try:
        outer = json.loads(text)
    except ValueError as error:
        raise NetworkError(
            f"{where}: {error}; expected the header of a neurosim {kind} in JSON. "
            "Load another copy or run again."
        ) from error
    found = (outer.get("format"), outer.get("version")) if isinstance(outer, dict) else (None, None)
    if found != (f"neurosim {kind}", 1):
        raise NetworkError(
            f"{where}: found the format {found[0]!r}, version {found[1]!r}; "
            f"expected 'neurosim {kind}', version 1. "
            "Load it with what wrote it, or with a newer neurosim."
        )
    return outer["header"]


def write_json(path: str | Path, value: Any) -> Path:
    """Write plain data as JSON text, as `write_atomically` writes."""
    text = json.dumps(plain(value, str(path)), indent=1) + "\n"
    return write_atomically(path, lambda file: file.write(text.encode()))


def write_atomically(path: str | Path, fill: Callable[[BinaryIO], object]) -> Path:
    """Let `fill` write a new file beside `path`, bring it to the disk, and only then give it the
    name `path`.

    A crash at any moment leaves the old file or the new one. `fill` may raise: nothing is left
    behind but the folder,
    which is made where it is missing.

    Raises
    ------
    NetworkError
        If the system refuses it: the place takes no files, or is full.
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
        with open(temporary, "xb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if hasattr(os, "O_DIRECTORY"):  # not on Windows, where folders cannot be opened
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _unzip(
    file: BinaryIO, where: str, kind: str, only: str | tuple[str, ...]
) -> tuple[bytes, dict[str, np.ndarray]]:
    """Return the header's text and the arrays."""
    try:
        with zipfile.ZipFile(file) as archive:
            wanted = [
                name for name in archive.namelist() if name != HEADER and name.startswith(only)
            ]
            for name in (
                HEADER,
                *wanted,
            ):  # before any parsing, so that a flipped bit is never taken for a value
                with archive.open(name) as entry:
                    while entry.read(1 << 20):
                        pass  # at its end, a wrong checksum raises
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
