"""Files with valid checksums and wrong content, for the tests of states and recordings."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Content = tuple[Any, dict[str, np.ndarray]]
"""The whole header and the arrays of a file."""

MISSING = object()
ODD = (None, True, -1, 1.5, float("nan"), "x", [], {}, ["x"], 10**30, 2**53, 2**63 - 1, MISSING)


def read(path: Path) -> Content:
    """Return the whole header and the arrays of a file."""
    with zipfile.ZipFile(path) as archive:
        header = json.loads(archive.read("header.json"))
        names = [name for name in archive.namelist() if name.endswith(".npy")]
        arrays = {n.removesuffix(".npy"): np.load(io.BytesIO(archive.read(n))) for n in names}
    return header, arrays


def write(path: Path, content: Content, compression: int = zipfile.ZIP_STORED) -> Path:
    """Write a file as it is, with checksums that fit."""
    header, arrays = content
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("header.json", json.dumps(header))
        for name, array in arrays.items():
            data = io.BytesIO()
            np.save(data, array, allow_pickle=True)
            archive.writestr(f"{name}.npy", data.getvalue())
    return path


def _places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Yield the path of each value within JSON data."""
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value[:2])
    for key, child in children:
        yield (*path, key)
        yield from _places(child, (*path, key))


def _replaced(header: Any, path: tuple, value: Any) -> Any:
    header = copy.deepcopy(header)
    owner = header
    for key in path[:-1]:
        owner = owner[key]
    if value is MISSING:
        del owner[path[-1]]
    else:
        owner[path[-1]] = value
    return header


def _filled(array: np.ndarray) -> Iterator[np.ndarray]:
    values: tuple = (np.nan, np.inf, -1.0, 0.0)
    if array.dtype.kind in "iu":
        info = np.iinfo(array.dtype)
        values = (-1, 0, 1, 1000, info.min, info.max)
    elif array.dtype.kind == "b":
        values = (True, False)
    for value in values:
        yield np.full_like(array, value)
        if array.size > 1:
            one = array.copy()
            one.flat[-1] = value
            yield one


ARRAYS: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    lambda array: array[:0],
    lambda array: np.concatenate([array, array]),
    lambda array: array[..., None],
    lambda array: np.zeros(()),
    lambda array: array.reshape(-1)[::-1].reshape(array.shape),
    lambda array: np.concatenate([array] * 1000)[:100_000],
    lambda array: array.astype(np.float32),
    lambda array: array.astype(np.int64),
    lambda array: array.astype(np.complex128),
    lambda array: array.astype(array.dtype.newbyteorder(">")),
    lambda array: array.astype("S8"),
    lambda array: array.astype(object),
    lambda array: np.zeros(array.shape, [("a", "f8"), ("b", "i4")]),
)


def variants(content: Content) -> Iterator[tuple[str, Content]]:
    """Yield contents that differ from a valid one in one place, each with its description."""
    header, arrays = content
    for path in _places(header):
        for value in ODD:
            yield f"{path} = {value!r}", (_replaced(header, path, value), arrays)
    for name, array in arrays.items():
        others = {n: a for n, a in arrays.items() if n != name}
        yield f"no {name}", (header, others)
        yield f"{name} by another name", (header, others | {f"{name}x": array})
        for number, change in enumerate(ARRAYS):
            with np.errstate(all="ignore"):
                changed = change(array)
            yield f"{name}, change {number}", (header, arrays | {name: changed})
        for filled in _filled(array):
            yield f"{name} of {filled.flat[-1:]}", (header, arrays | {name: filled})
